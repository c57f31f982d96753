//! What Weir uses of its Cloudflare plan, by its own count: an estimate, for what others use of the account is not seen.
use std::cell::Cell;

use serde_json::{Value, json};

/// What is counted, in the order in which it is stored.
pub const METERS: [Meter; 5] = [
    Meter { name: "requests", free: 100_000, paid: 10_000_000 },
    Meter { name: "durable_object_requests", free: 100_000, paid: 1_000_000 },
    Meter { name: "kv_reads", free: 100_000, paid: 10_000_000 },
    Meter { name: "kv_writes", free: 1_000, paid: 1_000_000 },
    Meter { name: "rows_written", free: 100_000, paid: 50_000_000 },
];

/// One allowance.
pub struct Meter {
    /// What is counted.
    pub name: &'static str,
    /// How many a day the free plan allows.
    pub free: u64,
    /// How many a month the paid plan includes; more costs more.
    pub paid: u64,
}

/// Counts of [`METERS`].
pub type Counts = [u64; METERS.len()];

thread_local! {
    static COUNTED: Cell<Counts> = const { Cell::new([0; METERS.len()]) };
}

/// Counts a request to the Worker.
pub fn count_request() {
    count([1, 0, 0, 0, 0]);
}

/// Counts a read of KV.
pub fn count_kv_read() {
    count([0, 0, 1, 0, 0]);
}

/// Counts a call of a Durable Object's method, and what the method itself is known to use.
pub fn count_call(binding: &str, method: &str) {
    let (calls, kv_writes, rows) = match (binding, method) {
        // One row for the call; one when it is settled, one when it is forgotten.
        ("LEDGER", "admit" | "renew") => (1, 0, 1),
        ("LEDGER", "settle") => (1, 0, 2),
        // A document's version and what changed of it; the ledger is told, and KV holds two views.
        ("REGISTRY", "apply") => (2, 2, 2),
        ("SESSION", _) => (1, 0, 1),
        ("MEMORY", "keep") => (1, 0, 2),
        // The hour and the log.
        ("STATS", "record") => (1, 0, 2),
        ("STATS", "note") => (1, 0, 1),
        _ => (1, 0, 0),
    };
    count([0, calls, 0, kv_writes, rows]);
}

/// Takes what was counted in this isolate since the last time.
pub fn take() -> Counts {
    COUNTED.take()
}

/// Puts back what could not be stored.
pub fn count(counts: Counts) {
    COUNTED.set(sum(COUNTED.get(), counts));
}

/// Both together.
pub fn sum(mine: Counts, theirs: Counts) -> Counts {
    let mut sums = mine;
    sums.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine = mine.saturating_add(theirs));
    sums
}

/// Counts as numbers.
pub fn pack(counts: Counts) -> Value {
    counts.as_slice().into()
}

/// Reads what [`pack`] wrote.
pub fn unpack(packed: &Value) -> Counts {
    let mut counts = Counts::default();
    let numbers = packed.as_array().into_iter().flatten().filter_map(Value::as_u64);
    counts.iter_mut().zip(numbers).for_each(|(count, number)| *count = number);
    counts
}

/// What was used today and this month, against what the plans allow.
pub fn shown(today: Counts, month: Counts) -> Value {
    let meters = METERS.iter().zip(today).zip(month).map(|((meter, today), month)| {
        json!({
            "name": meter.name, "today": today, "month": month,
            "free": {"per_day": meter.free, "share": today as f64 / meter.free as f64},
            "paid": {"per_month": meter.paid, "share": month as f64 / meter.paid as f64},
        })
    });
    meters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_until_it_is_taken() {
        take();
        count_request();
        count_call("LEDGER", "admit");
        count_call("LEDGER", "settle");
        count_kv_read();
        let counts = take();
        assert_eq!(counts, [1, 2, 1, 0, 3]);
        assert_eq!(take(), Counts::default());
        count(counts);
        assert_eq!(unpack(&pack(take())), counts);
    }

    #[test]
    fn says_what_share_of_each_plan_is_used() {
        let shown = shown([50_000, 0, 0, 10, 0], [1_000_000, 0, 0, 10, 0]);
        assert_eq!(shown[0]["free"]["share"], 0.5);
        assert_eq!(shown[0]["paid"]["share"], 0.1);
        assert_eq!(shown[3]["free"], json!({"per_day": 1_000, "share": 0.01}));
    }
}
