//! The ledger against a naive model: a plain list of calls, scanned for every question. Same seed, same run.
mod naive;
mod rules;

use std::collections::BTreeMap;

use super::*;
use crate::chat::{Outcome, Usage as Tokens};
use crate::config::Limits;
use naive::{Model, Store};
use protocol::{AdmitRequest, Grant, Reason};

/// Days of UTC.
pub(super) struct Utc;

impl Calendar for Utc {
    fn day(&self, _zone: &str, now: Millis) -> Day {
        Day::utc(now)
    }
}

/// A minute before a midnight, so that runs cross it.
pub(super) const START: Millis = 1_795_305_540_000;

fn limits(random: &mut fastrand::Rng) -> Limits {
    let mut some = |one_in: u8, most: u64| (random.u8(0..one_in) == 0).then(|| random.u64(1..=most));
    Limits {
        concurrency: some(2, 3),
        rpm: some(2, 6),
        rpd: some(4, 40),
        tpm: some(3, 3_000),
        min_gap_ms: some(4, 3_000),
        max_uses: some(9, 60),
    }
}

fn view(random: &mut fastrand::Rng, version: u64) -> LedgerView {
    let account = |index: usize, random: &mut fastrand::Rng| AccountSpec {
        id: format!("a{index}"),
        upstream: format!("u{}", index % 3),
        limits: limits(random),
        weight: random.u32(1..4),
        priority: random.i32(0..2),
        enabled: random.u8(0..12) > 0,
        sealed: format!("{}", random.u8(0..4)),
    };
    let key = |index: usize, random: &mut fastrand::Rng| KeySpec {
        id: format!("k{index}"),
        limits: if index == 0 { Limits::default() } else { limits(random) },
        enabled: index == 0 || random.u8(0..9) > 0,
        expires_at_ms: None,
    };
    let settings = Settings { max_waiting: 12, max_wait_ms: 20_000, sticky_s: 600, ..Settings::default() };
    let (accounts, keys) = (random.usize(1..9), random.usize(1..4));
    LedgerView {
        version,
        settings,
        accounts: (0..accounts).map(|index| account(index, random)).collect(),
        keys: (0..keys).map(|index| key(index, random)).collect(),
    }
}

fn request(random: &mut fastrand::Rng, ticket: usize) -> AdmitRequest {
    let upstreams: Vec<String> = (0..3).filter(|_| random.bool()).map(|index| format!("u{index}")).collect();
    AdmitRequest {
        ticket: format!("t{ticket}"),
        key: format!("k{}", random.u8(0..4)),
        upstreams: if upstreams.is_empty() { vec!["u0".to_owned()] } else { upstreams },
        exclude: (0..random.u8(0..3)).map(|_| format!("a{}", random.u8(0..9))).collect(),
        conversation: random.bool().then(|| random.u8(0..4).to_string()),
        tokens: random.u64(0..1_500),
        ..AdmitRequest::default()
    }
}

fn outcome(random: &mut fastrand::Rng) -> Outcome {
    let usage = random.bool().then(|| Tokens {
        prompt: random.u64(0..900),
        completion: random.u64(0..900),
        ..Tokens::default()
    });
    let cause = "cause".to_owned();
    match random.u8(0..40) {
        0 => Outcome::RateLimited { retry_after_ms: Some(random.u64(0..9_000)) },
        1 => Outcome::RateLimited { retry_after_ms: None },
        2..=7 => Outcome::Failure { cause },
        8 => Outcome::Parked { cause, until_ms: Some(START + random.u64(0..200_000)) },
        9 => Outcome::CallerError,
        10..=12 => Outcome::Cancelled { usage },
        13..=15 => Outcome::Unused,
        16 if random.u8(0..9) == 0 => Outcome::InvalidCredential { cause },
        _ => Outcome::Success { usage },
    }
}

