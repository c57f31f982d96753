//! One failed try, whatever the upstream: for its account, for the caller, and whether another account should try.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chat::{ChatError, ErrorKind, Outcome};
use crate::json;
use crate::moment;

/// One failed try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it says of the account.
    pub outcome: Outcome,
    /// What the caller is told when no other try follows.
    pub error: ChatError,
    /// Another account may do better.
    pub retry: bool,
}

/// No answer at all, or one that broke off underneath.
pub fn of_network() -> Failure {
    broken(ErrorKind::Upstream, "The connection to the upstream failed.")
}

/// An answer of more than `max_bytes`. That is the caller's doing, or the service's, but no fault of the account; and another
/// one's answer would be as long, and paid for as well.
pub fn of_length(max_bytes: u64) -> Failure {
    let text = format!("The upstream's answer is larger than {max_bytes} bytes (settings.max_answer_bytes).");
    Failure { outcome: Outcome::CallerError, retry: false, ..broken(ErrorKind::Upstream, &text) }
}

/// A deadline that passed.
pub fn of_deadline(what: &str) -> Failure {
    broken(ErrorKind::UpstreamTimeout, &format!("The upstream was silent too long: {what}."))
}

/// Milliseconds until the moment that a `Retry-After` names: seconds, or an HTTP date.
pub fn retry_after_ms(value: &str, now_ms: u64) -> Option<u64> {
    let value = value.trim();
    // By JSON's reader of numbers, which is here anyway: the standard library's brings 14 KB of the upload.
    if let Some(seconds) = json::parse(value).ok().as_ref().and_then(Value::as_f64) {
        // A cast from float saturates, so that no header can overflow it.
        return (seconds >= 0.0).then_some((seconds * 1000.0) as u64);
    }
    Some(moment::of_http_date(value)?.saturating_sub(now_ms))
}

/// The account's service did not do its part: another one may.
pub fn broken(kind: ErrorKind, text: &str) -> Failure {
    Failure { outcome: Outcome::Failure { cause: text.to_owned() }, error: ChatError::new(kind, text), retry: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_retry_after_in_both_forms() {
        assert_eq!(retry_after_ms("3", 0), Some(3_000));
        assert_eq!(retry_after_ms(" 0.5 ", 0), Some(500));
        assert_eq!(retry_after_ms("99999999999999999999999", 0), Some(u64::MAX));
        assert_eq!(retry_after_ms("Sat, 21 Nov 2026 12:00:05 GMT", 1_795_262_400_000), Some(5_000));
        assert_eq!(retry_after_ms("Sat, 21 Nov 2026 11:00:00 GMT", 1_795_262_400_000), Some(0));
        for nonsense in ["", "soon", "-1", "NaN", "3 seconds"] {
            assert_eq!(retry_after_ms(nonsense, 0), None, "{nonsense}");
        }
    }
}
