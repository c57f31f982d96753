//! What an operator may set about admission, and what the configuration tells the ledger.
use serde::{Deserialize, Serialize};

use crate::config::Limits;

/// How the ledger waits, leases and cools. Every field has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The IANA time zone whose days `rpd` counts.
    pub timezone: String,
    /// Callers that may wait at once.
    pub max_waiting: usize,
    /// The longest that a caller waits.
    pub max_wait_ms: u64,
    /// How long a lease lives unless renewed.
    pub lease_ms: u64,
    /// How soon a caller that had to wait must renew its lease, or it passes on.
    pub confirm_ms: u64,
    /// How many seconds a conversation prefers its account; 0 is never.
    pub sticky_s: u64,
    /// When an account cools, and for how long.
    pub cooling: Cooling,
}

/// When an account cools, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cooling {
    /// Failures in a row that make an account cool. Default 3.
    pub failures: u32,
    /// The first cool-down after failures; doubles each time. Default 10 s.
    pub min_ms: u64,
    /// The longest cool-down after failures. Default 10 minutes.
    pub max_ms: u64,
    /// The first pause after a 429 without `Retry-After`, half of it at random; doubles each time. Default 1 s.
    pub backoff_min_ms: u64,
    /// The longest such pause. Default 1 minute.
    pub backoff_max_ms: u64,
    /// The longest `Retry-After` that is believed: some send a moment where a duration belongs, half a century. Default 1 day.
    pub retry_after_max_ms: u64,
}

/// The longest that an account may cool: a week.
const COOLING_MAX_MS: u64 = 7 * 86_400_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            timezone: "UTC".to_owned(),
            max_waiting: 100,
            max_wait_ms: 30_000,
            lease_ms: 120_000,
            confirm_ms: 5_000,
            sticky_s: 1_800,
            cooling: Cooling::default(),
        }
    }
}

impl Default for Cooling {
    fn default() -> Self {
        Self {
            failures: 3,
            min_ms: 10_000,
            max_ms: 600_000,
            backoff_min_ms: 1_000,
            backoff_max_ms: 60_000,
            retry_after_max_ms: 86_400_000,
        }
    }
}

impl Cooling {
    /// The field that is wrong, and how, if any.
    pub fn mistake(&self) -> Option<(&'static str, String)> {
        if self.failures == 0 {
            return Some(("failures", "at least 1".to_owned()));
        }
        let bounded = [
            ("min_ms", self.min_ms, 1),
            ("max_ms", self.max_ms, self.min_ms),
            ("backoff_min_ms", self.backoff_min_ms, 1),
            ("backoff_max_ms", self.backoff_max_ms, self.backoff_min_ms),
            ("retry_after_max_ms", self.retry_after_max_ms, 1),
        ];
        let wrong = bounded.into_iter().find(|(_, value, least)| !(*least..=COOLING_MAX_MS).contains(value));
        wrong.map(|(field, _, least)| (field, format!("{least} to {COOLING_MAX_MS}")))
    }
}

/// One account, as far as admission is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// Unique among the accounts.
    pub id: String,
    /// The id of its upstream.
    pub upstream: String,
    /// What it may do.
    #[serde(default)]
    pub limits: Limits,
    /// Its share of the calls in flight, at least 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// Higher is served first.
    #[serde(default)]
    pub priority: i32,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its sealed secrets, handed out with each lease and never looked into.
    #[serde(default)]
    pub sealed: String,
}

/// One client key, as far as admission is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Unique among the keys.
    pub id: String,
    /// What it may do.
    #[serde(default)]
    pub limits: Limits,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// From when on it is refused.
    #[serde(default)]
    pub expires_at_ms: Option<u64>,
}

/// All that the configuration tells the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerView {
    /// The configuration's version.
    pub version: u64,
    /// How to wait, lease and cool.
    #[serde(default)]
    pub settings: Settings,
    /// All accounts.
    #[serde(default)]
    pub accounts: Vec<AccountSpec>,
    /// All client keys.
    #[serde(default)]
    pub keys: Vec<KeySpec>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
