//! Encodes an answer's events as OpenAI's chunks or as one completion (api-conformance C15–C24).
use serde_json::{Value, json};

use super::error;
use crate::chat::{ChatError, ChatEvent, Citation, FinishReason, ToolCall, Usage};
use crate::dialect::{Encode, Head};

/// A page, and how much of the text stood before it was referred to, in characters.
type Annotation = (Citation, usize);

/// Writes a stream.
pub struct Encoder {
    /// A chunk up to its delta.
    opening: String,
    /// A chunk of the running stream from its delta's end on.
    closing: &'static str,
    usage_asked: bool,
    begun: bool,
    call: u32,
    length: usize,
    annotations: Vec<Annotation>,
    usage: Usage,
}

impl Encoder {
    /// A stream of one choice, with the usage chunk if the caller asked for it.
    pub fn new(head: &Head, usage_asked: bool) -> Encoder {
        let Head { id, created, model, .. } = head;
        let fields = format!(
            "\"id\":\"chatcmpl-{id}\",\"object\":\"chat.completion.chunk\",\"created\":{created},\"model\":{},\"system_fingerprint\":null",
            Value::from(model.as_str()),
        );
        Encoder {
            opening: format!("data: {{{fields},\"choices\":[{{\"index\":0,\"delta\":"),
            closing: if usage_asked { ",\"usage\":null}\n\n" } else { "}\n\n" },
            usage_asked,
            begun: false,
            call: 0,
            length: 0,
            annotations: Vec::new(),
            usage: Usage::default(),
        }
    }

    fn finish(&mut self, reason: &FinishReason, out: &mut Vec<u8>) {
        if !self.annotations.is_empty() {
            self.chunk(&json!({"annotations": shown(&self.annotations)}), None, out);
        }
        self.chunk(&json!({}), Some(reason), out);
        if self.usage_asked {
            let head = self.opening.split_once("\"choices\"").map_or("", |(head, _)| head);
            out.extend_from_slice(format!("{head}\"choices\":[],\"usage\":{}}}\n\n", usage(&self.usage)).as_bytes());
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn chunk(&self, delta: &Value, reason: Option<&FinishReason>, out: &mut Vec<u8>) {
        let reason = reason.map_or("null", quoted);
        let (opening, closing) = (&self.opening, self.closing);
        let text = format!("{opening}{delta},\"logprobs\":null,\"finish_reason\":{reason}}}]{closing}");
        out.extend_from_slice(text.as_bytes());
    }
}

impl Encode for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut Vec<u8>) -> Result<(), ChatError> {
        match event {
            ChatEvent::Usage(usage) => {
                self.usage = usage;
                return Ok(());
            }
            ChatEvent::Citation(citation) => {
                self.annotations.push((citation, self.length));
                return Ok(());
            }
            _ => {}
        }
        if !std::mem::replace(&mut self.begun, true) {
            self.chunk(&json!({"role": "assistant", "content": ""}), None, out);
        }
        match event {
            ChatEvent::Reasoning(text) => self.chunk(&json!({"reasoning_content": text}), None, out),
            ChatEvent::Text(text) => {
                self.length = self.length.saturating_add(text.chars().count());
                self.chunk(&json!({"content": text}), None, out);
            }
            ChatEvent::ToolCall { index, id, name } => {
                self.call = index;
                let function = json!({"name": name, "arguments": ""});
                let call = json!({"index": index, "id": id, "type": "function", "function": function});
                self.chunk(&json!({"tool_calls": [call]}), None, out);
            }
            ChatEvent::Arguments(text) => {
                let call = json!({"index": self.call, "function": {"arguments": text}});
                self.chunk(&json!({"tool_calls": [call]}), None, out);
            }
            ChatEvent::Finish(reason) => self.finish(&reason, out),
            ChatEvent::Usage(_) | ChatEvent::Citation(_) => {}
        }
        Ok(())
    }

    fn fail(&mut self, error: &ChatError, out: &mut Vec<u8>) {
        out.extend_from_slice(error::event(error).as_bytes());
    }
}

/// Collects a whole answer.
pub struct Completion {
    head: Head,
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    annotations: Vec<Annotation>,
    usage: Usage,
}

impl Encode for Completion {
    fn push(&mut self, event: ChatEvent, out: &mut Vec<u8>) -> Result<(), ChatError> {
        match event {
            ChatEvent::Reasoning(text) => self.reasoning.push_str(&text),
            ChatEvent::Text(text) => self.text.push_str(&text),
            ChatEvent::Citation(citation) => self.annotations.push((citation, self.text.chars().count())),
            ChatEvent::ToolCall { id, name, .. } => {
                self.calls.push(ToolCall { id, name, arguments: String::new() });
            }
            ChatEvent::Arguments(text) => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments.push_str(&text);
                }
            }
            ChatEvent::Usage(usage) => self.usage = usage,
            ChatEvent::Finish(reason) => out.extend_from_slice(self.body(&reason).to_string().as_bytes()),
        }
        Ok(())
    }

    fn fail(&mut self, _error: &ChatError, _out: &mut Vec<u8>) {}
}

impl Completion {
    /// A `chat.completion` that begins.
    pub fn new(head: Head) -> Completion {
        Completion {
            head,
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            annotations: Vec::new(),
            usage: Usage::default(),
        }
    }

