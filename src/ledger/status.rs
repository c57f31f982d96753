//! What an operator sees of the ledger.
use serde::{Deserialize, Serialize};

use super::account::{Account, Cause, Condition, Standing};
use super::admission::Earliest;
use super::candidates::Candidate;
use super::clock::{Calendar, Millis};
use super::meter::{Gate, Meter};
use super::protocol::AdmitRequest;
use super::state::{Client, Ledger};
use crate::config::Limits;

/// The whole ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// All accounts.
    pub accounts: Vec<AccountStatus>,
    /// All client keys.
    pub keys: Vec<KeyStatus>,
    /// Callers in the queue.
    pub waiting: usize,
}

/// One account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Its id.
    pub id: String,
    /// Its upstream.
    pub upstream: String,
    /// Whether the configuration has it switched on.
    pub enabled: bool,
    /// Whether it can take a call now.
    pub available: bool,
    /// `ready`, `busy`, `limited`, `cooling`, `trial`, `parked`, `needs_login`, `disabled` or `off`.
    pub state: String,
    /// Why, as a code.
    pub code: Option<String>,
    /// Why, in plain words.
    pub reason: Option<String>,
    /// When that ends, in Unix milliseconds.
    pub until_ms: Option<u64>,
    /// Calls in flight.
    pub in_flight: u64,
    /// What it may do.
    pub limits: Limits,
    /// What it did.
    pub usage: Usage,
    /// When it was last used, in Unix milliseconds.
    pub last_used_ms: Option<u64>,
    /// Failures in a row.
    pub error_count: u32,
}

/// One client key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyStatus {
    /// Its id.
    pub id: String,
    /// Calls in flight.
    pub in_flight: u64,
    /// What it may do.
    pub limits: Limits,
    /// What it did.
    pub usage: Usage,
}

/// What counts towards limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Calls of the last 60 seconds.
    pub rpm: u64,
    /// Calls of the day.
    pub rpd: u64,
    /// Tokens used in the last 60 seconds, and reserved.
    pub tpm: u64,
    /// Calls since the count was last reset.
    pub uses: u64,
}

/// Why a request would be served as it would. Nothing is sent, and nothing changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// The account that would serve now.
    pub serves: Option<String>,
    /// How long the request would wait at least, where time alone decides.
    pub wait_ms: Option<u64>,
    /// What stands in the way.
    pub obstacle: Option<String>,
    /// Every account that was considered.
    pub considered: Vec<Considered>,
}

impl Status {
    /// Of the parts of a ledger that is split. A key is counted in its home, where its limits are; elsewhere it has none.
    pub fn merge(parts: Vec<Status>) -> Status {
        let mut merged = Status { accounts: Vec::new(), keys: Vec::new(), waiting: 0 };
        for part in parts {
            merged.waiting = merged.waiting.saturating_add(part.waiting);
            merged.accounts.extend(part.accounts.into_iter().filter(|account| !account.id.is_empty()));
            for key in part.keys {
                match merged.keys.iter_mut().find(|known| known.id == key.id) {
                    None => merged.keys.push(key),
                    Some(known) if known.limits == Limits::default() && key.limits != Limits::default() => *known = key,
                    Some(known) if key.limits == known.limits => known.add(&key),
                    Some(_) => {}
                }
            }
        }
        merged
    }
}

impl KeyStatus {
    fn of(client: &Client) -> KeyStatus {
        KeyStatus {
            id: client.spec.id.clone(),
            in_flight: client.meter.in_flight,
            limits: client.spec.limits,
            usage: Usage::of(&client.meter),
        }
    }

    fn add(&mut self, other: &KeyStatus) {
        let Usage { rpm, rpd, tpm, uses } = other.usage;
        let sum = |mine: &mut u64, theirs: u64| *mine = mine.saturating_add(theirs);
        sum(&mut self.in_flight, other.in_flight);
        sum(&mut self.usage.rpm, rpm);
        sum(&mut self.usage.rpd, rpd);
        sum(&mut self.usage.tpm, tpm);
        sum(&mut self.usage.uses, uses);
    }
}

