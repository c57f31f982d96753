//! Random lives of a ledger beside a model that knows its health and its choices too, not only its limits.
use std::collections::BTreeSet;

use fastrand::Rng;

use super::model::{Model, Waiting};
use super::store::Store;
use super::*;
use crate::ledger::account::Condition;

const LIVES: u64 = 300;
const EVENTS: usize = 400;

struct Life {
    ledger: Ledger<Utc>,
    model: Model,
    store: Store,
    view: LedgerView,
    random: Rng,
    tickets: u64,
    /// Waiters who were answered.
    woken: usize,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut life = Life {
            ledger: Ledger::new(Utc, seed),
            model: Model::default(),
            store: Store::default(),
            view: LedgerView::default(),
            random: Rng::with_seed(seed),
            tickets: 0,
            woken: 0,
        };
        life.model.now = START - life.random.u64(0..300_000);
        life.view = life.some_view();
        life.reconfigure();
        life
    }

    fn chance(&mut self, in_a_hundred: u32) -> bool {
        self.random.u32(0..100) < in_a_hundred
    }

    fn some_limits(&mut self, often: u32, gap: u64) -> Limits {
        let mut some = |least: u64, most: u64| {
            let limited = self.random.u32(0..100) < often;
            let blocked = self.random.u32(0..100) == 0;
            limited.then(|| if blocked { 0 } else { self.random.u64(least..=most) })
        };
        Limits {
            concurrency: some(1, 4),
            rpm: some(1, 8),
            rpd: some(5, 60),
            tpm: some(100, 2_000),
            min_gap_ms: some(0, gap),
            max_uses: some(20, 150),
        }
    }

    fn some_view(&mut self) -> LedgerView {
        let settings = Settings {
            max_waiting: self.random.usize(1..12),
            max_wait_ms: [0, 2_000, 30_000, 90_000][self.random.usize(0..4)],
            lease_ms: [4_000, 120_000][self.random.usize(0..2)],
            confirm_ms: 1_500,
            sticky_s: [20, 100_000][self.random.usize(0..2)],
            cooling: Cooling {
                failures: self.random.u32(1..4),
                min_ms: 3_000,
                max_ms: 50_000,
                retry_after_max_ms: 60_000,
                ..Cooling::default()
            },
            ..Settings::default()
        };
        let mut view = LedgerView { version: self.view.version + 1, settings, ..LedgerView::default() };
        for number in 0..7 {
            if self.chance(85) {
                // Now and then a gap longer than the window of calls.
                let gap = if self.chance(10) { 150_000 } else { 2_000 };
                view.accounts.push(AccountSpec {
                    id: format!("a{number}"),
                    upstream: format!("u{}", number % 3),
                    limits: self.some_limits(45, gap),
                    weight: self.random.u32(1..4),
                    priority: self.random.i32(0..2),
                    enabled: self.chance(95),
                    sealed: format!("secret {}", self.random.u32(0..2)),
                });
            }
        }
        for number in 0..4 {
            if self.chance(90) {
                let soon = self.chance(15).then(|| self.model.now + self.random.u64(0..100_000));
                view.keys.push(KeySpec {
                    id: format!("k{number}"),
                    limits: self.some_limits(20, 4_000),
                    enabled: self.chance(95),
                    expires_at_ms: soon,
                });
            }
        }
        view
    }

    fn some_request(&mut self) -> AdmitRequest {
        self.tickets += 1;
        let upstreams = [&["u0"][..], &["u1"], &["u0", "u2"], &["u0", "u1", "u2"], &["u2"]][self.random.usize(0..5)];
        let exclude = (0..7).filter(|_| self.random.u32(0..100) < 6).map(|number| format!("a{number}")).collect();
        AdmitRequest {
            ticket: format!("t{}", self.tickets),
            key: format!("k{}", self.random.u32(0..4)),
            upstreams: upstreams.iter().map(|name| (*name).to_owned()).collect(),
            exclude,
            conversation: self.chance(30).then(|| format!("c{}", self.random.u32(0..4))),
            tokens: if self.chance(50) { 0 } else { self.random.u64(1..1_200) },
            ..AdmitRequest::default()
        }
    }

    fn some_outcome(&mut self) -> Outcome {
        let cause = "it failed".to_owned();
        let tokens = self.random.u64(0..700);
        let usage = Tokens { prompt: tokens, completion: tokens / 3, ..Tokens::default() };
        let usage = self.chance(80).then_some(usage);
        match self.random.u32(0..100) {
            0..50 => Outcome::Success { usage },
            50..55 => Outcome::CallerError,
            55..62 => Outcome::Cancelled { usage },
            62..70 => Outcome::Unused,
            70..74 => Outcome::RateLimited { retry_after_ms: None },
            74..78 => Outcome::RateLimited { retry_after_ms: Some(self.random.u64(1..90_000)) },
            78..95 => Outcome::Failure { cause },
            95 => Outcome::InvalidCredential { cause },
            96 => Outcome::NeedsLogin { cause },
            97 => Outcome::Parked { cause, until_ms: None },
            _ => Outcome::Parked { cause, until_ms: Some(self.model.now + self.random.u64(1..100_000)) },
        }
    }

    fn reconfigure(&mut self) {
        self.ledger.configure(self.model.now, self.view.clone());
        self.model.configure(self.view.clone());
        self.model.advance(self.model.now);
        self.settle_down();
    }

    /// Goes on to `now`, by way of the last moment before the next alarm, at which nothing may happen.
    fn go(&mut self, now: Millis) {
        if let Some(alarm) = self.ledger.next_alarm() {
            assert!(alarm > self.model.now, "an alarm that is due already");
            if alarm <= now && alarm - 1 > self.model.now {
                self.model.advance(alarm - 1);
                assert_eq!(self.ledger.wake(alarm - 1), [], "something was due before the alarm");
                self.check_queue();
            }
        }
        self.model.advance(now);
        self.settle_down();
    }

    /// Does what is due, and checks that nothing is left.
    fn settle_down(&mut self) {
        for woken in self.ledger.wake(self.model.now) {
            self.woken += 1;
            let waiting = self.model.leaves(&woken.ticket, woken.result.is_ok());
            match &woken.result {
                Ok(grant) => self.model.granted(&waiting.request, grant, true),
                Err(refusal) => self.model.waiter_refused(&waiting, refusal),
            }
        }
        self.store.save(&self.ledger.take_records());
        self.check_queue();
    }

    /// No waiter is starved: whoever could be served stands behind one who lacks only tokens.
    fn check_queue(&self) {
        assert_eq!(self.ledger.queue.len(), self.model.waiting.len());
        let mut held: Vec<&[String]> = Vec::new();
        for place in self.ledger.queue.places() {
            let ticket = &self.ledger.queue.get(place).unwrap().request.ticket;
            let waiting = self.model.waiting.iter().find(|waiting| waiting.request.ticket == *ticket).unwrap();
            let request = &waiting.request;
            assert!(waiting.deadline > self.model.now, "nobody told it that its time is over");
            assert!(!self.model.is_closed(request), "waits for what cannot come: {request:?}");
            let can = self.model.key_open(request) && !self.model.eligible(request).0.is_empty();
            assert!(!can || held.contains(&request.upstreams.as_slice()), "starved: {request:?}");
            if self.model.holds(request) {
                held.push(&request.upstreams);
            }
        }
    }

    fn is_held(&self, request: &AdmitRequest) -> bool {
        let mut rivals = self.model.waiting.iter().filter(|waiting| waiting.request.upstreams == request.upstreams);
        rivals.any(|waiting| self.model.holds(&waiting.request))
    }

    fn admit(&mut self, request: &AdmitRequest) -> Admission {
        let now = self.model.now;
        let admission = self.ledger.admit(now, request);
        let usable = self.model.key_usable(&request.key);
        let can = usable && self.model.key_open(request) && !self.model.eligible(request).0.is_empty();
        let settings = &self.model.settings;
        let is_full = settings.max_wait_ms == 0 || self.model.waiting.len() >= settings.max_waiting;
        match &admission {
            Admission::Granted(grant) => {
                assert!(!self.is_held(request), "overtook a waiter who lacks only tokens");
                self.model.granted(request, grant, false);
            }
            _ if can && !self.is_held(request) => panic!("{request:?} could have been served: {admission:?}"),
            Admission::Waiting => {
                assert!(usable && !is_full && !self.model.is_closed(request));
                let deadline = (now + settings.max_wait_ms).min(self.model.key_ends(&request.key));
                self.model.waiting.push(Waiting { request: request.clone(), deadline });
            }
            Admission::Refused(refusal) => {
                assert_eq!(refusal.reason == Reason::KeyRevoked, !usable);
                match (refusal.reason, refusal.retry_after_ms) {
                    (Reason::NoAccount | Reason::DailyLimit, None) => assert!(self.model.is_closed(request)),
                    (Reason::Exhausted, _) => assert!(!request.exclude.is_empty()),
                    (Reason::QueueFull, _) => assert!(is_full),
                    _ => {}
                }
            }
        }
        self.settle_down();
        admission
    }

    fn settle(&mut self, lease: &str, outcome: &Outcome) {
        let real = self.ledger.settle(self.model.now, lease, outcome);
        let accounts = &self.ledger.accounts;
        let cooling = |id: &str| {
            let account = accounts.iter().find(|account| account.spec.id == id)?;
            match account.health.condition {
                Condition::Cooling { until, .. } => Some(until),
                _ => None,
            }
        };
        assert_eq!(real, self.model.settle(lease, outcome, cooling), "settled {lease}");
        self.settle_down();
    }

    /// Any call that was ever made; mostly one in flight.
    fn some_lease(&mut self) -> Option<String> {
        let any = self.chance(5);
        let calls = self.model.calls.iter().filter(|call| any || call.is_open());
        self.random.choice(calls.map(|call| call.lease.clone()).collect::<Vec<_>>())
    }

    fn some_time(&mut self) -> Millis {
        let now = self.model.now;
        match self.random.u32(0..1_000) {
            0..350 => now,
            350..750 => now + self.random.u64(1..800),
            750..850 => now + self.random.u64(800..15_000),
            850..870 => now + 60_000,
            870..890 => now + self.random.u64(15_000..200_000),
            890..895 => Day::utc(now).end - 1,
            895..898 => Day::utc(now).end + self.random.u64(0..100),
            _ => self.ledger.next_alarm().unwrap_or(now),
        }
    }

    fn event(&mut self) {
        let now = self.some_time();
        self.go(now);
        match self.random.u32(0..1_000) {
            0..480 => {
                let request = self.some_request();
                self.admit(&request);
            }
            480..830 => {
                let outcome = self.some_outcome();
                if let Some(lease) = self.some_lease() {
                    self.settle(&lease, &outcome);
                }
            }
            830..900 => {
                if let Some(lease) = self.some_lease() {
                    assert_eq!(self.ledger.renew(self.model.now, &lease), self.model.renew(&lease), "renewed {lease}");
                }
            }
            900..950 => {
                let ticket = self.random.choice(&self.model.waiting).map(|one| one.request.ticket.clone());
                if let Some(ticket) = ticket {
                    self.cancel(&ticket);
                }
            }
            950..960 => {
                self.view = self.some_view();
                self.reconfigure();
            }
            // As an operator would: one small change.
            960..968 => {
                let limits = self.some_limits(45, 2_000);
                if let Some(account) = self.random.choice(&mut self.view.accounts) {
                    (account.limits, account.enabled) = (limits, true);
                }
                self.reconfigure();
            }
            968..970 => self.restart(),
            _ => self.compare_status(),
        }
        self.settle_down();
    }

    /// Dies, and lives on with what was stored. Who waited is gone, and who served a conversation is forgotten.
    fn restart(&mut self) {
        self.nobody_waits();
        self.model.sticky.clear();
        self.ledger = self.reborn();
    }

    fn cancel(&mut self, ticket: &str) {
        self.model.leaves(ticket, false);
        assert!(self.ledger.cancel(self.model.now, ticket));
        assert!(!self.ledger.cancel(self.model.now, ticket));
        self.settle_down();
    }

    fn compare_status(&mut self) {
        let status = self.ledger.status(self.model.now);
        assert_eq!(status.waiting, self.model.waiting.len());
        assert_eq!(status.accounts.len(), self.model.accounts.len());
        for account in &status.accounts {
            let model = self.model.account(&account.id).unwrap();
            assert_eq!(account.in_flight, self.model.in_flight(&account.id), "in flight at {}", account.id);
            assert_eq!(account.usage, self.model.usage(&account.id), "usage of {}", account.id);
            assert_eq!(account.available, self.model.is_ready(model), "{account:?} is {model:?}");
        }
        for key in &status.keys {
            assert_eq!(key.in_flight, self.model.in_flight(&key.id), "in flight of {}", key.id);
            assert_eq!(key.usage, self.model.usage(&key.id), "usage of {}", key.id);
        }
    }

    fn reborn(&self) -> Ledger<Utc> {
        let mut reborn = Ledger::new(Utc, 0);
        reborn.configure(self.model.now, self.view.clone());
        reborn.restore(self.model.now, &self.store.stored());
        reborn
    }

    /// A ledger that was born again has the whole status of the living one, and knows all its leases.
    fn compare_reborn(&mut self) {
        let now = self.model.now;
        let mut reborn = self.reborn();
        let [old, new] = [self.ledger.status(now), reborn.status(now)];
        for old in &old.accounts {
            let new = new.accounts.iter().find(|new| new.id == old.id);
            assert_eq!(format!("{:?}", Some(old)), format!("{new:?}"), "after a restart");
        }
        for old in &old.keys {
            let new = new.keys.iter().find(|new| new.id == old.id);
            assert_eq!(format!("{:?}", Some(old)), format!("{new:?}"), "after a restart");
        }
        for call in self.model.calls.iter().filter(|call| call.is_open()) {
            assert!(reborn.settle(now, &call.lease, &Outcome::CallerError), "forgot the lease {call:?}");
        }
        no_slot_is_lost(&mut reborn, now);
    }

    fn nobody_waits(&mut self) {
        while let Some(waiting) = self.model.waiting.first() {
            let ticket = waiting.request.ticket.clone();
            self.cancel(&ticket);
        }
    }

    /// Until nobody calls and nobody waits.
    fn rest(&mut self) {
        self.nobody_waits();
        while let Some(call) = self.model.calls.iter().find(|call| call.is_open()) {
            let lease = call.lease.clone();
            self.settle(&lease, &Outcome::CallerError);
        }
    }

    /// A refused caller who comes back at the time it was told is served, and not a millisecond before. How many were.
    fn probe(mut self) -> usize {
        self.rest();
        self.view.settings.max_wait_ms = 0;
        self.reconfigure();
        let mut told = 0;
        for _ in 0..12 {
            self.rest();
            let request = self.some_request();
            let Admission::Refused(refusal) = self.admit(&request) else { continue };
            let (Reason::RateLimited | Reason::DailyLimit | Reason::KeyLimit, Some(wait)) =
                (refusal.reason, refusal.retry_after_ms)
            else {
                continue;
            };
            let then = self.model.now + wait;
            let lives = |key: &KeySpec| key.id == request.key && key.expires_at_ms.is_none_or(|end| end > then);
            if !self.view.keys.iter().any(lives) {
                continue;
            }
            self.go(then - 1);
            assert!(matches!(self.admit(&request), Admission::Refused(_)), "sooner than told: {refusal:?} {request:?}");
            self.go(then);
            let again = self.admit(&request);
            assert!(matches!(again, Admission::Granted(_)), "{again:?} after {refusal:?} {request:?}");
            told += 1;
        }
        told
    }
}

