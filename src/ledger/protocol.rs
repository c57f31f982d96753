//! What a Worker and the ledger's Durable Object say to each other: one JSON text each way.
use serde::{Deserialize, Serialize};

use super::candidates::Candidates;
pub use crate::chat::Outcome;

/// Asks for one call on one account of a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdmitRequest {
    /// The version of the configuration that the caller routed with.
    pub version: u64,
    /// The caller's name for this wait, unique, so that it can cancel it.
    pub ticket: String,
    /// The client key's id.
    pub key: String,
    /// The upstreams whose accounts may serve.
    pub upstreams: Vec<String>,
    /// Accounts already tried.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// A hash of the conversation's prefix, so that it stays on one account while that is eligible.
    #[serde(default)]
    pub conversation: Option<String>,
    /// Tokens to reserve, an estimate.
    #[serde(default)]
    pub tokens: u64,
    /// Whether it waits in the queue where no account can serve at once.
    #[serde(default = "yes")]
    pub waits: bool,
    /// How many of the accounts that may serve are told.
    #[serde(default)]
    pub candidates_max: usize,
}

impl Default for AdmitRequest {
    fn default() -> Self {
        AdmitRequest {
            version: 0,
            ticket: String::new(),
            key: String::new(),
            upstreams: Vec::new(),
            exclude: Vec::new(),
            conversation: None,
            tokens: 0,
            waits: true,
            candidates_max: 0,
        }
    }
}

fn yes() -> bool {
    true
}

/// The ledger's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdmitReply {
    /// One call on this account; to be settled. And those that it was chosen from.
    Granted(Grant, Candidates),
    /// The caller routed with an old configuration: load `version` or newer, and ask again.
    Stale {
        /// The ledger's version.
        version: u64,
    },
    /// No call, and why. And the accounts that might have served.
    Refused(Refusal, Candidates),
}

/// The right to make one call on one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Names the lease in `renew` and `settle`.
    pub lease: String,
    /// The account's id.
    pub account: String,
    /// The account's upstream.
    pub upstream: String,
    /// The account's sealed secrets, as the configuration holds them.
    pub sealed: String,
    /// How long the caller waited in the queue.
    pub waited_ms: u64,
    /// The lease falls back to the next waiter unless renewed within the confirm deadline.
    pub confirm: bool,
}

/// Why no account was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The reason, as an error code.
    pub reason: Reason,
    /// The earliest moment at which a new try can succeed, in milliseconds from now, where known.
    pub retry_after_ms: Option<u64>,
    /// A sentence that names what stands in the way, without naming an account.
    pub detail: String,
}

/// The reasons of contract §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// All are busy, and the queue is full or the wait was over.
    QueueFull,
    /// All have used up their day or their uses.
    DailyLimit,
    /// All are at a rate limit or cooling, longer than a caller may wait.
    RateLimited,
    /// The client key is at its own limit.
    KeyLimit,
    /// The client key is unknown, disabled or expired.
    KeyRevoked,
    /// No account is enabled, or all are muted, disabled or need a login.
    NoAccount,
    /// Every account that could serve was already tried.
    Exhausted,
}

/// Ends a lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettleRequest {
    /// From the grant.
    pub lease: String,
    /// How the call ended.
    pub outcome: Outcome,
}
