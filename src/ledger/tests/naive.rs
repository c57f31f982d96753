//! The naive model: every call ever admitted, in a list.
use std::collections::BTreeMap;

use super::*;
use crate::ledger::account::{Condition, Standing};
use protocol::Refusal;

const MINUTE: Millis = 60_000;

struct Call {
    lease: String,
    account: String,
    key: String,
    at: Millis,
    expires: Millis,
    unconfirmed: bool,
    reserved: u64,
    key_reserved: u64,
    /// When it ended, and the tokens it used.
    settled: Option<(Millis, u64)>,
    withdrawn: bool,
}

#[derive(Default)]
pub(super) struct Model {
    calls: Vec<Call>,
    accounts: Vec<AccountSpec>,
    keys: Vec<KeySpec>,
    settings: Settings,
    waiting: Vec<(Millis, AdmitRequest)>,
}

impl Model {
    pub(super) fn configure(&mut self, view: &LedgerView) {
        self.accounts = view.accounts.clone();
        self.keys = view.keys.clone();
        self.settings = view.settings.clone();
    }

    fn calls_of<'a>(&'a self, owner: Owner, id: &'a str) -> impl Iterator<Item = &'a Call> {
        self.calls.iter().filter(move |call| {
            !call.withdrawn && if owner == Owner::Account { call.account == id } else { call.key == id }
        })
    }

    fn used(&self, now: Millis, owner: Owner, id: &str) -> u64 {
        let reserved = |call: &Call| if owner == Owner::Account { call.reserved } else { call.key_reserved };
        let tokens = |call: &Call| match call.settled {
            Some((at, tokens)) => {
                if at + MINUTE > now {
                    tokens
                } else {
                    0
                }
            }
            None => reserved(call),
        };
        self.calls_of(owner, id).map(tokens).sum()
    }

    /// Whether the limits of an account or key let one more call through, its tokens aside.
    fn open(&self, now: Millis, owner: Owner, id: &str, limits: &Limits) -> bool {
        let today = Day::utc(now);
        let count = |test: &dyn Fn(&Call) -> bool| self.calls_of(owner, id).filter(|call| test(call)).count() as u64;
        let below = |limit: Option<u64>, count: u64| limit.is_none_or(|limit| count < limit);
        let last = self.calls_of(owner, id).map(|call| call.at).max();
        limits.tpm != Some(0)
            && below(limits.concurrency, count(&|call| call.settled.is_none()))
            && below(limits.rpm, count(&|call| call.at + MINUTE > now))
            && below(limits.rpd, count(&|call| today.contains(call.at)))
            && below(limits.max_uses, count(&|_| true))
            && limits.min_gap_ms.zip(last).is_none_or(|(gap, last)| now >= last + gap)
    }

    fn has_room(&self, now: Millis, owner: Owner, id: &str, limits: &Limits, tokens: u64) -> bool {
        let used = self.used(now, owner, id);
        limits.tpm.is_none_or(|limit| used == 0 || used + tokens.max(1) <= limit)
    }