impl Explanation {
    /// Of the parts of a ledger that is split, in the order in which a request tries them.
    pub fn merge(parts: Vec<Explanation>) -> Explanation {
        let mut merged = Explanation { serves: None, wait_ms: None, obstacle: None, considered: Vec::new() };
        for part in parts {
            merged.serves = merged.serves.or(part.serves);
            merged.wait_ms = [merged.wait_ms, part.wait_ms].into_iter().flatten().min();
            merged.obstacle = merged.obstacle.or(part.obstacle);
            merged.considered.extend(part.considered);
        }
        if merged.serves.is_some() {
            (merged.wait_ms, merged.obstacle) = (None, None);
        }
        merged
    }
}

/// One account that was considered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// Its id.
    pub id: String,
    /// Its upstream.
    pub upstream: String,
    /// Whether it could serve.
    pub eligible: bool,
    /// Why it could not, as a code.
    pub code: Option<String>,
    /// Why it could not.
    pub passed_over: Option<String>,
    /// When that ends, in Unix milliseconds.
    pub until_ms: Option<u64>,
}

impl Usage {
    fn of(meter: &Meter) -> Usage {
        Usage { rpm: meter.calls.len(), rpd: meter.day_count, tpm: meter.used(), uses: meter.uses }
    }
}

impl Account {
    /// Why it cannot serve, in plain words; without its id.
    pub(super) fn reason(&self, now: Millis) -> Option<String> {
        self.obstacle(now).map(|(_, text)| text)
    }

    /// Why it cannot serve: a code, and plain words, whose part after a colon is the upstream's.
    fn obstacle(&self, now: Millis) -> Option<(String, String)> {
        let told = |code: &str, text: String| Some((code.to_owned(), text));
        if !self.spec.enabled || self.removed {
            return told("off", "switched off".to_owned());
        }
        match (&self.health.condition, self.standing) {
            (Condition::Cooling { reason, .. }, _) => told("cooling", format!("cooling: {reason}")),
            (Condition::Parked { reason, until: Some(until) }, _) => {
                let seconds = until.saturating_sub(now).div_ceil(1_000);
                told("parked", format!("parked for {seconds} s: {reason}"))
            }
            (Condition::Parked { reason, until: None }, _) => {
                told("parked", format!("parked until somebody acts: {reason}"))
            }
            (Condition::NeedsLogin { reason }, _) => told("needs_login", format!("needs a login: {reason}")),
            (Condition::Disabled { reason }, _) => told("disabled", format!("disabled: {reason}")),
            (Condition::Trial { reason }, Standing::Busy) => told("trial", format!("on trial after: {reason}")),
            (_, Standing::Busy) => told("busy", "at its concurrency".to_owned()),
            (_, Standing::Later(_, Cause::Limit(limit)) | Standing::Closed(Cause::Limit(limit))) => {
                told(&format!("limit_{}", limit.name()), format!("at its limit of {}", limit.name()))
            }
            _ => None,
        }
    }

    fn state(&self) -> &'static str {
        if !self.spec.enabled {
            return "off";
        }
        match (&self.health.condition, self.standing) {
            (Condition::Cooling { .. }, _) => "cooling",
            (Condition::Parked { .. }, _) => "parked",
            (Condition::NeedsLogin { .. }, _) => "needs_login",
            (Condition::Disabled { .. }, _) => "disabled",
            (Condition::Trial { .. }, _) => "trial",
            (Condition::Ready, Standing::Busy) => "busy",
            (Condition::Ready, Standing::Eligible(_)) => "ready",
            (Condition::Ready, _) => "limited",
        }
    }

    fn status(&self, now: Millis) -> AccountStatus {
        let (code, reason) = self.obstacle(now).unzip();
        AccountStatus {
            id: self.spec.id.clone(),
            upstream: self.spec.upstream.clone(),
            enabled: self.spec.enabled,
            available: matches!(self.standing, Standing::Eligible(_)),
            state: self.state().to_owned(),
            code,
            reason,
            until_ms: self.until(),
            in_flight: self.meter.in_flight,
            limits: self.spec.limits,
            usage: Usage::of(&self.meter),
            last_used_ms: self.meter.calls.last(),
            error_count: self.health.failures,
        }
    }

    fn considered(&self, now: Millis) -> Considered {
        let (code, passed_over) = self.obstacle(now).unzip();
        Considered {
            id: self.spec.id.clone(),
            upstream: self.spec.upstream.clone(),
            eligible: passed_over.is_none() && matches!(self.standing, Standing::Eligible(_)),
            code,
            passed_over,
            until_ms: self.until(),
        }
    }

    /// As a call's receipt tells it.
    pub(super) fn candidate(&self, now: Millis) -> Candidate {
        let (code, reason) = self.obstacle(now).unzip();
        Candidate { id: self.spec.id.clone(), code, reason, until_ms: self.until() }
    }

    fn until(&self) -> Option<Millis> {
        match self.standing {
            Standing::Later(at, _) => Some(at),
            _ => None,
        }
    }
}

