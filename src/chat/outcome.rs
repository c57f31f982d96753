//! How a call ended for the account that made it: what an upstream tells the ledger.
use serde::{Deserialize, Serialize};

use super::Usage;

/// How a call ended, as far as its account is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered to the end.
    Success {
        /// What the upstream counted, where it did.
        usage: Option<Usage>,
    },
    /// The caller's own fault: says nothing about the account.
    CallerError,
    /// The caller left.
    Cancelled {
        /// What the upstream had counted by then.
        usage: Option<Usage>,
    },
    /// No call was made, so nothing is counted.
    Unused,
    /// 429 or the like.
    RateLimited {
        /// The upstream's own `Retry-After`.
        retry_after_ms: Option<u64>,
    },
    /// 5xx, network, cut or stalled stream.
    Failure {
        /// A short cause, without secrets.
        cause: String,
    },
    /// The credential does not work.
    InvalidCredential {
        /// A short cause, without secrets.
        cause: String,
    },
    /// The account must log in again.
    NeedsLogin {
        /// A short cause, without secrets.
        cause: String,
    },
    /// A quota or balance is used up, or the account is muted: parked until a time, or until an operator acts.
    Parked {
        /// A short cause, without secrets.
        cause: String,
        /// When it ends, in Unix milliseconds, where known.
        until_ms: Option<u64>,
    },
}