    /// The accounts that could take a request, its tokens aside. What is wrong with one is the ledger's own word.
    fn eligible<'a>(&'a self, now: Millis, request: &'a AdmitRequest, ledger: &'a Ledger<Utc>) -> Vec<&'a AccountSpec> {
        let well = |spec: &AccountSpec| {
            let account = &ledger.accounts[ledger.account_index[&spec.id]];
            match &account.health.condition {
                Condition::Ready => true,
                Condition::Trial { .. } => self.calls_of(Owner::Account, &spec.id).all(|call| call.settled.is_some()),
                Condition::Cooling { until, .. } | Condition::Parked { until: Some(until), .. } => *until <= now,
                _ => false,
            }
        };
        let specs = self.accounts.iter().filter(|spec| {
            spec.enabled
                && request.upstreams.contains(&spec.upstream)
                && !request.exclude.contains(&spec.id)
                && self.open(now, Owner::Account, &spec.id, &spec.limits)
        });
        specs.filter(|spec| well(spec)).collect()
    }

    fn key(&self, id: &str) -> Option<&KeySpec> {
        self.keys.iter().find(|key| key.id == id && key.enabled)
    }

    fn key_is_open(&self, now: Millis, key: &KeySpec, tokens: u64) -> bool {
        self.open(now, Owner::Key, &key.id, &key.limits) && self.has_room(now, Owner::Key, &key.id, &key.limits, tokens)
    }

    /// Somebody who waits for the same pool lacks only tokens, so that nobody may overtake.
    fn is_held(&self, now: Millis, pool: &AdmitRequest, ledger: &Ledger<Utc>) -> bool {
        let same = |one: &AdmitRequest| {
            let sorted = |request: &AdmitRequest| {
                let mut names = request.upstreams.clone();
                names.sort();
                names
            };
            sorted(one) == sorted(pool)
        };
        self.waiting.iter().any(|(_, waiter)| {
            let eligible = self.eligible(now, waiter, ledger);
            let room = |spec: &&AccountSpec| self.has_room(now, Owner::Account, &spec.id, &spec.limits, waiter.tokens);
            let key = self.key(&waiter.key).is_some_and(|key| self.key_is_open(now, key, waiter.tokens));
            same(waiter) && key && !eligible.is_empty() && !eligible.iter().any(room)
        })
    }

    pub(super) fn check_admission(
        &mut self,
        now: Millis,
        request: &AdmitRequest,
        answer: &Admission,
        ledger: &Ledger<Utc>,
    ) {
        let Some(key) = self.key(&request.key) else {
            assert!(matches!(answer, Admission::Refused(Refusal { reason: Reason::KeyRevoked, .. })), "{answer:?}");
            return;
        };
        let key_open = self.key_is_open(now, key, request.tokens);
        match answer {
            Admission::Granted(grant) => {
                assert!(key_open, "the key was at its limit");
                assert_eq!(grant.waited_ms, 0);
                self.admit(now, request, grant);
            }
            Admission::Waiting | Admission::Refused(_) => {
                let held = self.is_held(now, request, ledger);
                let room =
                    |spec: &&AccountSpec| self.has_room(now, Owner::Account, &spec.id, &spec.limits, request.tokens);
                let could = self.eligible(now, request, ledger).into_iter().any(|spec| room(&spec));
                assert!(held || !key_open || !could, "{request:?} could have been served: {answer:?}");
                if *answer == Admission::Waiting {
                    self.waiting.push((now, request.clone()));
                }
            }
        }
    }

    pub(super) fn check_woken(&mut self, now: Millis, woken: &Woken) {
        let at = self
            .waiting
            .iter()
            .position(|(_, waiter)| waiter.ticket == woken.ticket)
            .expect("nobody is woken who does not wait");
        let (since, request) = self.waiting.remove(at);
        match &woken.result {
            Ok(grant) => {
                assert!(grant.confirm);
                let earlier = self.waiting.iter().any(|(other, waiter)| {
                    let alike = |one: &AdmitRequest| (one.key.clone(), one.upstreams.clone(), one.exclude.clone());
                    *other < since && alike(waiter) == alike(&request) && waiter.tokens <= request.tokens
                });
                assert!(!earlier, "first come, first served, within a key");
                self.admit(now, &request, grant);
            }
            Err(refusal) if refusal.reason == Reason::QueueFull => assert!(now >= since + self.settings.max_wait_ms),
            Err(_) => {}
        }
    }

    /// Records a grant, after checking every limit for it.
    fn admit(&mut self, now: Millis, request: &AdmitRequest, grant: &Grant) {
        let spec = self.accounts.iter().find(|spec| spec.id == grant.account).expect("a configured account").clone();
        assert!(spec.enabled && request.upstreams.contains(&spec.upstream) && !request.exclude.contains(&spec.id));
        self.expire_before(now);
        assert!(self.open(now, Owner::Account, &spec.id, &spec.limits), "{grant:?} is over a limit of {spec:?}");
        let used = self.used(now, Owner::Account, &spec.id);
        assert!(
            self.has_room(now, Owner::Account, &spec.id, &spec.limits, request.tokens),
            "{request:?} over the tpm of {spec:?}, {used} used"
        );
        let key = self.key(&request.key).expect("a usable key").clone();
        assert!(self.key_is_open(now, &key, request.tokens), "over the key's limit");
        let life = if grant.confirm { self.settings.confirm_ms } else { self.settings.lease_ms };
        self.calls.push(Call {
            lease: grant.lease.clone(),
            account: grant.account.clone(),
            key: request.key.clone(),
            at: now,
            expires: now + life,
            unconfirmed: grant.confirm,
            reserved: request.tokens.min(spec.limits.tpm.unwrap_or(u64::MAX)),
            key_reserved: request.tokens.min(key.limits.tpm.unwrap_or(u64::MAX)),
            settled: None,
            withdrawn: false,
        });
    }

    fn expire_before(&mut self, now: Millis) {
        for call in
            self.calls.iter_mut().filter(|call| call.settled.is_none() && !call.withdrawn && call.expires <= now)
        {
            if call.unconfirmed {
                call.withdrawn = true;
            } else {
                call.settled = Some((now, call.reserved.max(call.key_reserved)));
            }
        }
    }

    pub(super) fn expire(&mut self, now: Millis, _ledger: &Ledger<Utc>) {
        self.expire_before(now);
    }

    pub(super) fn settle(&mut self, now: Millis, lease: &str, outcome: &Outcome) {
        let call = self.calls.iter_mut().find(|call| call.lease == lease).expect("known");
        match outcome {
            Outcome::Unused => call.withdrawn = true,
            Outcome::Success { usage } | Outcome::Cancelled { usage } => {
                let tokens = usage.map_or(call.reserved.max(call.key_reserved), |usage| usage.total());
                call.settled = Some((now, tokens));
            }
            _ => call.settled = Some((now, 0)),
        }
    }

    pub(super) fn renew(&mut self, now: Millis, lease: &str) {
        let expires = now + self.settings.lease_ms;
        let call = self.calls.iter_mut().find(|call| call.lease == lease).expect("known");
        (call.expires, call.unconfirmed) = (expires, false);
    }

    pub(super) fn cancel(&mut self, ticket: &str, cancelled: bool) {
        assert!(cancelled, "a waiter can give up its place");
        self.waiting.retain(|(_, waiter)| waiter.ticket != ticket);
    }

    pub(super) fn all_open(&self) -> Vec<String> {
        let open = self.calls.iter().filter(|call| call.settled.is_none() && !call.withdrawn);
        open.map(|call| call.lease.clone()).collect()
    }

    pub(super) fn pick_open(&self, random: &mut fastrand::Rng) -> Option<String> {
        random.choice(self.all_open())
    }

    pub(super) fn pick_waiter(&self, random: &mut fastrand::Rng) -> Option<String> {
        random.choice(self.waiting.iter()).map(|(_, waiter)| waiter.ticket.clone())
    }

    /// What must hold after every event.
    pub(super) fn check(&mut self, now: Millis, ledger: &Ledger<Utc>) {
        assert_eq!(ledger.queue.len(), self.waiting.len());
        for spec in &self.accounts {
            let account = &ledger.accounts[ledger.account_index[&spec.id]];
            let open = self.calls_of(Owner::Account, &spec.id).filter(|call| call.settled.is_none()).count() as u64;
            assert_eq!(account.meter.in_flight, open, "{}", spec.id);
            let request = AdmitRequest { upstreams: vec![spec.upstream.clone()], ..AdmitRequest::default() };
            let eligible = self.eligible(now, &request, ledger).iter().any(|other| other.id == spec.id);
            if !account.pools.is_empty() {
                assert_eq!(matches!(account.standing, Standing::Eligible(_)), eligible, "{spec:?} {account:?}");
            }
        }
        for (_, waiter) in &self.waiting {
            let Some(key) = self.key(&waiter.key) else { panic!("a waiter without a key") };
            let room = |spec: &AccountSpec| self.has_room(now, Owner::Account, &spec.id, &spec.limits, waiter.tokens);
            let could = self.eligible(now, waiter, ledger).into_iter().any(room);
            let starved = could && self.key_is_open(now, key, waiter.tokens) && !self.is_held(now, waiter, ledger);
            assert!(!starved, "{waiter:?} waits beside an account that could serve it");
        }
    }
}

