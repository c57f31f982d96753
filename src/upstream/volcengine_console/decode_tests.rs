use serde_json::json;

use super::super::settings::VolcengineConsole;
use super::*;
use crate::chat::Outcome;

fn decoder() -> Decoder {
    let context = Context {
        settings: VolcengineConsole::default(),
        secrets: ["the-web-id".to_owned(), "the-authorization".to_owned()],
        own_authorization: true,
        status: 200,
        now_ms: 0,
        retry_after_ms: None,
    };
    Decoder::new(context, 9)
}

fn read(pieces: &[&[u8]]) -> (Vec<ChatEvent>, Phase) {
    let mut decoder = decoder();
    let mut events: Vec<ChatEvent> = pieces.iter().flat_map(|piece| decoder.feed(piece)).collect();
    events.extend(decoder.end());
    (events, decoder.phase())
}

/// One of the ways in which the console may send an answer.
#[derive(Clone, Copy, Debug)]
struct Variant {
    is_wrapped: bool,
    is_pascal: bool,
    has_crlf: bool,
    has_no_space: bool,
    has_no_done: bool,
    has_noise: bool,
    says_message: bool,
}

impl Variant {
    fn all() -> impl Iterator<Item = Variant> {
        (0..128_u8).map(|bits| {
            let is = |bit: u8| bits & (1 << bit) != 0;
            Variant {
                is_wrapped: is(0),
                is_pascal: is(1),
                has_crlf: is(2),
                has_no_space: is(3),
                has_no_done: is(4),
                has_noise: is(5),
                says_message: is(6),
            }
        })
    }

    fn key(self, key: &str) -> String {
        if !self.is_pascal {
            return key.to_owned();
        }
        let word = |word: &str| word[..1].to_uppercase() + &word[1..];
        key.split('_').map(word).collect()
    }

    fn keys(self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields.iter().map(|(name, field)| (self.key(name), self.keys(field))).collect(),
            Value::Array(items) => items.iter().map(|item| self.keys(item)).collect(),
            plain => plain.clone(),
        }
    }

    fn event(self, delta: &Value, finish: Option<&str>, usage: Option<&Value>) -> String {
        let said = if self.says_message { "message" } else { "delta" };
        let mut chunk = json!({"choices": [{"index": 0, said: delta, "finish_reason": finish}]});
        if let Some(usage) = usage {
            chunk["usage"] = usage.clone();
        }
        let chunk = self.keys(&chunk);
        let chunk =
            if self.is_wrapped { json!({"ResponseMetadata": {"RequestId": "x"}, "Result": chunk}) } else { chunk };
        let (space, line) = (if self.has_no_space { "" } else { " " }, if self.has_crlf { "\r\n" } else { "\n" });
        let noise = if self.has_noise {
            format!(": ping{line}{line}data:{space}{{}}{line}{line}id: 1{line}")
        } else {
            String::new()
        };
        format!("{noise}data:{space}{chunk}{line}{line}")
    }

    fn stream(self) -> String {
        let usage = json!({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 2}});
        let mut stream = self.event(&json!({"role": "assistant", "content": ""}), None, None);
        for delta in [
            json!({"reasoning_content": "hm 你"}),
            json!({"content": "a\"b\n 你"}),
            json!({"content": "[DONE]", "reasoning_content": null}),
        ] {
            stream += &self.event(&delta, None, None);
        }
        stream += &self.event(&json!({}), Some("stop"), Some(&usage));
        match self.has_no_done {
            true => stream,
            false => stream + if self.has_no_space { "data:[DONE]\n\n" } else { "data: [DONE]\r\n\r\n" },
        }
    }
}

fn events() -> Vec<ChatEvent> {
    vec![
        ChatEvent::Reasoning("hm 你".into()),
        ChatEvent::Text("a\"b\n 你".into()),
        ChatEvent::Text("[DONE]".into()),
        ChatEvent::Usage(Usage { prompt: 3, completion: 4, reasoning: 2, cached: 0 }),
        ChatEvent::Finish(FinishReason::Stop),
    ]
}

#[test]
fn reads_every_variant() {
    for variant in Variant::all() {
        let stream = variant.stream();
        assert_eq!(read(&[stream.as_bytes()]), (events(), Phase::Complete), "{variant:?}\n{stream}");
        let without_last_breaks = stream.trim_end();
        assert_eq!(read(&[without_last_breaks.as_bytes()]), (events(), Phase::Complete), "{variant:?}");
        let letters: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(read(&letters), (events(), Phase::Complete), "{variant:?}, byte by byte");
    }
}

