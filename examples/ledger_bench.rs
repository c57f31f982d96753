//! How many calls a second the pure ledger admits and settles, by the number of accounts: one JSON line per size.
//!
//! `cargo run --release --example ledger_bench [STEPS [ACCOUNTS]]`; `npm run bench` reads its output.
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use weir::chat::{Outcome, Usage};
use weir::config::Limits;
use weir::ledger::protocol::AdmitRequest;
use weir::ledger::{AccountSpec, Admission, Calendar, Day, KeySpec, Ledger, LedgerView, Millis};

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const ROUNDS: usize = 5;
const START: Millis = 1_800_000_000_000;
/// Calls in flight at once.
const IN_FLIGHT: usize = 20;

struct Utc;

impl Calendar for Utc {
    fn day(&self, _zone: &str, now: Millis) -> Day {
        Day::utc(now)
    }
}

fn main() {
    let argument = |index| std::env::args().nth(index).and_then(|text| text.parse::<usize>().ok());
    let steps = argument(1).unwrap_or(200_000);
    let sizes = argument(2).map_or_else(|| SIZES.to_vec(), |size| vec![size]);
    let mut rates = vec![Vec::new(); sizes.len()];
    // The sizes take turns, so that noise hits all of them.
    for _ in 0..ROUNDS {
        for (size, rates) in sizes.iter().zip(&mut rates) {
            rates.push(rate(*size, steps));
        }
    }
    for (size, rates) in sizes.iter().zip(&mut rates) {
        rates.sort_by(f64::total_cmp);
        let median = rates.get(ROUNDS / 2).copied().unwrap_or_default();
        println!("{{\"accounts\":{size},\"steps\":{steps},\"per_second\":{median:.0}}}");
    }
}

/// Admissions a second, each with its settlement. A millisecond of the ledger's time passes with each step.
fn rate(size: usize, steps: usize) -> f64 {
    let mut ledger = Ledger::new(Utc, 1);
    ledger.configure(START, view(size));
    drop(ledger.take_records());
    let request = AdmitRequest {
        version: 1,
        ticket: "ticket".to_owned(),
        key: "key".to_owned(),
        upstreams: vec!["pool".to_owned()],
        ..AdmitRequest::default()
    };
    let outcome = Outcome::Success { usage: Some(Usage { prompt: 10, completion: 20, ..Usage::default() }) };
    let mut leases = VecDeque::with_capacity(IN_FLIGHT);
    let mut granted = 0_u64;
    let (mut now, mut began) = (START, Instant::now());
    // The first tenth warms up.
    for step in 0..steps + steps / 10 {
        if step == steps / 10 {
            (began, granted) = (Instant::now(), 0);
        }
        now += 1;
        if let Admission::Granted(grant) = ledger.admit(now, &request) {
            leases.push_back(grant.lease);
            granted += 1;
        }
        black_box((ledger.wake(now), ledger.take_records(), ledger.next_alarm()));
        if leases.len() >= IN_FLIGHT
            && let Some(lease) = leases.pop_front()
        {
            ledger.settle(now, &lease, &outcome);
            black_box((ledger.wake(now), ledger.take_records(), ledger.next_alarm()));
        }
    }
    granted as f64 / began.elapsed().as_secs_f64()
}

/// Limits that every call is counted against and none reaches.
fn view(size: usize) -> LedgerView {
    let limits = Limits { concurrency: Some(8), rpm: Some(100_000), rpd: Some(100_000_000), ..Limits::default() };
    let account = |index| AccountSpec {
        id: format!("account-{index}"),
        upstream: "pool".to_owned(),
        limits,
        weight: 1,
        priority: 0,
        enabled: true,
        sealed: "sealed".to_owned(),
    };
    let key = KeySpec { id: "key".to_owned(), limits: Limits::default(), enabled: true, expires_at_ms: None };
    LedgerView { version: 1, accounts: (0..size).map(account).collect(), keys: vec![key], ..LedgerView::default() }
}
