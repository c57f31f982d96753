//! One account: its counters, what is wrong with it, and whether it can take one more call.
use serde::{Deserialize, Serialize};

use super::clock::{Day, Millis};
use super::meter::{Gate, Limit, Meter, WHOLE};
use super::settings::{AccountSpec, Cooling};
use super::tournament::Key;
use crate::chat::Outcome;
use crate::config::Limits;
use crate::json;

/// The order in which eligible accounts are served; the smallest is first. Packed, since it is compared all the time: 32
/// bits of priority, the highest first; 32 bits of load, the least first; 22 bits of headroom, the most first; 42 bits of
/// the time of the last use, the earliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u128);

impl Key for Rank {
    const NONE: Self = Rank(u128::MAX);
}

/// Parts of one call in flight, for a load in proportion to a weight.
const LOAD: u64 = 1 << 18;
/// Bits of a time in milliseconds, enough until 2109.
const TIME_BITS: u32 = 42;

impl Rank {
    fn new(priority: i32, load: u64, headroom: u64, last_used: Millis) -> Rank {
        let priority = u64::from(i32::MAX.abs_diff(priority));
        let claim = (priority << 32) | load.min(u64::from(u32::MAX - 1));
        let least_room = WHOLE.saturating_sub(headroom).min(WHOLE - 1);
        let rest = (least_room << TIME_BITS) | last_used.min((1 << TIME_BITS) - 1);
        Rank((u128::from(claim) << 64) | u128::from(rest))
    }

    /// Whether another account has the same priority.
    pub(super) fn is_peer(self, other: Rank) -> bool {
        self.0 >> 96 == other.0 >> 96
    }
}

/// What is wrong with an account, if anything. Survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Condition {
    /// Nothing.
    #[default]
    Ready,
    /// Not before `until`; then, after failures, with one call as a trial.
    Cooling {
        until: Millis,
        trial: bool,
        reason: String,
    },
    /// One call shows whether it is well again.
    Trial {
        reason: String,
    },
    /// Not before `until`, or until an operator acts.
    Parked {
        until: Option<Millis>,
        reason: String,
    },
    NeedsLogin {
        reason: String,
    },
    Disabled {
        reason: String,
    },
}

/// Why an account cannot take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Limit(Limit),
    /// Cooling, on trial, parked, or switched off.
    Condition,
}

/// Whether an account can take one more call, its tokens aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Eligible(Rank),
    /// Not before this moment.
    Later(Millis, Cause),
    /// When a call in flight ends.
    Busy,
    /// When somebody acts.
    Closed(Cause),
}

/// What of an account survives a restart besides its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Health {
    pub(super) condition: Condition,
    /// Failures in a row.
    pub(super) failures: u32,
    /// Cool-downs in a row.
    pub(super) cools: u32,
    /// 429s in a row.
    pub(super) backoffs: u32,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) spec: AccountSpec,
    pub(super) meter: Meter,
    pub(super) health: Health,
    /// Taken out of the configuration; kept while any of it counts.
    pub(super) removed: bool,
    /// The pools that it is in, and its seat in each.
    pub(super) seats: Vec<(u64, usize)>,
    /// How it stands in those pools.
    pub(super) standing: Standing,
    /// Its health changed since it was stored.
    pub(super) dirty: bool,
}

impl Account {
    pub(super) fn new(spec: AccountSpec) -> Self {
        let meter = Meter { limits: spec.limits, ..Meter::default() };
        Account {
            spec,
            meter,
            health: Health::default(),
            removed: false,
            seats: Vec::new(),
            standing: Standing::Closed(Cause::Condition),
            dirty: false,
        }
    }

    /// Of which nothing is known but the id.
    pub(super) fn unknown(id: &str) -> Self {
        let spec = AccountSpec {
            id: id.to_owned(),
            upstream: String::new(),
            limits: Limits::default(),
            weight: 1,
            priority: 0,
            enabled: false,
            sealed: String::new(),
        };
        Account { removed: true, ..Account::new(spec) }
    }

    /// Takes a new specification over. New credentials, switching it off and on, or taking it out and back make it well.
    pub(super) fn respecify(&mut self, spec: AccountSpec, returns: bool) {
        if returns || spec.sealed != self.spec.sealed || (spec.enabled && !self.spec.enabled) {
            self.health = Health::default();
            self.dirty = true;
        }
        self.removed = false;
        self.meter.limits = spec.limits;
        self.spec = spec;
    }

