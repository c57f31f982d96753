//! Encodes an answer's events as one message of Anthropic's API (api-conformance A25).
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use crate::chat::{ChatError, ChatEvent, ErrorKind, FinishReason, ToolCall, Usage};
use crate::dialect::{Encode, Head};
use crate::json;

/// What an answer needs to know of its request.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The caller takes thoughts (A20).
    pub thinks: bool,
    /// Our own count of the request.
    pub input_tokens: u64,
}

/// Collects a whole message, block by block as they come.
pub struct Message {
    head: Head,
    form: Form,
    blocks: Vec<Block>,
    usage: Usage,
}

enum Block {
    Thinking(String),
    Text(String),
    Call(ToolCall),
}

impl Message {
    /// A message that begins.
    pub fn new(head: Head, form: Form) -> Message {
        Message { head, form, blocks: Vec::new(), usage: Usage { prompt: form.input_tokens, ..Usage::default() } }
    }

    fn body(&self, reason: &FinishReason) -> Result<Value, ChatError> {
        let mut content = Vec::with_capacity(self.blocks.len());
        for (index, block) in self.blocks.iter().enumerate() {
            let shown = match block {
                Block::Thinking(text) => json!({"type": "thinking", "thinking": text, "signature": signature(text)}),
                Block::Text(text) => json!({"type": "text", "text": text}),
                Block::Call(call) => match input(&call.arguments) {
                    Ok(input) => json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}),
                    // Where the answer was cut for its length, so was its last call: half of one is none.
                    Err(_) if *reason == FinishReason::Length && index + 1 == self.blocks.len() => continue,
                    Err(error) => return Err(error),
                },
            };
            content.push(shown);
        }
        // An empty message makes Claude Code ask again.
        if content.iter().all(|block| block.get("type").is_some_and(|kind| kind == "thinking")) {
            content.push(json!({"type": "text", "text": ""}));
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
        match (event, self.blocks.last_mut()) {
            (ChatEvent::Reasoning(_), _) if !self.form.thinks => {}
            (ChatEvent::Reasoning(text), Some(Block::Thinking(all))) => all.push_str(&text),
            (ChatEvent::Reasoning(text), _) => self.blocks.push(Block::Thinking(text)),
            (ChatEvent::Text(text), Some(Block::Text(all))) => all.push_str(&text),
            (ChatEvent::Text(text), _) => self.blocks.push(Block::Text(text)),
            (ChatEvent::ToolCall { id, name, .. }, _) => {
                self.blocks.push(Block::Call(ToolCall { id, name, arguments: String::new() }));
            }
            (ChatEvent::Arguments(text), Some(Block::Call(call))) => call.arguments.push_str(&text),
            // The text has its links; what Anthropic's citations point to is Anthropic's own search.
            (ChatEvent::Citation(_) | ChatEvent::Arguments(_), _) => {}
            (ChatEvent::Usage(usage), _) => self.usage = usage,
            (ChatEvent::Finish(reason), _) => out.extend_from_slice(self.body(&reason)?.to_string().as_bytes()),
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
    match json::parse(arguments) {
        Ok(input @ Value::Object(_)) => Ok(input),
        _ => {
            Err(ChatError::new(ErrorKind::Upstream, "The model called a tool with arguments that are no JSON object."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(events: Vec<ChatEvent>) -> Result<Value, ChatError> {
        let head = Head { id: "1".into(), created: 0, model: "m".into(), request_id: "r".into() };
        let mut message = Message::new(head, Form { thinks: true, input_tokens: 7 });
        let mut out = Vec::new();
        for event in events {
            message.push(event, &mut out)?;
        }
        Ok(serde_json::from_slice(&out).unwrap())
    }

    fn call(index: u32, arguments: &str) -> [ChatEvent; 2] {
        let id = format!("call_{index}");
        [ChatEvent::ToolCall { index, id, name: "f".into() }, ChatEvent::Arguments(arguments.into())]
    }

    #[test]
    fn a_call_that_was_cut_for_its_length_is_left_out() {
        let cut = |first: &str| {
            let events = [call(0, first), call(1, "{\"a\":\"lo")].concat();
            whole([events, vec![ChatEvent::Finish(FinishReason::Length)]].concat())
        };
        let message = cut("{}").unwrap();
        let content = json!([{"type": "tool_use", "id": "call_0", "name": "f", "input": {}}]);
        assert_eq!((&message["content"], &message["stop_reason"]), (&content, &json!("max_tokens")));
        assert!(cut("{").is_err(), "what was not cut is wrong");
        let finish = |reason| [call(0, "{\"a\"").to_vec(), vec![ChatEvent::Finish(reason)]].concat();
        let message = whole(finish(FinishReason::Length)).unwrap();
        assert_eq!(message["content"], json!([{"type": "text", "text": ""}]));
        assert!(whole(finish(FinishReason::ToolCalls)).is_err());
    }

    #[test]
    fn an_answer_is_never_without_a_block_besides_its_thoughts() {
        let thoughts = ChatEvent::Reasoning("hm".into());
        let message = whole(vec![thoughts, ChatEvent::Finish(FinishReason::Stop)]).unwrap();
        let kinds: Vec<&Value> = message["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
        assert_eq!(kinds, ["thinking", "text"]);
    }
}
