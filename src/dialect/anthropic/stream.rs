//! Encodes an answer's events as Anthropic's stream (api-conformance A30–A39).
use serde_json::{Value, json};

use super::answer::{Form, ending, input, opening, signature, usage};
use super::error;
use crate::chat::{ChatError, ChatEvent, FinishReason, Usage};
use crate::dialect::{Encode, Head};

/// Writes a stream.
pub struct Encoder {
    head: Head,
    form: Form,
    begun: bool,
    block: Option<Block>,
    /// Of the open block, or of the next one.
    index: u32,
    /// There was a block other than of thoughts.
    said: bool,
    usage: Usage,
}

/// The block that is open. Only one is, at any time.
enum Block {
    Text,
    /// With the thoughts so far.
    Thinking(String),
    /// With the arguments so far.
    Tool(String),
}

impl Encoder {
    /// A stream that begins.
    pub fn new(head: &Head, form: Form) -> Encoder {
        let usage = Usage { prompt: form.input_tokens, ..Usage::default() };
        Encoder { head: head.clone(), form, begun: false, block: None, index: 0, said: false, usage }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            let message = opening(&self.head, &Usage { completion: 0, ..self.usage });
            event("message_start", &json!({"type": "message_start", "message": message}), out);
        }
    }

    fn open(&mut self, block: Block, content: &Value, out: &mut Vec<u8>) {
        self.begin(out);
        let start = json!({"type": "content_block_start", "index": self.index, "content_block": content});
        event("content_block_start", &start, out);
        self.said |= !matches!(block, Block::Thinking(_));
        self.block = Some(block);
    }

    fn close(&mut self, is_cut: bool, out: &mut Vec<u8>) -> Result<(), ChatError> {
        match self.block.take() {
            None => return Ok(()),
            Some(Block::Text) => {}
            Some(Block::Thinking(text)) => {
                self.delta(&json!({"type": "signature_delta", "signature": signature(&text)}), out);
            }
            Some(Block::Tool(arguments)) if arguments.trim().is_empty() => {
                self.delta(&json!({"type": "input_json_delta", "partial_json": "{}"}), out);
            }
            // Where the answer was cut for its length, so are its arguments.
            Some(Block::Tool(arguments)) if !is_cut => drop(input(&arguments)?),
            Some(Block::Tool(_)) => {}
        }
        event("content_block_stop", &json!({"type": "content_block_stop", "index": self.index}), out);
        self.index = self.index.saturating_add(1);
        Ok(())
    }

    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        event("content_block_delta", &json!({"type": "content_block_delta", "index": self.index, "delta": delta}), out);
    }

    /// The delta of one text field, which most events are: written without a tree of values.
    fn text_delta(&self, kind: &str, field: &str, text: &str, out: &mut Vec<u8>) {
        let head = format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{},\"delta\":{{\"type\":\"{kind}\",\"{field}\":",
            self.index
        );
        out.extend_from_slice(head.as_bytes());
        // Writing a text into memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, text);
        out.extend_from_slice(b"}}\n\n");
    }

    fn finish(&mut self, reason: &FinishReason, out: &mut Vec<u8>) -> Result<(), ChatError> {
        self.close(*reason == FinishReason::Length, out)?;
        if !self.said {
            // An empty message makes Claude Code ask again.
            self.open(Block::Text, &json!({"type": "text", "text": ""}), out);
            self.close(false, out)?;
        }
        let delta = json!({"type": "message_delta", "delta": ending(reason), "usage": usage(&self.usage)});
        event("message_delta", &delta, out);
        event("message_stop", &json!({"type": "message_stop"}), out);
        Ok(())
    }
}

impl Encode for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut Vec<u8>) -> Result<(), ChatError> {
        match event {
            ChatEvent::Usage(usage) => self.usage = usage,
            // The text has its links; what Anthropic's citations point to is Anthropic's own search.
            ChatEvent::Citation(_) => {}
            // The caller takes no thoughts, and waits for what comes after them.
            ChatEvent::Reasoning(_) if !self.form.thinks => self.begin(out),
            ChatEvent::Reasoning(text) => {
                if !matches!(self.block, Some(Block::Thinking(_))) {
                    self.close(false, out)?;
                    let block = json!({"type": "thinking", "thinking": "", "signature": ""});
                    self.open(Block::Thinking(String::new()), &block, out);
                }
                self.text_delta("thinking_delta", "thinking", &text, out);
                if let Some(Block::Thinking(all)) = &mut self.block {
                    all.push_str(&text);
                }
            }
            ChatEvent::Text(text) => {
                if !matches!(self.block, Some(Block::Text)) {
                    self.close(false, out)?;
                    self.open(Block::Text, &json!({"type": "text", "text": ""}), out);
                }
                self.text_delta("text_delta", "text", &text, out);
            }
            ChatEvent::ToolCall { id, name, .. } => {
                self.close(false, out)?;
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.open(Block::Tool(String::new()), &block, out);
            }
            ChatEvent::Arguments(text) => {
                self.text_delta("input_json_delta", "partial_json", &text, out);
                if let Some(Block::Tool(all)) = &mut self.block {
                    all.push_str(&text);
                }
            }
            ChatEvent::Finish(reason) => self.finish(&reason, out)?,
        }
        Ok(())
    }

    fn fail(&mut self, error: &ChatError, out: &mut Vec<u8>) {
        event("error", &error::body(error, &self.head.request_id), out);
    }
}

/// One event, whose name stands both before and in its data (A31).
fn event(name: &str, data: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}