/// What SQLite keeps, in memory.
#[derive(Default)]
pub(super) struct Store {
    calls: BTreeMap<u64, CallRow>,
    totals: BTreeMap<(Owner, String), TotalsRow>,
}

impl Store {
    pub(super) fn save(&mut self, records: &[Record]) {
        for record in records {
            match record.clone() {
                Record::Call(row) => drop(self.calls.insert(row.seq, row)),
                Record::Renewed { seq, expires_ms } => {
                    if let Some(row) = self.calls.get_mut(&seq) {
                        (row.expires_ms, row.unconfirmed) = (expires_ms, false);
                    }
                }
                Record::Settled { seq, settled_ms, tokens } => {
                    if let Some(row) = self.calls.get_mut(&seq) {
                        (row.settled_ms, row.tokens) = (Some(settled_ms), tokens);
                    }
                }
                Record::Withdrawn { seq } => drop(self.calls.remove(&seq)),
                Record::Totals(row) => drop(self.totals.insert((row.owner, row.id.clone()), row)),
                Record::Forget { settled_before_ms } => {
                    self.calls.retain(|_, row| row.settled_ms.is_none_or(|at| at >= settled_before_ms));
                }
            }
        }
    }

    pub(super) fn stored(&self) -> Stored {
        Stored { calls: self.calls.values().cloned().collect(), totals: self.totals.values().cloned().collect() }
    }
}