    /// Looks at the clock: ends what has ended, and says how the account stands.
    pub(super) fn look(&mut self, now: Millis, today: Day) -> Standing {
        self.meter.roll(now, today);
        match &mut self.health.condition {
            Condition::Cooling { until, trial, reason } if *until <= now => {
                let reason = std::mem::take(reason);
                self.health.condition = if *trial { Condition::Trial { reason } } else { Condition::Ready };
            }
            Condition::Parked { until: Some(until), .. } if *until <= now => self.health.condition = Condition::Ready,
            _ => {}
        }
        if self.removed || !self.spec.enabled {
            return Standing::Closed(Cause::Condition);
        }
        let not_before = match &self.health.condition {
            Condition::Ready => None,
            Condition::Trial { .. } if self.meter.in_flight > 0 => return Standing::Busy,
            Condition::Trial { .. } => None,
            Condition::Cooling { until, .. } | Condition::Parked { until: Some(until), .. } => Some(*until),
            Condition::Parked { until: None, .. } | Condition::NeedsLogin { .. } | Condition::Disabled { .. } => {
                return Standing::Closed(Cause::Condition);
            }
        };
        match (self.meter.gate(now, today), not_before) {
            (Gate::Closed(limit), _) => Standing::Closed(Cause::Limit(limit)),
            (Gate::NotBefore(at, limit), Some(until)) if at > until => Standing::Later(at, Cause::Limit(limit)),
            (_, Some(until)) => Standing::Later(until, Cause::Condition),
            (Gate::NotBefore(at, limit), None) => Standing::Later(at, Cause::Limit(limit)),
            (Gate::UntilReleased(_), None) => Standing::Busy,
            (Gate::Open, None) => Standing::Eligible(self.rank()),
        }
    }

    fn rank(&self) -> Rank {
        let load =
            self.meter.in_flight.saturating_mul(LOAD).checked_div(u64::from(self.spec.weight)).unwrap_or(u64::MAX);
        let last_used = self.meter.calls.last().unwrap_or(0);
        Rank::new(self.spec.priority, load, self.meter.headroom(), last_used)
    }

    /// Learns from how a call ended (architecture §3).
    pub(super) fn learn(&mut self, now: Millis, outcome: &Outcome, settings: &Cooling, random: &mut fastrand::Rng) {
        let before = self.health.clone();
        let health = &mut self.health;
        match outcome {
            Outcome::Success { .. } => {
                health.failures = 0;
                health.backoffs = 0;
                if matches!(health.condition, Condition::Ready | Condition::Trial { .. }) {
                    health.cools = 0;
                    health.condition = Condition::Ready;
                }
            }
            Outcome::CallerError | Outcome::Cancelled { .. } | Outcome::Unused => {}
            Outcome::RateLimited { retry_after_ms } => {
                let asked = retry_after_ms.map(|pause| pause.min(settings.retry_after_max_ms));
                let pause = asked.unwrap_or_else(|| {
                    let full = doubled(settings.backoff_min_ms, health.backoffs, settings.backoff_max_ms);
                    // Half of it at random, so that accounts do not come back all at once.
                    full / 2 + random.u64(0..=full / 2)
                });
                health.backoffs = health.backoffs.saturating_add(1);
                health.cool(now.saturating_add(pause), false, "rate limited by the upstream");
            }
            Outcome::Failure { cause } => {
                health.failures = health.failures.saturating_add(1);
                let on_trial = matches!(health.condition, Condition::Trial { .. });
                if on_trial || health.failures >= settings.failures {
                    // Those that were in flight when it began to cool are of the same cool-down.
                    if matches!(health.condition, Condition::Ready | Condition::Trial { .. }) {
                        health.cools = health.cools.saturating_add(1);
                    }
                    let pause = doubled(settings.min_ms, health.cools.saturating_sub(1), settings.max_ms);
                    health.cool(now.saturating_add(pause), true, cause);
                }
            }
            Outcome::InvalidCredential { cause } => {
                health.condition = Condition::Disabled { reason: format!("invalid credential: {cause}") };
            }
            Outcome::NeedsLogin { cause } => health.condition = Condition::NeedsLogin { reason: cause.clone() },
            Outcome::Parked { cause, until_ms } => {
                health.condition = Condition::Parked { until: *until_ms, reason: cause.clone() };
            }
        }
        self.dirty |= before != self.health;
    }
}

impl Health {
    /// As it is stored: JSON, or nothing where nothing is wrong, as with most accounts at most times.
    pub(super) fn stored(&self) -> String {
        if *self == Health::default() { String::new() } else { serde_json::to_string(self).unwrap_or_default() }
    }

    /// From what was stored.
    pub(super) fn restored(stored: &str) -> Health {
        json::read(stored).unwrap_or_default()
    }

    /// Cools a well account; what is worse stays. Of two cool-downs the later end counts, since neither the upstream's word
    /// nor a failure is taken back by the other; and a trial to come stays.
    fn cool(&mut self, until: Millis, trial: bool, reason: &str) {
        match &mut self.condition {
            Condition::Ready | Condition::Trial { .. } => {
                self.condition = Condition::Cooling { until, trial, reason: reason.to_owned() };
            }
            Condition::Cooling { until: end, trial: is_tried, reason: cause } => {
                *is_tried |= trial;
                if *end < until {
                    *end = until;
                    reason.clone_into(cause);
                }
            }
            _ => {}
        }
    }
}

fn doubled(first: Millis, times: u32, most: Millis) -> Millis {
    first.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX)).min(most)
}
