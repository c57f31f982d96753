//! What the service sends and what it wants back.
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::solver::Solver;

/// The name of the header with the answer.
pub const HEADER: &str = "x-ds-pow-response";

/// The one algorithm there is.
const ALGORITHM: &str = "DeepSeekHashV1";

/// Thirty times the usual difficulty: what is harder would keep the account's callers waiting for seconds.
const DIFFICULTY_MAX: u64 = 5_000_000;

/// A challenge, as in `data.biz_data.challenge` of the answer to `POST /api/v0/chat/create_pow_challenge`. It also has
/// `expire_after`, in milliseconds, which `expire_at` makes needless.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Challenge {
    /// `DeepSeekHashV1`.
    pub algorithm: String,
    /// The hash to find a number for: 64 hexadecimal digits.
    pub challenge: String,
    /// 20 hexadecimal digits.
    pub salt: String,
    /// The service's own, sent back as it came: 64 hexadecimal digits.
    pub signature: String,
    /// All numbers are below this. 144 000 is usual.
    pub difficulty: u64,
    /// Unix milliseconds; five minutes after it was made.
    pub expire_at: u64,
    /// The path of the call that the answer is for, such as `/api/v0/chat/completion`.
    pub target_path: String,
}

impl Challenge {
    /// The search for the answer. `None` when the algorithm is another, the hash is not 64 hexadecimal digits, or the
    /// search would be too long.
    pub fn solver(&self) -> Option<Solver> {
        if self.algorithm != ALGORITHM || self.difficulty > DIFFICULTY_MAX {
            return None;
        }
        Solver::new(&self.challenge, &self.salt, self.expire_at, self.difficulty)
    }

    /// The value of [`HEADER`]: base64, with padding, of compact JSON with these fields in this order.
    ///
    /// # Errors
    ///
    /// None that these types can cause; serialising has a result.
    pub fn header(&self, answer: u64) -> Result<String, serde_json::Error> {
        let response = Response {
            algorithm: &self.algorithm,
            challenge: &self.challenge,
            salt: &self.salt,
            answer,
            signature: &self.signature,
            target_path: &self.target_path,
        };
        Ok(BASE64.encode(serde_json::to_vec(&response)?))
    }
}

#[derive(Serialize)]
struct Response<'a> {
    algorithm: &'a str,
    challenge: &'a str,
    salt: &'a str,
    answer: u64,
    signature: &'a str,
    target_path: &'a str,
}
