//! Streams through the meter, whole and split at every byte.
use proptest::prelude::*;

use super::*;

const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;

fn text(delta: &str) -> String {
    format!(
        r#"{{"model":"up","choices":[{{"index":0,"delta":{{"content":"{delta}"}},"finish_reason":null}}],"usage":null}}"#
    )
}

fn finish(reason: &str) -> String {
    format!(r#"{{"model":"up","choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}],"usage":null}}"#)
}

fn sse(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// Everything that is written for `source`, read in pieces of these lengths, the last of them repeated.
fn run(mut meter: Meter, source: &[u8], lengths: &[usize]) -> (String, Meter) {
    let mut out = Vec::new();
    let (mut rest, mut lengths) = (source, lengths.iter().copied());
    let mut length = lengths.next().unwrap();
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(length.clamp(1, rest.len()));
        let fed = meter.feed(chunk);
        out.extend_from_slice(&fed.lead);
        out.extend_from_slice(&chunk[fed.rest]);
        rest = tail;
        length = lengths.next().unwrap_or(length);
    }
    out.extend_from_slice(&meter.finish());
    (String::from_utf8(out).unwrap(), meter)
}

fn at_every_length(make: impl Fn() -> Meter, source: &str) -> (String, Meter) {
    let (expected, meter) = run(make(), source.as_bytes(), &[usize::MAX]);
    for length in 1..=source.len() {
        let (out, other) = run(make(), source.as_bytes(), &[length]);
        assert_eq!(out, expected, "in pieces of {length}");
        assert_eq!(other.state(), meter.state(), "in pieces of {length}");
        assert_eq!(other.usage(), meter.usage(), "in pieces of {length}");
    }
    (expected, meter)
}

#[test]
fn a_stream_that_needs_no_change_passes_untouched() {
    let source =
        sse(&[&text("héllo 漢字"), ": not data", &finish("stop"), USAGE, "[DONE]"]).replace("data: : not", ": not");
    let (out, meter) = at_every_length(|| Meter::new("up", true, 1), &source);
    assert_eq!(out, source);
    assert_eq!(meter.state(), &State::Complete);
    assert_eq!(meter.usage().map(|usage| usage.total()), Some(3));
    let fed = Meter::new("up", true, 1).feed(source.split("data: [DONE]").next().unwrap().as_bytes());
    assert!(fed.lead.is_empty(), "nothing is copied");
}

#[test]
fn hides_usage_from_a_caller_who_did_not_ask() {
    let source = sse(&[&text("a"), &finish("stop"), USAGE, "[DONE]"]);
    let (out, meter) = at_every_length(|| Meter::new("up", false, 1), &source);
    assert_eq!(out, sse(&[&text("a"), &finish("stop"), "[DONE]"]).replace(r#","usage":null"#, ""));
    assert_eq!(meter.usage().map(|usage| usage.completion), Some(2));
}

#[test]
fn a_null_usage_goes_with_one_comma_wherever_it_stands() {
    for (source, expected) in [
        (r#"{"usage":null,"a":1}"#, r#"{"a":1}"#),
        (r#"{"usage" : null , "a":1}"#, r#"{ "a":1}"#),
        (r#"{"a":1, "usage": null}"#, r#"{"a":1}"#),
        (r#"{"usage":null}"#, r#"{}"#),
    ] {
        let (out, _) = run(Meter::new("up", false, 0), sse(&[source, "[DONE]"]).as_bytes(), &[usize::MAX]);
        assert_eq!(out, sse(&[expected, "[DONE]"]), "{source}");
    }
}

#[test]
fn maps_the_model_and_nothing_else() {
    let source = sse(&[&text(r#"\"model\":\"up\""#), &finish("stop"), "[DONE]"]);
    let (out, _) = at_every_length(|| Meter::new("asked", true, 1), &source);
    assert_eq!(out, source.replace(r#""model":"up""#, r#""model":"asked""#));
}

#[test]
fn crlf_comments_and_unsafe_fields() {
    let source = format!(
        "id: 1\r\nretry: 5\r\nevent: message\r\ndata:{}\r\n\r\n: keep-alive\r\n\r\ndata: [DONE]\r\n\r\n",
        text("a")
    );
    let (out, meter) = at_every_length(|| Meter::new("up", true, 1), &source);
    assert_eq!(out, source.replace("id: 1\r\nretry: 5\r\n", "").replace("[DONE]\r\n\r\n", "[DONE]\r\n\n"));
    assert_eq!(meter.state(), &State::Complete);
}

#[test]
fn a_dropped_field_takes_no_blank_line_of_an_event_that_is_kept() {
    let event = |delta: &str| format!("data: {}\nretry: 15000\nid: 1\n\n", text(delta));
    let source = format!("id: 0\n\n{}{}data: [DONE]\n\n", event("a"), event("b"));
    let (out, _) = at_every_length(|| Meter::new("up", true, 1), &source);
    assert_eq!(out, sse(&[&text("a"), &text("b"), "[DONE]"]));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_event() {
    let source = format!("\u{feff}{}", sse(&[&text("a"), &text("b"), "[DONE]"]));
    for asked in ["up", "asked"] {
        let (out, _) = at_every_length(|| Meter::new(asked, true, 1), &source);
        assert_eq!(out, source.trim_start_matches('\u{feff}').replace(r#""up""#, &format!("{asked:?}")));
    }
}

#[test]
fn whole_without_done_when_every_choice_has_finished() {
    let source = sse(&[&text("a"), &finish("stop")]);
    let (out, meter) = at_every_length(|| Meter::new("up", true, 1), &source);
    assert_eq!((out, meter.state()), (source.clone() + "data: [DONE]\n\n", &State::Complete));
    let (out, meter) = at_every_length(|| Meter::new("up", true, 2), &source);
    assert_eq!((out, meter.state()), (source, &State::Broken(Fault::Cut)));
}

#[test]
fn a_done_without_its_line_break_is_an_end() {
    let source = format!("data: {}\n\ndata: [DONE]", text("a"));
    let (out, meter) = at_every_length(|| Meter::new("up", true, 1), &source);
    assert_eq!((out, meter.state()), (source + "\n\n", &State::Complete));
}

#[test]
fn every_fault_ends_the_stream_and_is_not_passed_on() {
    let cases = [
        ("", Fault::Cut),
        ("data: {\"cut\":", Fault::Garbage),
        ("data: <html>\n\n", Fault::Garbage),
        ("data: {\"finish_reason\":\"x\" garbage}\n\n", Fault::Garbage),
        ("data: {\"error\":{\"code\":\"X\"}}\n\n", Fault::Error("{\"code\":\"X\"}".to_owned())),
        ("event: error\ndata: {\"error\":\"text\"}\n\n", Fault::Error("\"text\"".to_owned())),
    ];
    for (tail, fault) in cases {
        let good = sse(&[&text("a")]);
        let source = format!("{good}{tail}data: [DONE]\n\n");
        let source = if fault == Fault::Cut { good.clone() } else { source };
        let (out, meter) = at_every_length(|| Meter::new("up", true, 1), &source);
        assert_eq!(meter.state(), &State::Broken(fault), "{tail}");
        assert_eq!(out.trim_end_matches("event: error\n"), good, "{tail}");
    }
}

#[test]
fn an_answer_that_was_given_up_is_not_whole() {
    for reason in ["insufficient_system_resource", "error", "network_error", "abort", "cancelled", "timeout"] {
        let (good, given_up) = (sse(&[&text("a")]), finish(reason));
        let source = format!("{good}{}data: [DONE]\n\n", sse(&[&given_up]));
        let (out, meter) = at_every_length(|| Meter::new("up", true, 1), &source);
        assert_eq!((out, meter.state()), (good, &State::Broken(Fault::GaveUp(reason.to_owned()))));
    }
    let second = r#"{"model":"up","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null},{"index":1,"delta":{},"finish_reason":"abort"}]}"#;
    let (out, meter) = at_every_length(|| Meter::new("up", true, 2), &sse(&[second]));
    assert_eq!((out.as_str(), meter.state()), ("", &State::Broken(Fault::GaveUp("abort".to_owned()))));
}

#[test]
fn what_is_no_stream_is_told_before_its_first_event_alone() {
    let page = "<html>\n<body>\ndata: no\n";
    let (out, meter) = at_every_length(|| Meter::new("up", true, 1), page);
    assert_eq!((out.as_str(), meter.state()), ("", &State::Broken(Fault::Garbage)));
    let source = format!("\u{feff}: note\nown: 1\n{}a stray line\n\ndata: [DONE]\n\n", sse(&[&text("a")]));
    let (_, meter) = at_every_length(|| Meter::new("up", true, 1), &source);
    assert_eq!(meter.state(), &State::Complete);
}

#[test]
fn a_word_in_the_text_is_no_key() {
    let delta = r#"\"error\":{} \"usage\":1 \"finish_reason\":\"stop\""#;
    let (_, meter) = at_every_length(|| Meter::new("up", true, 1), &sse(&[&text(delta)]));
    assert_eq!(meter.state(), &State::Broken(Fault::Cut));
}

#[test]
fn tells_whether_an_event_is_open() {
    let mut meter = Meter::new("up", true, 1);
    assert!(meter.between_events() && !meter.started());
    meter.feed(format!("data: {}\n", text("a")).as_bytes());
    assert!(!meter.between_events() && meter.started());
    meter.feed(b"\n");
    assert!(meter.between_events());
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_read_the_same(source in "[\\PC\n\r{}\":,a-z]{0,200}", lengths in prop::collection::vec(1..40usize, 1..20)) {
        let source = format!("data: {}\n\n{source}", text("a"));
        let make = || Meter::new("m", false, 1);
        let (expected, whole) = run(make(), source.as_bytes(), &[usize::MAX]);
        let (out, pieces) = run(make(), source.as_bytes(), &lengths);
        prop_assert_eq!(out, expected);
        prop_assert_eq!(whole.state(), pieces.state());
    }
}
