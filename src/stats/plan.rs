//! What Weir uses of its Cloudflare plan, counted where it is used: an estimate, for what others use of the account is not
//! seen, and what an object counted dies with it until its next answer carries that away.
use std::cell::Cell;

use serde_json::{Value, json};

use crate::json;

/// What is counted, in the order in which it is stored.
pub const METERS: [Meter; 6] = [
    Meter { name: "requests", free: 100_000, paid: 10_000_000 },
    Meter { name: "durable_object_requests", free: 100_000, paid: 1_000_000 },
    Meter { name: "kv_reads", free: 100_000, paid: 10_000_000 },
    Meter { name: "kv_writes", free: 1_000, paid: 1_000_000 },
    Meter { name: "rows_written", free: 100_000, paid: 50_000_000 },
    Meter { name: "rows_read", free: 5_000_000, paid: 25_000_000_000 },
];
/// What an answer of a Durable Object begins with that carries counts; JSON never does.
const MARK: char = '\u{1}';

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
    count([1, 0, 0, 0, 0, 0]);
}

/// Counts a request to a Durable Object: a call of a method, or an alarm.
pub fn count_object_request() {
    count([0, 1, 0, 0, 0, 0]);
}

/// Counts a read of KV.
pub fn count_kv_read() {
    count([0, 0, 1, 0, 0, 0]);
}

/// Counts a write to KV.
pub fn count_kv_write() {
    count([0, 0, 0, 1, 0, 0]);
}

/// Counts rows of a Durable Object's SQLite.
pub fn count_rows(read: u64, written: u64) {
    count([0, 0, 0, 0, written, read]);
}

/// A Durable Object's answer, and before it what was counted in its isolate: the isolate that asked tells the statistics.
pub fn carried(answer: String) -> String {
    match take() {
        counts if counts == Counts::default() => answer,
        counts => format!("{MARK}{}\n{answer}", pack(counts)),
    }
}

/// Takes off what [`carried`] put before an answer.
pub fn uncarried(mut answer: String) -> String {
    if answer.starts_with(MARK)
        && let Some(end) = answer.find('\n')
    {
        let packed = answer.get(MARK.len_utf8()..end).unwrap_or_default();
        count(unpack(&json::parse(packed).unwrap_or_default()));
        answer.drain(..=end);
    }
    answer
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
        count_object_request();
        count_object_request();
        count_kv_read();
        count_kv_write();
        count_rows(7, 3);
        let counts = take();
        assert_eq!(counts, [1, 2, 1, 1, 3, 7]);
        assert_eq!(take(), Counts::default());
        count(counts);
        assert_eq!(unpack(&pack(take())), counts);
    }

    #[test]
    fn an_answer_carries_what_its_isolate_counted() {
        take();
        count_rows(5, 2);
        let answer = carried("{\"a\": \"b\\n\"}".to_owned());
        assert_eq!((take(), carried("{}".to_owned()).as_str()), (Counts::default(), "{}"), "it is gone from there");
        assert_eq!(uncarried(answer), "{\"a\": \"b\\n\"}");
        assert_eq!(take(), [0, 0, 0, 0, 2, 5]);
        assert_eq!(uncarried("{}".to_owned()), "{}");
        assert_eq!(take(), Counts::default());
    }

    #[test]
    fn says_what_share_of_each_plan_is_used() {
        let shown = shown([50_000, 0, 0, 10, 0, 0], [1_000_000, 0, 0, 10, 0, 0]);
        assert_eq!(shown[0]["free"]["share"], 0.5);
        assert_eq!(shown[0]["paid"]["share"], 0.1);
        assert_eq!(shown[3]["free"], json!({"per_day": 1_000, "share": 0.01}));
    }
}