fn no_slot_is_lost(ledger: &mut Ledger<Utc>, now: Millis) {
    let status = ledger.status(now);
    assert!(status.accounts.iter().all(|account| account.in_flight == 0), "{status:?}");
    assert!(status.keys.iter().all(|key| key.in_flight == 0), "{status:?}");
    assert!(ledger.leases.is_empty() && ledger.expiries.is_empty());
}

/// Says which life failed, so that it can be replayed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the life of seed {}", self.0);
        }
    }
}

fn live(seed: u64, mut each: impl FnMut(&mut Life, usize)) -> Life {
    let _seed = Seed(seed);
    let mut life = Life::new(seed);
    for event in 0..EVENTS {
        life.event();
        each(&mut life, event);
    }
    life
}

#[test]
fn health_choice_and_alarms_are_as_the_model_says() {
    let [mut granted, mut woken] = [0, 0];
    for seed in 0..LIVES {
        let mut life = live(seed, |_, _| {});
        let _seed = Seed(seed);
        granted += life.model.calls.len();
        woken += life.woken;
        life.compare_status();
        life.rest();
        life.compare_status();
        no_slot_is_lost(&mut life.ledger, life.model.now);
    }
    // Else the lives were too dull to show anything.
    assert!(granted > 20_000 && woken > 3_000, "granted {granted}, woken {woken}");
}

