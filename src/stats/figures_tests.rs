//! The figures of ten thousand calls, against a count by hand.
use super::*;

/// A small generator of its own, so that every run has the same calls.
struct Calls(u64);

impl Calls {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn record(&mut self) -> Value {
        let status = [200, 200, 200, 200, 200, 200, 429, 502, 499, 400][self.next(10) as usize];
        json!({
            "model": format!("model-{}", self.next(4)), "account": format!("account-{}", self.next(20)),
            "key": format!("key-{}", self.next(3)), "status": status, "total_ms": 50 + self.next(5_000),
            "ttft_ms": (status == 200).then(|| 20 + self.next(900)),
            "tokens": {"prompt": self.next(500), "completion": self.next(300), "reasoning": 3, "cached": 1},
        })
    }
}

fn records(count: usize) -> Vec<Value> {
    let mut calls = Calls(7);
    (0..count).map(|_| calls.record()).collect()
}

fn span(records: &[Value], names_max: usize) -> Span {
    let mut span = Span::default();
    records.iter().for_each(|record| span.add(record, names_max));
    span
}

#[test]
fn ten_thousand_calls_are_counted_right() {
    let records = records(10_000);
    let shown = Value::Object(span(&records, 100).shown());
    let number = |record: &Value, pointer: &str| record.pointer(pointer).and_then(Value::as_u64);
    let with = |test: &dyn Fn(u64) -> bool| {
        records.iter().filter(|record| test(number(record, "/status").unwrap())).count() as u64
    };
    let (succeeded, left) = (with(&|status| status == 200), with(&|status| status == LEFT));
    assert_eq!(shown["requests"], 10_000);
    assert_eq!(shown["succeeded"], succeeded);
    assert_eq!(shown["cancelled"], left);
    assert_eq!(shown["failed"], 10_000 - succeeded - left);
    let rate = succeeded as f64 / (10_000 - left) as f64;
    assert!((shown["success_rate"].as_f64().unwrap() - rate).abs() < 1e-12);
    let tokens: u64 = records.iter().filter_map(|record| number(record, "/tokens/prompt")).sum();
    assert_eq!(shown["tokens"]["prompt"], tokens);

    let mut times: Vec<u64> = records
        .iter()
        .filter(|record| record["status"] == 200)
        .filter_map(|record| number(record, "/total_ms"))
        .collect();
    times.sort_unstable();
    for (name, percent) in [("p50", 50), ("p95", 95)] {
        let exact = times[(times.len() * percent).div_ceil(100) - 1];
        let found = shown["latency_ms"][name].as_u64().unwrap();
        assert!(found.abs_diff(exact) <= exact / 8, "{name}: {found} for {exact}");
    }
    for (_, list) in SIDES {
        let sum: u64 = shown[list].as_array().unwrap().iter().map(|item| item["requests"].as_u64().unwrap()).sum();
        assert_eq!(sum, 10_000, "{list}");
    }
    assert_eq!(shown["accounts"].as_array().unwrap().len(), 20);
}

#[test]
fn spans_add_up_and_survive_storage() {
    let records = records(500);
    let (left, right) = records.split_at(123);
    let mut merged = span(left, 100);
    merged.merge(&span(right, 100), 100);
    assert_eq!(Value::Object(merged.clone().shown()), Value::Object(span(&records, 100).shown()));
    let stored = |value: Value| -> Value { serde_json::from_str(&value.to_string()).unwrap() };
    assert_eq!(Span::unpack(&stored(merged.total.pack()), &stored(merged.pack_names())), merged);
}

#[test]
fn too_many_names_are_counted_together() {
    let shown = Value::Object(span(&records(500), 5).shown());
    let accounts = shown["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 6, "five, and the others");
    assert!(accounts.iter().any(|item| item["name"] == OTHERS));
    let sum: u64 = accounts.iter().map(|item| item["requests"].as_u64().unwrap()).sum();
    assert_eq!(sum, 500);
}

#[test]
fn nothing_is_no_success_and_no_failure() {
    let shown = Value::Object(Span::default().shown());
    assert_eq!((&shown["requests"], &shown["success_rate"]), (&json!(0), &Value::Null));
    assert_eq!(shown["latency_ms"], json!({"count": 0, "mean": null, "p50": null, "p95": null}));
}