#[test]
fn reads_a_stream_however_it_is_split() {
    for variant in Variant::all().step_by(21) {
        let stream = variant.stream();
        for at in 0..stream.len() {
            let (left, right) = stream.as_bytes().split_at(at);
            assert_eq!(read(&[left, right]), (events(), Phase::Complete), "{variant:?} at {at}");
        }
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_is_not_whole() {
    for variant in Variant::all().step_by(9) {
        let stream = variant.stream();
        // The answer is whole with the last letter of the object that finishes it.
        let whole_at = stream.rfind('}').unwrap() + 1;
        for at in 0..stream.len() {
            let (events, phase) = read(&[&stream.as_bytes()[..at]]);
            let ends = events.iter().any(|event| matches!(event, ChatEvent::Finish(_)));
            assert_eq!(
                (phase == Phase::Complete, ends),
                (at >= whole_at, at >= whole_at),
                "{variant:?} at {at}: {phase:?}"
            );
        }
    }
}

#[test]
fn mixed_keys_and_a_finish_of_its_own() {
    let stream = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"\"}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n",
        "data: {\"choices\":[],\"FinishReason\":\"stop\"}\n\n",
        "data:{}\n\n",
        "data: [DONE]\n\n",
    );
    let (events, phase) = read(&[stream.as_bytes()]);
    assert_eq!(phase, Phase::Complete);
    assert_eq!(events[..2], [ChatEvent::Text("a".into()), ChatEvent::Text("b".into())]);
    assert!(matches!(events[2..], [ChatEvent::Usage(Usage { prompt: 9, .. }), ChatEvent::Finish(FinishReason::Stop)]));
}

#[test]
fn a_message_that_repeats_the_deltas_is_not_said_twice() {
    let stream = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"message\":{\"content\":\"ab\"},\"finish_reason\":\"length\"}]}\n\n",
        "data: {\"choices\":[{\"message\":{\"content\":\"ab\"}}]}\n\n",
    );
    let (events, _) = read(&[stream.as_bytes()]);
    assert!(
        matches!(&events[..], [ChatEvent::Text(text), ChatEvent::Usage(_), ChatEvent::Finish(FinishReason::Length)] if text == "ab")
    );
}

#[test]
fn reads_an_answer_that_is_no_stream() {
    for answer in [
        json!({"choices": [{"message": {"reasoning_content": "hm", "content": "a"}, "finish_reason": "stop"}]}),
        json!({"Result": {"Choices": [{"Message": {"ReasoningContent": "hm", "Content": "a"}}]}, "ResponseMetadata": {}}),
    ] {
        for text in [answer.to_string(), format!("\r\n {answer:#}\n")] {
            for at in 0..text.len() {
                let (left, right) = text.as_bytes().split_at(at);
                let (events, phase) = read(&[left, right]);
                assert_eq!(phase, Phase::Complete, "{text}");
                assert_eq!(events[..2], [ChatEvent::Reasoning("hm".into()), ChatEvent::Text("a".into())]);
                let whole = text.trim_end().len();
                let cut = read(&[&text.as_bytes()[..at]]);
                assert_eq!(cut.1 == Phase::Complete, at >= whole, "{text} at {at}");
            }
        }
    }
}

#[test]
fn what_is_no_answer_is_a_failure() {
    for bad in [
        "",
        "\r\n\r\n",
        "<!doctype html><title>maintenance</title>",
        "data: [DONE]\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choi",
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: nonsense\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"insufficient_system_resource\"}]}\n\ndata: [DONE]\n\n",
        "{\"Result\":null}",
        "{}",
        "{\"choices\":[{\"message\":{\"content\":\"\"}}]}",
    ] {
        let (events, phase) = read(&[bad.as_bytes()]);
        let Phase::Broken(failure) = phase else { panic!("{bad}: {phase:?}") };
        assert!(matches!(failure.outcome, Outcome::Failure { .. }) && failure.retry, "{bad}: {failure:?}");
        assert!(!events.iter().any(|event| matches!(event, ChatEvent::Finish(_))), "{bad}");
    }
}

#[test]
fn an_error_is_read_in_every_place() {
    let envelope = json!({"ResponseMetadata": {"Error": {"Code": "QuotaExceeded", "CodeN": 1, "Message": "of the-web-id"}}, "Result": null});
    let plain = json!({"error": {"code": "QuotaExceeded", "message": "of the-web-id"}});
    let wrapped = json!({"Result": plain});
    let nested = json!({"error": {"code": "InternalError", "message": plain.to_string()}});
    let said = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    for error in [envelope, plain, wrapped, nested] {
        for (body, texts) in [
            (error.to_string(), 0),
            (format!("data:{error}\r\n\r\n"), 0),
            (format!("event: error\ndata: {error}"), 0),
            (format!("{said}{said}data: {error}\n\ndata: [DONE]\n\n"), 2),
        ] {
            let (events, phase) = read(&[body.as_bytes()]);
            assert_eq!(events, vec![ChatEvent::Text("a".into()); texts], "{body}");
            let Phase::Broken(failure) = phase else { panic!("{body}: {phase:?}") };
            assert_eq!(
                failure.outcome,
                Outcome::Parked { cause: "200 QuotaExceeded: of ***".into(), until_ms: Some(86_400_000) },
                "{body}"
            );
        }
    }
}

#[test]
fn text_that_is_held_back_ends_an_answer_as_filtered() {
    let said = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let risk = "data: {\"error\":{\"code\":\"RespTextExistRisk\",\"message\":\"risk\"}}\n\n";
    let (events, phase) = read(&[said.as_bytes(), risk.as_bytes()]);
    assert_eq!((phase, events.last()), (Phase::Complete, Some(&ChatEvent::Finish(FinishReason::ContentFilter))));
    let (_, phase) = read(&[risk.as_bytes()]);
    let Phase::Broken(failure) = phase else { panic!("{phase:?}") };
    assert_eq!((failure.outcome, failure.retry), (Outcome::CallerError, false));
}