#[test]
fn leases_that_nobody_settles_expire() {
    for seed in 0..40 {
        let mut life = live(seed, |_, _| {});
        for _ in 0..5_000 {
            let Some(alarm) = life.ledger.next_alarm() else { break };
            life.go(alarm);
        }
        assert!(life.model.waiting.is_empty());
        no_slot_is_lost(&mut life.ledger, life.model.now);
    }
}

#[test]
fn a_restart_loses_nothing_that_status_shows() {
    for seed in 0..LIVES / 2 {
        live(seed, |life, event| {
            if event % 23 == 22 {
                life.compare_reborn();
            }
        });
    }
}

#[test]
fn of_who_is_gone_nothing_is_left_once_its_day_is_over() {
    let mut forgotten = 0;
    for seed in 0..LIVES / 3 {
        let mut life = live(seed, |_, _| {});
        let _seed = Seed(seed);
        forgotten += life.model.forgotten;
        life.rest();
        life.go(Day::utc(life.model.now).end + 2 * 60_000);
        let ids = |owner: Owner| match owner {
            Owner::Account => life.view.accounts.iter().map(|spec| spec.id.clone()).collect::<BTreeSet<_>>(),
            Owner::Key => life.view.keys.iter().map(|spec| spec.id.clone()).collect(),
        };
        let ledger = &life.ledger;
        for (owner, known, index) in [
            (Owner::Account, ledger.accounts.len() - ledger.free_accounts.len(), &ledger.account_index),
            (Owner::Key, ledger.clients.len() - ledger.free_clients.len(), &ledger.client_index),
        ] {
            assert_eq!(known, ids(owner).len());
            assert_eq!(index.keys().cloned().collect::<BTreeSet<_>>(), ids(owner));
            assert!(life.store.totals_of(owner).all(|id| ids(owner).contains(id)), "a row of somebody who is gone");
        }
        life.compare_reborn();
    }
    assert!(forgotten > 1_000, "only {forgotten} calls were of somebody who came back to begin anew");
}

#[test]
fn a_retry_after_is_true_in_a_ledger_that_has_lived() {
    let probe = |seed| {
        let life = live(seed, |_, _| {});
        let _seed = Seed(seed);
        life.probe()
    };
    let told: usize = (0..LIVES).map(probe).sum();
    assert!(told > 200, "only {told} were told a time");
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let story = |seed| {
        let mut said = Vec::new();
        live(seed, |life, _| said.push(format!("{:?}", life.ledger.status(life.model.now))));
        said
    };
    assert_eq!(story(7), story(7));
}
