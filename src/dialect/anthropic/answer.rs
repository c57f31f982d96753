//! Encodes an answer's events as one message of Anthropic's API (api-conformance A25).
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use crate::chat::{ChatError, ChatEvent, ErrorKind, FinishReason, ToolCall, Usage};
use crate::dialect::{Encode, Head};

/// What an answer needs to know of its request.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The caller takes thoughts (A20).
    pub thinks: bool,
    /// Our own count of the request.
    pub input_tokens: u64,
}

/// Collects a whole message.
pub struct Message {
    head: Head,
    form: Form,
    thinking: String,
    text: String,
    calls: Vec<ToolCall>,
    usage: Usage,
}

impl Message {
    /// A message that begins.
    pub fn new(head: Head, form: Form) -> Message {
        let (thinking, text, calls) = (String::new(), String::new(), Vec::new());
        Message { head, form, thinking, text, calls, usage: Usage { prompt: form.input_tokens, ..Usage::default() } }
    }

    fn body(&self, reason: &FinishReason) -> Result<Value, ChatError> {
        let mut content = Vec::new();
        if self.form.thinks && !self.thinking.is_empty() {
            let signature = signature(&self.thinking);
            content.push(json!({"type": "thinking", "thinking": self.thinking, "signature": signature}));
        }
        // An empty message makes Claude Code ask again.
        if !self.text.is_empty() || self.calls.is_empty() {
            content.push(json!({"type": "text", "text": self.text}));
        }
        for call in &self.calls {
            let input = input(&call.arguments)?;
            content.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}));
        }
        let mut body = opening(&self.head, &self.usage);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("content".to_owned(), content.into());
            fields.extend(ending(reason));
        }
        Ok(body)
    }
}

impl Encode for Message {
    fn push(&mut self, event: ChatEvent, out: &mut Vec<u8>) -> Result<(), ChatError> {
        match event {
            ChatEvent::Reasoning(text) => self.thinking.push_str(&text),
            ChatEvent::Text(text) => self.text.push_str(&text),
            ChatEvent::ToolCall { id, name, .. } => self.calls.push(ToolCall { id, name, arguments: String::new() }),
            ChatEvent::Arguments(text) => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments.push_str(&text);
                }
            }
            // The text has its links; what Anthropic's citations point to is Anthropic's own search.
            ChatEvent::Citation(_) => {}
            ChatEvent::Usage(usage) => self.usage = usage,
            ChatEvent::Finish(reason) => out.extend_from_slice(self.body(&reason)?.to_string().as_bytes()),
        }
        Ok(())
    }

    fn fail(&mut self, _error: &ChatError, _out: &mut Vec<u8>) {}
}

/// A message before its first block.
pub(super) fn opening(head: &Head, usage: &Usage) -> Value {
    json!({
        "id": format!("msg_{}", head.id), "type": "message", "role": "assistant", "model": head.model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": self::usage(usage),
    })
}

/// `stop_reason` and `stop_sequence`.
pub(super) fn ending(reason: &FinishReason) -> Map<String, Value> {
    let (name, sequence) = match reason {
        FinishReason::Stop => ("end_turn", None),
        FinishReason::StopSequence(text) => ("stop_sequence", Some(text.as_str())),
        FinishReason::Length => ("max_tokens", None),
        FinishReason::ToolCalls => ("tool_use", None),
        FinishReason::ContentFilter => ("refusal", None),
    };
    [("stop_reason", Value::from(name)), ("stop_sequence", sequence.into())]
        .map(|(field, value)| (field.to_owned(), value))
        .into_iter()
        .collect()
}

/// Anthropic's input excludes what came from the cache.
pub(super) fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt.saturating_sub(usage.cached), "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached, "output_tokens": usage.completion,
    })
}

/// Says that Weir gave these thoughts. Clients send it back; nothing depends on it (A35).
pub(super) fn signature(thinking: &str) -> String {
    let mut hasher = DefaultHasher::new();
    thinking.hash(&mut hasher);
    format!("weir-{:016x}", hasher.finish())
}

/// A call's arguments as the object that the API wants.
pub(super) fn input(arguments: &str) -> Result<Value, ChatError> {
    if arguments.trim().is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_str(arguments) {
        Ok(input @ Value::Object(_)) => Ok(input),
        _ => {
            Err(ChatError::new(ErrorKind::Upstream, "The model called a tool with arguments that are no JSON object."))
        }
    }
}
