//! The figures of ten thousand calls, against a count by hand.
use super::*;

/// A small generator of its own, so that every run has the same calls.
struct Calls(u64);

impl Calls {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn sample(&mut self) -> Sample {
        let status = [200, 200, 200, 200, 200, 200, 429, 502, 499, 400][self.next(10) as usize];
        Sample {
            names: [("model", 4), ("account", 20), ("key", 3)]
                .map(|(name, count)| format!("{name}-{}", self.next(count))),
            time_ms: 1_795_262_400_000,
            status,
            total_ms: 50 + self.next(5_000),
            first_ms: (status == 200).then(|| 20 + self.next(900)),
            usage: Usage { prompt: self.next(500), completion: self.next(300), reasoning: 3, cached: 1 },
        }
    }
}

fn samples(count: usize) -> Vec<Sample> {
    let mut calls = Calls(7);
    (0..count).map(|_| calls.sample()).collect()
}

fn span(samples: &[Sample], names_max: usize) -> Span {
    let mut span = Span::default();
    samples.iter().for_each(|sample| span.add(sample, names_max));
    span
}

#[test]
fn the_most_names_with_the_fullest_figures_fit_into_a_row() {
    let names_max = crate::stats::NAMES_MAX;
    // Ten minutes of every bucket, and ids of 256 characters.
    let times: Vec<u64> =
        (0..7_000).map(|step| (step as f64 / 500.0).exp() as u64).take_while(|ms| *ms < 600_000).collect();
    let usage = Usage { prompt: 1 << 40, completion: 1 << 40, reasoning: 1 << 40, cached: 1 << 40 };
    let sample = |ms| Sample { status: 200, total_ms: ms, first_ms: Some(ms), usage, ..Sample::default() };
    let full = span(&times.iter().map(|ms| sample(*ms)).collect::<Vec<_>>(), 0).total;
    let side = (0..=names_max).map(|at| (format!("{at:0>256}"), full.clone())).collect::<Vec<_>>();
    let span = Span { total: full, names: [side.clone(), side.clone(), side] };
    let bytes = span.pack_names().to_string().len();
    assert!(bytes < 1_900_000, "{bytes}");
}

#[test]
fn ten_thousand_calls_are_counted_right() {
    let calls = samples(10_000);
    let shown = Value::Object(span(&calls, 100).shown());
    let with = |status: u64| calls.iter().filter(|call| call.status == status).count() as u64;
    let (succeeded, left) = (with(200), with(LEFT));
    assert_eq!(shown["requests"], 10_000);
    assert_eq!(shown["succeeded"], succeeded);
    assert_eq!(shown["cancelled"], left);
    assert_eq!(shown["failed"], 10_000 - succeeded - left);
    let rate = succeeded as f64 / (10_000 - left) as f64;
    assert!((shown["success_rate"].as_f64().unwrap() - rate).abs() < 1e-12);
    assert_eq!(shown["tokens"]["prompt"], calls.iter().map(|call| call.usage.prompt).sum::<u64>());
    assert_eq!(shown["ttft_ms"]["count"], succeeded);

    let mut times: Vec<u64> = calls.iter().filter(|call| call.status == 200).map(|call| call.total_ms).collect();
    times.sort_unstable();
    for (name, percent) in [("p50", 50), ("p95", 95)] {
        let exact = times[(times.len() * percent).div_ceil(100) - 1];
        let found = shown["latency_ms"][name].as_u64().unwrap();
        assert!(found.abs_diff(exact) <= exact / 8, "{name}: {found} for {exact}");
    }
    for list in SIDES {
        let sum: u64 = shown[list].as_array().unwrap().iter().map(|item| item["requests"].as_u64().unwrap()).sum();
        assert_eq!(sum, 10_000, "{list}");
    }
    assert_eq!(shown["accounts"].as_array().unwrap().len(), 20);
}

#[test]
fn spans_add_up_and_survive_storage() {
    let calls = samples(500);
    let (left, right) = calls.split_at(123);
    let mut merged = span(left, 100);
    merged.merge(&span(right, 100), 100);
    assert_eq!(Value::Object(merged.clone().shown()), Value::Object(span(&calls, 100).shown()));
    let stored = |value: Value| -> Value { serde_json::from_str(&value.to_string()).unwrap() };
    assert_eq!(Span::unpack(&stored(merged.total.pack()), &stored(merged.pack_names())), merged);
}

#[test]
fn too_many_names_are_counted_together() {
    let shown = Value::Object(span(&samples(500), 5).shown());
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

#[test]
fn a_sample_survives_its_way() {
    for sample in samples(50) {
        let text = sample.pack().to_string();
        assert_eq!(Sample::unpack(&serde_json::from_str(&text).unwrap()), Some(sample));
    }
    assert_eq!(Sample::unpack(&json!({"nonsense": 1})), None);
}