/// One run of `events` random events, checked after each. Answers what was said, to compare runs.
fn run(seed: u64, events: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ledger = Ledger::new(Utc, seed);
    let (mut model, mut store, mut said) = (Model::default(), Store::default(), Vec::new());
    let mut now = START;
    let first = view(&mut random, 1);
    model.configure(&first);
    ledger.configure(now, first.clone());
    let mut current = first;
    for event in 0..events {
        // Mostly small steps, so that things crowd; now and then a long one, so that windows empty.
        now += match random.u8(0..50) {
            0 => random.u64(0..90_000),
            1..=9 => random.u64(0..4_000),
            _ => random.u64(0..120),
        };
        drain(&mut ledger, &mut model, &mut store, now, &mut said);
        model.expire(now, &ledger);
        match random.u8(0..100) {
            0..=54 => {
                let request = request(&mut random, event);
                let answer = ledger.admit(now, &request);
                model.check_admission(now, &request, &answer, &ledger);
                said.push(format!("{answer:?}"));
            }
            55..=84 => {
                if let Some(lease) = model.pick_open(&mut random) {
                    let outcome = outcome(&mut random);
                    assert!(ledger.settle(now, &lease, &outcome), "an open lease settles");
                    model.settle(now, &lease, &outcome);
                    assert!(!ledger.settle(now, &lease, &outcome), "and only once");
                }
            }
            85..=92 => {
                if let Some(lease) = model.pick_open(&mut random) {
                    assert!(ledger.renew(now, &lease));
                    model.renew(now, &lease);
                }
            }
            93..=95 => {
                if let Some(ticket) = model.pick_waiter(&mut random) {
                    let cancelled = ledger.cancel(now, &ticket);
                    model.cancel(&ticket, cancelled);
                }
            }
            96 => {
                current = view(&mut random, current.version + 1);
                model.configure(&current);
                ledger.configure(now, current.clone());
            }
            97 => {
                drain(&mut ledger, &mut model, &mut store, now, &mut said);
                compare_after_restart(&mut ledger, &store, &current, now);
            }
            _ => {}
        }
        drain(&mut ledger, &mut model, &mut store, now, &mut said);
        model.check(now, &ledger);
    }
    for lease in model.all_open() {
        ledger.settle(now, &lease, &Outcome::CallerError);
    }
    while ledger.has_waiters() {
        now += 30_000;
        for woken in ledger.wake(now) {
            if let Ok(Grant { lease, .. }) = woken.result {
                ledger.settle(now, &lease, &Outcome::Unused);
            }
        }
    }
    let status = ledger.status(now);
    assert!(status.accounts.iter().all(|account| account.in_flight == 0), "no slot is lost");
    assert!(status.keys.iter().all(|key| key.in_flight == 0), "no slot is lost");
    said
}

fn drain(ledger: &mut Ledger<Utc>, model: &mut Model, store: &mut Store, now: Millis, said: &mut Vec<String>) {
    for woken in ledger.wake(now) {
        model.check_woken(now, &woken);
        said.push(format!("{woken:?}"));
    }
    store.save(&ledger.take_records());
}

fn compare_after_restart(living: &mut Ledger<Utc>, store: &Store, view: &LedgerView, now: Millis) {
    let mut risen = Ledger::new(Utc, 0);
    risen.configure(now, view.clone());
    risen.restore(now, &store.stored());
    let counts = |ledger: &mut Ledger<Utc>| -> BTreeMap<String, String> {
        let status = ledger.status(now);
        let accounts = status.accounts.iter().map(|account| {
            (account.id.clone(), format!("{} {:?} {}", account.in_flight, account.usage, account.state))
        });
        let keys = status.keys.iter().map(|key| (key.id.clone(), format!("{} {:?}", key.in_flight, key.usage)));
        accounts.chain(keys).collect()
    };
    assert_eq!(counts(living), counts(&mut risen), "a restart loses nothing");
}

#[test]
fn agrees_with_the_naive_model_over_120_000_random_events() {
    for seed in 0..120 {
        run(seed, 1_000);
    }
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    assert_eq!(run(7, 1_500), run(7, 1_500));
}

#[test]
fn retry_after_is_true_to_the_millisecond() {
    let mut checked = 0;
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut view = view(&mut random, 1);
        view.settings.max_wait_ms = 0;
        view.keys.truncate(1);
        let setup = |now: &mut Millis, random: &mut fastrand::Rng| {
            let mut ledger = Ledger::new(Utc, 1);
            ledger.configure(*now, view.clone());
            for ticket in 0..30 {
                *now += random.u64(0..1_500);
                let request = AdmitRequest { key: "k0".into(), exclude: Vec::new(), ..request(random, ticket) };
                match ledger.admit(*now, &request) {
                    Admission::Granted(grant) => drop(ledger.settle(*now, &grant.lease, &Outcome::CallerError)),
                    Admission::Refused(refusal) => {
                        let timed = matches!(refusal.reason, Reason::RateLimited | Reason::DailyLimit);
                        if let (true, Some(wait)) = (timed, refusal.retry_after_ms) {
                            return (ledger, Some((request, wait)));
                        }
                    }
                    Admission::Waiting => panic!("nobody may wait"),
                }
            }
            (ledger, None)
        };
        let (mut early_now, mut due_now, state) = (START, START, random.clone());
        let (mut early, Some((request, wait))) = setup(&mut early_now, &mut state.clone()) else { continue };
        let (mut due, _) = setup(&mut due_now, &mut state.clone());
        assert!(wait > 0);
        let too_early = early.admit(early_now + wait - 1, &request);
        assert!(!matches!(too_early, Admission::Granted(_)), "seed {seed}: a millisecond too early");
        let in_time = due.admit(due_now + wait, &request);
        assert!(matches!(in_time, Admission::Granted(_)), "seed {seed}: {in_time:?} after {wait}");
        checked += 1;
    }
    assert!(checked > 50, "{checked}");
}
