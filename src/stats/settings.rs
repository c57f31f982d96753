//! What is recorded, and how much of it is kept.
use serde::{Deserialize, Serialize};

/// `settings.stats` of the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stats {
    /// Whether anything is recorded. Default true.
    pub enabled: bool,
    /// The newest calls that the log keeps, at most 10,000. Default 1,000.
    pub log_max: u64,
    /// How long the log keeps a call. Default 7 days.
    pub log_days: u64,
    /// How long each hour's figures are kept. Default 192 hours: the last 7 days need 168.
    pub hours: u64,
    /// How long each day's figures are kept. Default 92.
    pub days: u64,
    /// Models, accounts and keys that are told apart in one hour, of each; the rest is counted together.
    /// Default 200, at most [`NAMES_MAX`].
    pub names_max: usize,
    /// Accounts that a call's receipt names of those that it could be served by, the passed-over ones first; 0 is none.
    /// Default 8.
    #[serde(alias = "passed_over_max")]
    pub candidates_max: usize,
    /// How long a record may wait for others, so that one request stores them all. Default 1 s.
    pub batch_ms: u64,
    /// Records that are stored without waiting for more. Default 50.
    pub batch_max: usize,
    /// The newest admin writes that the audit log keeps. Default 500.
    pub audit_max: u64,
    /// The newest of those that were refused without a good key or password, which each of both logs keeps beside its other
    /// entries: strangers push nothing out. Default 100.
    pub refused_max: u64,
    /// The most of a request's and of an answer's body that the log keeps where `settings.log_bodies` is on. Default 8 KiB.
    pub body_bytes: usize,
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            enabled: true,
            log_max: 1_000,
            log_days: 7,
            hours: 192,
            days: 92,
            names_max: 200,
            candidates_max: 8,
            batch_ms: 1_000,
            batch_max: 50,
            audit_max: 500,
            refused_max: 100,
            body_bytes: 8 * 1024,
        }
    }
}

/// The most that `log_max` may be: a log is not searched faster than it is read.
pub const LOG_MAX: u64 = 10_000;
/// The most that `body_bytes` may be: a row of the log holds two bodies as JSON, which takes up to six bytes for one, and is
/// stored where it is below 2 MB.
pub const BODY_BYTES_MAX: usize = 128 * 1024;
/// The most that `names_max` may be: a span's names of all three kinds are one row with their figures, which is stored
/// where it is below 2 MB.
pub const NAMES_MAX: usize = 200;
/// The longest that a record may wait: a Worker's task lives 30 seconds after its answer.
pub const BATCH_MS_MAX: u64 = 20_000;