impl<C: Calendar> Ledger<C> {
    /// One key, as of `now`.
    pub fn key_status(&mut self, now: Millis, id: &str) -> Option<KeyStatus> {
        let now = self.advance(now);
        let today = self.today;
        let client = self.clients.get_mut(*self.client_index.get(id)?).filter(|client| !client.removed)?;
        client.meter.roll(now, today);
        Some(KeyStatus::of(client))
    }

    /// Everything, as of `now`.
    pub fn status(&mut self, now: Millis) -> Status {
        let now = self.advance(now);
        let today = self.today;
        for index in 0..self.accounts.len() {
            self.refresh(now, index);
        }
        let keys = self.clients.iter_mut().filter(|client| !client.removed).map(|client| {
            client.meter.roll(now, today);
            KeyStatus::of(client)
        });
        let keys = keys.collect();
        let accounts = self.accounts.iter().filter(|account| !account.removed).map(|account| account.status(now));
        Status { accounts: accounts.collect(), keys, waiting: self.queue.len() }
    }

    /// What would become of `request`. An empty key stands for one without limits.
    pub fn explain(&mut self, now: Millis, request: &AdmitRequest) -> Explanation {
        let now = self.advance(now);
        let pool = self.pool(now, &request.upstreams);
        let key = self.usable_key(now, &request.key);
        let members = self.pools.get(&pool).map(|pool| pool.members.clone()).unwrap_or_default();
        let considered = members.iter().filter_map(|index| self.accounts.get(*index)).map(|account| {
            let told = |code: &str, text: &str| Some((code.to_owned(), text.to_owned()));
            let excluded = request.exclude.contains(&account.spec.id).then(|| told("tried", "was tried")).flatten();
            let tokens = match account.meter.token_gate(now, request.tokens) {
                Gate::Open => None,
                _ => told("limit_tpm", "at its limit of tpm"),
            };
            let considered = account.considered(now);
            let (code, passed_over) = excluded.or(considered.code.zip(considered.passed_over)).or(tokens).unzip();
            Considered { eligible: code.is_none() && considered.eligible, code, passed_over, ..considered }
        });
        let considered: Vec<Considered> = considered.collect();
        let (serves, obstacle) = match key {
            None if !request.key.is_empty() => (None, None),
            key => match self.preview(now, request, key, pool, true) {
                Ok(index) => (Some(index), None),
                Err(obstacle) => (None, Some(obstacle)),
            },
        };
        let (earliest, by_key) = match (&serves, obstacle) {
            (None, Some(obstacle)) => self.earliest(now, request, pool, obstacle),
            _ => (Earliest::Unknown, false),
        };
        let serves = serves.and_then(|index| self.accounts.get(index)).map(|account| account.spec.id.clone());
        let text = match earliest {
            _ if serves.is_some() => None,
            _ if key.is_none() && !request.key.is_empty() => Some("the key is unknown, disabled or expired"),
            _ if by_key => Some("the key is at its own limit"),
            Earliest::At(..) => Some("every account waits for its time"),
            Earliest::Unknown => Some("every account is busy"),
            Earliest::Exhausted => Some("every account was tried"),
            Earliest::Never => Some("no account is open"),
        };
        let wait_ms = match earliest {
            Earliest::At(at, _) => Some(at.saturating_sub(now)),
            _ => serves.is_some().then_some(0),
        };
        Explanation { serves, wait_ms, obstacle: text.map(str::to_owned), considered }
    }
}