    fn body(&self, reason: &FinishReason) -> Value {
        let call = |call: &ToolCall| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}});
        let silent = self.text.is_empty() && !self.calls.is_empty();
        let mut message =
            json!({"role": "assistant", "content": if silent { None } else { Some(&self.text) }, "refusal": null});
        if let Some(fields) = message.as_object_mut() {
            if !self.reasoning.is_empty() {
                fields.insert("reasoning_content".to_owned(), self.reasoning.as_str().into());
            }
            if !self.calls.is_empty() {
                fields.insert("tool_calls".to_owned(), self.calls.iter().map(call).collect());
            }
            if !self.annotations.is_empty() {
                fields.insert("annotations".to_owned(), shown(&self.annotations));
            }
        }
        let Head { id, created, model, .. } = &self.head;
        json!({
            "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": created, "model": model,
            "system_fingerprint": null,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": name(reason)}],
            "usage": usage(&self.usage),
        })
    }
}

fn shown(annotations: &[Annotation]) -> Value {
    let shown = |(citation, at): &Annotation| {
        let page = json!({"url": citation.url, "title": citation.title, "start_index": at, "end_index": at});
        json!({"type": "url_citation", "url_citation": page})
    };
    annotations.iter().map(shown).collect()
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

fn name(reason: &FinishReason) -> &'static str {
    quoted(reason).trim_matches('"')
}

fn quoted(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::StopSequence(_) => "\"stop\"",
        FinishReason::Length => "\"length\"",
        FinishReason::ToolCalls => "\"tool_calls\"",
        FinishReason::ContentFilter => "\"content_filter\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head { id: "1".into(), created: 7, model: "m".into(), request_id: "r".into() }
    }

    fn events() -> Vec<ChatEvent> {
        vec![
            ChatEvent::Reasoning("think".into()),
            ChatEvent::Text("Let \"me\"".into()),
            ChatEvent::Citation(Citation { url: "https://x".into(), title: "X".into() }),
            ChatEvent::ToolCall { index: 0, id: "call_1".into(), name: "f".into() },
            ChatEvent::Arguments("{\"a\":".into()),
            ChatEvent::Arguments("1}".into()),
            ChatEvent::Usage(Usage { prompt: 3, completion: 4, reasoning: 1, cached: 0 }),
            ChatEvent::Finish(FinishReason::ToolCalls),
        ]
    }

    fn chunks(usage_asked: bool) -> Vec<Value> {
        let mut encoder = Encoder::new(&head(), usage_asked);
        let mut out = Vec::new();
        events().into_iter().for_each(|event| encoder.push(event, &mut out).unwrap());
        let text = String::from_utf8(out).unwrap();
        let (chunks, done) = text.trim_end().rsplit_once("\n\n").unwrap();
        assert_eq!(done, "data: [DONE]");
        chunks.split("\n\n").map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap()).collect()
    }

    #[test]
    fn a_stream_has_its_parts_in_order() {
        let chunks = chunks(true);
        let deltas: Vec<String> =
            chunks.iter().map(|chunk| chunk.pointer("/choices/0/delta").map_or("".into(), Value::to_string)).collect();
        assert_eq!(
            deltas,
            [
                r#"{"role":"assistant","content":""}"#,
                r#"{"reasoning_content":"think"}"#,
                r#"{"content":"Let \"me\""}"#,
                r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#,
                r#"{"annotations":[{"type":"url_citation","url_citation":{"url":"https://x","title":"X","start_index":8,"end_index":8}}]}"#,
                "{}",
                "",
            ]
        );
        let reasons: Vec<&Value> =
            chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/finish_reason")).collect();
        assert_eq!(reasons.last().unwrap().as_str(), Some("tool_calls"));
        assert!(reasons.iter().rev().skip(1).all(|reason| reason.is_null()));
        assert!(chunks.iter().all(|chunk| chunk.get("usage").is_some()));
        assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 7);
    }

    #[test]
    fn no_usage_where_none_was_asked_for() {
        assert!(chunks(false).iter().all(|chunk| chunk.get("usage").is_none() && chunk["choices"][0].is_object()));
    }

    #[test]
    fn a_completion_has_the_same_parts() {
        let body = |events: Vec<ChatEvent>| -> Value {
            let (mut completion, mut out) = (Completion::new(head()), Vec::new());
            events.into_iter().for_each(|event| completion.push(event, &mut out).unwrap());
            serde_json::from_slice(&out).unwrap()
        };
        let whole = body(events());
        let message = &whole["choices"][0]["message"];
        assert_eq!(message["content"], "Let \"me\"");
        assert_eq!(message["reasoning_content"], "think");
        assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"a\":1}");
        assert_eq!(message["annotations"][0]["url_citation"]["url"], "https://x");
        assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(whole["usage"]["completion_tokens_details"]["reasoning_tokens"], 1);
        let silent = body(vec![
            ChatEvent::ToolCall { index: 0, id: "call_1".into(), name: "f".into() },
            ChatEvent::Finish(FinishReason::ToolCalls),
        ]);
        assert!(silent["choices"][0]["message"]["content"].is_null());
    }
}
