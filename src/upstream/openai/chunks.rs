//! Reads an OpenAI stream for a caller who speaks another API: chunks in, [`ChatEvent`]s out.
use std::borrow::Cow;

use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{WireUsage, instead_of_events};
use super::failure::{self, Context};
use super::meter::{BYTE_ORDER_MARK, Fault, LINE_MAX_BYTES};
use crate::chat::{ChatEvent, FinishReason, Usage};
use crate::json;
use crate::tokens::Counter;
use crate::tools::call_id;
use crate::upstream::decode::Decode;
use crate::upstream::decode::Phase;

/// Reads one stream.
pub struct Chunks {
    carry: Vec<u8>,
    started: bool,
    /// The `index` of the call whose arguments come, and its id, as the service has them.
    call: Option<(u64, String)>,
    calls: u32,
    finish: Option<FinishReason>,
    done: bool,
    fault: Option<Fault>,
    usage: Option<Usage>,
    /// Our own counts, where the service gives none.
    prompt_tokens: u64,
    reasoning: Counter,
    said: Counter,
    /// The account's credential, which no message may hold.
    secret: String,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<WireUsage>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Text<'a>>,
    /// As other services name it.
    #[serde(borrow)]
    reasoning: Option<Text<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
}

/// `Option<Cow>` would copy every text.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Call<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

impl Chunks {
    /// Reads a stream that came with `context`. For a service that gives no figures, `prompt_tokens` is our own count.
    pub fn new(context: Context, prompt_tokens: u64) -> Chunks {
        Chunks {
            carry: Vec::new(),
            started: false,
            call: None,
            calls: 0,
            finish: None,
            done: false,
            fault: None,
            usage: None,
            prompt_tokens,
            reasoning: Counter::default(),
            said: Counter::default(),
            secret: context.secret.to_owned(),
            retry_after_ms: context.retry_after_ms,
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<ChatEvent>) {
        let mut line = line.trim_ascii();
        if !self.started {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else {
            if !self.started {
                self.fault = instead_of_events(line);
            }
            return;
        };
        self.started = true;
        if data == b"[DONE]" {
            return self.complete(out);
        }
        if data.is_empty() {
            return;
        }
        let Ok(chunk) = json::scan::<Chunk>(data) else { return self.fault = Some(Fault::Garbage) };
        if let Some(error) = chunk.error.filter(|error| error.get() != "null") {
            return self.fault = Some(Fault::Error(error.get().to_owned()));
        }
        // Translated calls ask for one choice.
        if let Some(choice) = chunk.choices.and_then(|choices| choices.into_iter().next()) {
            if let Some(delta) = choice.delta {
                self.delta(delta, out);
            }
            if let Some(reason) = choice.finish_reason {
                self.end_with(&reason);
            }
        }
        if let Some(usage) = &chunk.usage {
            self.usage = Some(usage.into());
        }
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<ChatEvent>) {
        let given = |text: Option<Text>| text.filter(|text| !text.0.is_empty()).map(|text| text.0.into_owned());
        if let Some(text) = given(delta.reasoning_content.or(delta.reasoning)).filter(|text| self.ends_call(text)) {
            self.reasoning.push(&text);
            out.push(ChatEvent::Reasoning(text));
        }
        for text in [delta.content, delta.refusal].into_iter().filter_map(given) {
            if self.ends_call(&text) {
                self.said.push(&text);
                out.push(ChatEvent::Text(text));
            }
        }
        for call in delta.tool_calls.into_iter().flatten() {
            let function = call.function.unwrap_or(Function { name: None, arguments: None });
            let current = self.call.as_ref();
            let index = call.index.or(current.map(|(index, _)| *index)).unwrap_or(0);
            let (id, name) = (given(call.id).unwrap_or_default(), given(function.name));
            // A service that repeats a call's name with every piece means the same call; one that counts every call as its
            // first, or none, tells them apart by their ids. There are also new ids with every piece, but then no names.
            let goes_on =
                current.is_some_and(|(at, known)| *at == index && (name.is_none() || id.is_empty() || id == *known));
            let text = given(function.arguments);
            match name {
                Some(name) if !goes_on => {
                    let lasting = if is_lasting(&id) { id.clone() } else { call_id() };
                    out.push(ChatEvent::ToolCall { index: self.calls, id: lasting, name });
                    self.call = Some((index, id));
                    self.calls = self.calls.saturating_add(1);
                }
                // Arguments of no call, or of one that another has followed: there is no telling what belongs where.
                None if !goes_on && text.is_some() => return self.fault = Some(Fault::Garbage),
                _ => {}
            }
            if let Some(text) = text {
                self.said.push(&text);
                out.push(ChatEvent::Arguments(text));
            }
        }
    }

    /// Whether a text is worth giving. One within a call ends it, but for the white space that some services put there.
    fn ends_call(&mut self, text: &str) -> bool {
        let is_padding = self.call.is_some() && text.trim().is_empty();
        self.call.take_if(|_| !is_padding);
        !is_padding
    }

    fn end_with(&mut self, reason: &str) {
        if let Some(fault) = Fault::of_finish(reason) {
            return self.fault = Some(fault);
        }
        self.finish = Some(match reason {
            "length" => FinishReason::Length,
            "content_filter" | "sensitive" => FinishReason::ContentFilter,
            // Some services say `stop` after calls.
            _ if self.calls > 0 => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        });
    }

    fn complete(&mut self, out: &mut Vec<ChatEvent>) {
        if self.done {
            return;
        }
        match self.finish.take() {
            Some(reason) => {
                out.extend(self.usage().map(ChatEvent::Usage));
                out.push(ChatEvent::Finish(reason));
                self.done = true;
            }
            None => self.fault = Some(Fault::Cut),
        }
    }

    fn is_over(&self) -> bool {
        self.done || self.fault.is_some()
    }
}

/// Whether every API takes this id, and no other call of the conversation has it: some services count from `call_0`
/// in every answer (api-conformance T12).
pub fn is_lasting(id: &str) -> bool {
    let fits =
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let before_count = id.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let counts = (1..=6).contains(&(id.len() - before_count.len()))
        && !before_count.contains(|letter: char| letter.is_ascii_digit());
    fits && !counts
}

impl Decode for Chunks {
    fn feed(&mut self, read: &[u8]) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        let mut rest = read;
        while !self.is_over() {
            let Some(length) = memchr(b'\n', rest) else {
                if self.carry.len().saturating_add(rest.len()) > LINE_MAX_BYTES {
                    self.fault = Some(Fault::Garbage);
                } else {
                    self.carry.extend_from_slice(rest);
                }
                break;
            };
            let (line, after) = rest.split_at(length);
            rest = after.get(1..).unwrap_or_default();
            if self.carry.is_empty() {
                self.line(line, &mut out);
            } else {
                let mut whole = std::mem::take(&mut self.carry);
                whole.extend_from_slice(line);
                self.line(&whole, &mut out);
            }
        }
        out
    }

    /// A stream whose choice has finished is whole without `[DONE]`.
    fn end(&mut self) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        if !self.is_over() {
            let rest = std::mem::take(&mut self.carry);
            self.line(&rest, &mut out);
        }
        if !self.is_over() {
            self.complete(&mut out);
        }
        out
    }

    fn phase(&self) -> Phase {
        match &self.fault {
            Some(fault) => {
                let context = Context { secret: &self.secret, retry_after_ms: self.retry_after_ms };
                Phase::Broken(failure::of_fault(fault, context))
            }
            None if self.done => Phase::Complete,
            None => Phase::Running,
        }
    }

    fn usage(&self) -> Option<Usage> {
        let reasoning = self.reasoning.count();
        let completion = reasoning.saturating_add(self.said.count());
        self.usage.or(Some(Usage { prompt: self.prompt_tokens, completion, reasoning, cached: 0 }))
    }

    fn resume(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> (Vec<ChatEvent>, Phase) {
        let mut chunks = Chunks::new(Context { secret: "", retry_after_ms: None }, 9);
        let mut events: Vec<ChatEvent> = pieces.iter().flat_map(|piece| chunks.feed(piece)).collect();
        events.extend(chunks.end());
        (events, chunks.phase())
    }

    const STREAM: &str = concat!(
        ": keep-alive\r\n\r\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null}]}\r\n\r\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm \\u4f60\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\\"b 你\"}}],\"usage\":null}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"call_0123456789a1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":2,\"id\":\"call_0123456789a2\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"a\\\":1}\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n",
        "data: [DONE]\n\n",
    );

    fn events() -> Vec<ChatEvent> {
        vec![
            ChatEvent::Reasoning("hm 你".into()),
            ChatEvent::Text("a\"b 你".into()),
            ChatEvent::ToolCall { index: 0, id: "call_0123456789a1".into(), name: "f".into() },
            ChatEvent::Arguments("{}".into()),
            ChatEvent::ToolCall { index: 1, id: "call_0123456789a2".into(), name: "g".into() },
            ChatEvent::Arguments("{\"a\":1}".into()),
            ChatEvent::Usage(Usage { prompt: 3, completion: 4, ..Usage::default() }),
            ChatEvent::Finish(FinishReason::ToolCalls),
        ]
    }

    #[test]
    fn reads_a_stream_however_it_is_split() {
        for at in 0..STREAM.len() {
            let (left, right) = STREAM.as_bytes().split_at(at);
            assert_eq!(read(&[left, right]), (events(), Phase::Complete), "at {at}");
        }
        let without_mark = STREAM.replace("data: [DONE]\n\n", "");
        assert_eq!(read(&[without_mark.trim_end().as_bytes()]), (events(), Phase::Complete));
    }

    #[test]
    fn an_id_that_may_come_again_is_replaced() {
        for id in ["call_0", "functions.f:0", "", "call 0123456789abcdef"] {
            let stream = STREAM.replace("call_0123456789a1", id);
            let (events, _) = read(&[stream.as_bytes()]);
            let Some(ChatEvent::ToolCall { id, .. }) = events.get(2) else { panic!("{events:?}") };
            assert!(is_lasting(id), "{id}");
        }
    }

    #[test]
    fn calls_of_one_index_are_told_apart_by_their_ids() {
        let call = |index: &str, id: &str, name: &str, arguments: &str| {
            format!(
                "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{{index}\"id\":{id},\"function\":{{\"name\":{name},\"arguments\":{arguments:?}}}}}]}}}}]}}\n\n"
            )
        };
        let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
        for index in ["\"index\":0,", ""] {
            let stream = [
                call(index, "\"first-7f3a9c\"", "\"f\"", "{\"a\":"),
                call(index, "\"new-each-time\"", "null", "1}"),
                call(index, "\"second-1b8d2e\"", "\"f\"", "{\"a\":"),
                call(index, "\"second-1b8d2e\"", "\"f\"", "2}"),
            ]
            .concat()
                + end;
            let (events, phase) = read(&[stream.as_bytes()]);
            assert_eq!(phase, Phase::Complete);
            let begins = |index: u32, id: &str| ChatEvent::ToolCall { index, id: id.into(), name: "f".into() };
            let says = |text: &str| ChatEvent::Arguments(text.into());
            let wanted = [
                begins(0, "first-7f3a9c"),
                says("{\"a\":"),
                says("1}"),
                begins(1, "second-1b8d2e"),
                says("{\"a\":"),
                says("2}"),
            ];
            assert_eq!(events.get(..6), Some(wanted.as_slice()), "{events:?}");
        }
        let padding = "data: {\"choices\":[{\"delta\":{\"content\":\"\\n\"}}]}\n\n";
        let open = call("\"index\":0,", "\"a\"", "\"f\"", "{");
        let (_, phase) =
            read(&[(open.clone() + padding + &call("\"index\":0,", "null", "null", "}") + end).as_bytes()]);
        assert_eq!(phase, Phase::Complete);
        for lost in [
            open + &padding.replace("\\n", "So:") + &call("\"index\":0,", "null", "null", "}"),
            call("\"index\":0,", "null", "null", "{}"),
            call("\"index\":0,", "\"a\"", "\"f\"", "{")
                + &call("\"index\":1,", "\"b\"", "\"g\"", "{")
                + &call("\"index\":0,", "null", "null", "}"),
        ] {
            assert!(matches!(read(&[(lost + end).as_bytes()]).1, Phase::Broken(_)));
        }
    }

    #[test]
    fn what_breaks_off_is_not_whole() {
        for bad in [
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choi",
            "data: {\"error\":{\"message\":\"no\"}}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"insufficient_system_resource\"}]}\n\ndata: [DONE]\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n",
            "<html>",
            "",
        ] {
            let (events, phase) = read(&[bad.as_bytes()]);
            assert!(matches!(phase, Phase::Broken(_)), "{bad}: {phase:?}");
            assert!(!events.iter().any(|event| matches!(event, ChatEvent::Finish(_))));
        }
    }
}
