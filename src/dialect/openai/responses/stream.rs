//! Encodes an answer's events as a response, streamed or whole (api-conformance R10–R20).
use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::{Form, Name};
use crate::chat::{ChatError, ChatEvent, Citation, ErrorKind, FinishReason, Usage};
use crate::dialect::{Encode, Head};
use crate::json;

/// Writes a response.
pub struct Encoder {
    head: Head,
    form: Rc<Form>,
    stream: bool,
    /// `response.created` and `response.in_progress` are out already.
    opened: Rc<Cell<bool>>,
    events: u64,
    /// The items that are complete.
    output: Vec<Value>,
    item: Option<Item>,
    usage: Usage,
}

/// The item that is being written.
struct Item {
    id: String,
    kind: Kind,
    /// Its text or arguments so far.
    text: String,
    annotations: Vec<Value>,
}

enum Kind {
    Reasoning,
    Message,
    Call { call_id: String, name: Name },
}

/// The status of what is being written, and of what is whole.
const OPEN: &str = "in_progress";
const DONE: &str = "completed";
/// Events that [`opening`] makes.
const OPENING_EVENTS: u64 = 2;

/// The first two events of a stream.
pub fn opening(head: &Head, form: &Form) -> Vec<u8> {
    let response = object(head, form, OPEN, Vec::new(), &Map::new());
    let mut out = Vec::new();
    for (number, name) in (0..OPENING_EVENTS).zip(["response.created", "response.in_progress"]) {
        write(name, json!({"sequence_number": number, "response": response}), &mut out);
    }
    out
}

impl Encoder {
    /// A response that begins.
    pub fn new(head: Head, form: Rc<Form>, stream: bool, opened: Rc<Cell<bool>>) -> Encoder {
        let (output, usage) = (Vec::new(), Usage::default());
        Encoder { head, form, stream, opened, events: OPENING_EVENTS, output, item: None, usage }
    }

    fn begin(&self, out: &mut Vec<u8>) {
        if self.stream && !self.opened.replace(true) {
            out.extend_from_slice(&opening(&self.head, &self.form));
        }
    }

    fn event(&mut self, name: &str, mut data: Value, out: &mut Vec<u8>) {
        if !self.stream {
            return;
        }
        if let Some(fields) = data.as_object_mut() {
            fields.insert("sequence_number".to_owned(), self.events.into());
        }
        self.events = self.events.saturating_add(1);
        write(name, data, out);
    }

    /// Opens an item of this kind, unless such a text is open already.
    fn open(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let goes_on = matches!(
            (&kind, self.item.as_ref().map(|item| &item.kind)),
            (Kind::Reasoning, Some(Kind::Reasoning)) | (Kind::Message, Some(Kind::Message))
        );
        if goes_on {
            return;
        }
        self.close(DONE, out);
        let mark = match kind {
            Kind::Reasoning => "rs",
            Kind::Message => "msg",
            Kind::Call { name: Name { is_custom: true, .. }, .. } => "ctc",
            Kind::Call { .. } => "fc",
        };
        let id = format!("{mark}_{}{:02x}", self.head.id, self.output.len());
        let item = Item { id, kind, text: String::new(), annotations: Vec::new() };
        let (index, id) = (self.output.len(), item.id.clone());
        let is_message = matches!(item.kind, Kind::Message);
        let is_reasoning = matches!(item.kind, Kind::Reasoning);
        self.event("response.output_item.added", json!({"output_index": index, "item": item.shown(OPEN)}), out);
        if is_message {
            let part = item.part();
            let data = json!({"item_id": id, "output_index": index, "content_index": 0, "part": part});
            self.event("response.content_part.added", data, out);
        }
        if is_reasoning {
            let part = json!({"type": "summary_text", "text": ""});
            let data = json!({"item_id": id, "output_index": index, "summary_index": 0, "part": part});
            self.event("response.reasoning_summary_part.added", data, out);
        }
        self.item = Some(item);
    }

    /// More of the open item.
    fn delta(&mut self, text: &str, out: &mut Vec<u8>) {
        let index = self.output.len();
        let Some(item) = &mut self.item else { return };
        item.text.push_str(text);
        let id = item.id.as_str();
        let (name, data) = match &item.kind {
            Kind::Reasoning => (
                "response.reasoning_summary_text.delta",
                json!({"item_id": id, "output_index": index, "summary_index": 0, "delta": text}),
            ),
            Kind::Message => (
                "response.output_text.delta",
                json!({"item_id": id, "output_index": index, "content_index": 0, "delta": text, "logprobs": []}),
            ),
            // Its text stands inside JSON, which must be whole to be read.
            Kind::Call { name: Name { is_custom: true, .. }, .. } => return,
            Kind::Call { .. } => {
                ("response.function_call_arguments.delta", json!({"item_id": id, "output_index": index, "delta": text}))
            }
        };
        self.event(name, data, out);
    }

    /// Ends the open item; `status` says how.
    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        let Some(mut item) = self.item.take() else { return };
        let index = self.output.len();
        let id = item.id.clone();
        match &item.kind {
            Kind::Reasoning => {
                let part = json!({"type": "summary_text", "text": item.text});
                let data = json!({"item_id": id, "output_index": index, "summary_index": 0, "text": item.text});
                self.event("response.reasoning_summary_text.done", data, out);
                let data = json!({"item_id": id, "output_index": index, "summary_index": 0, "part": part});
                self.event("response.reasoning_summary_part.done", data, out);
            }
            Kind::Message => {
                let data = json!({
                    "item_id": id, "output_index": index, "content_index": 0, "text": item.text, "logprobs": [],
                });
                self.event("response.output_text.done", data, out);
                let data = json!({"item_id": id, "output_index": index, "content_index": 0, "part": item.part()});
                self.event("response.content_part.done", data, out);
            }
            Kind::Call { name, .. } if name.is_custom => {
                item.text = custom_input(&item.text);
                let data = json!({"item_id": id, "output_index": index, "delta": item.text});
                self.event("response.custom_tool_call_input.delta", data, out);
                let data = json!({"item_id": id, "output_index": index, "input": item.text});
                self.event("response.custom_tool_call_input.done", data, out);
            }
            Kind::Call { name, .. } => {
                if item.text.trim().is_empty() {
                    item.text = "{}".to_owned();
                    let data = json!({"item_id": id, "output_index": index, "delta": "{}"});
                    self.event("response.function_call_arguments.delta", data, out);
                }
                let data = json!({"item_id": id, "output_index": index, "name": name.name, "arguments": item.text});
                self.event("response.function_call_arguments.done", data, out);
            }
        }
        let shown = item.shown(status);
        self.event("response.output_item.done", json!({"output_index": index, "item": shown}), out);
        self.output.push(shown);
    }

    fn finish(&mut self, reason: &FinishReason, out: &mut Vec<u8>) {
        self.begin(out);
        let why = match reason {
            FinishReason::Length => Some("max_output_tokens"),
            FinishReason::ContentFilter => Some("content_filter"),
            FinishReason::Stop | FinishReason::StopSequence(_) | FinishReason::ToolCalls => None,
        };
        let status = if why.is_some() { "incomplete" } else { DONE };
        self.close(status, out);
        let mut end = Map::new();
        end.insert("usage".to_owned(), usage(&self.usage));
        if let Some(why) = why {
            end.insert("incomplete_details".to_owned(), json!({"reason": why}));
        }
        let response = object(&self.head, &self.form, status, self.output.clone(), &end);
        if self.stream {
            self.event(&format!("response.{status}"), json!({"response": response}), out);
        } else {
            out.extend_from_slice(response.to_string().as_bytes());
        }
        self.form.response.replace(Some(response));
    }
}

impl Encode for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut Vec<u8>) -> Result<(), ChatError> {
        match event {
            ChatEvent::Usage(usage) => self.usage = usage,
            ChatEvent::Reasoning(text) => {
                self.begin(out);
                self.open(Kind::Reasoning, out);
                self.delta(&text, out);
            }
            ChatEvent::Text(text) => {
                self.begin(out);
                self.open(Kind::Message, out);
                self.delta(&text, out);
            }
            ChatEvent::Citation(citation) => {
                if let Some(item) = self.item.as_mut().filter(|item| matches!(item.kind, Kind::Message)) {
                    item.annotations.push(annotation(&citation, item.text.chars().count()));
                }
            }
            ChatEvent::ToolCall { id, name, .. } => {
                self.begin(out);
                let known = self.form.names.iter().find(|(flat, _)| *flat == name);
                let name = match known {
                    Some((_, known)) => known.clone(),
                    None => Name { name, ..Name::default() },
                };
                self.open(Kind::Call { call_id: id, name }, out);
            }
            ChatEvent::Arguments(text) => self.delta(&text, out),
            ChatEvent::Finish(reason) => self.finish(&reason, out),
        }
        Ok(())
    }

    fn fail(&mut self, error: &ChatError, out: &mut Vec<u8>) {
        self.begin(out);
        let code = match error.kind {
            // Codex repeats what fails for other causes.
            _ if let Some(passed) = &error.passed => Some(passed.code.as_deref().unwrap_or("invalid_prompt")),
            ErrorKind::RateLimited | ErrorKind::QueueFull | ErrorKind::KeyLimit => Some("rate_limit_exceeded"),
            _ => None,
        };
        let mut end = Map::new();
        end.insert("error".to_owned(), json!({"code": code.unwrap_or("server_error"), "message": error.message}));
        let response = object(&self.head, &self.form, "failed", self.output.clone(), &end);
        self.event("response.failed", json!({"response": response}), out);
    }
}

impl Item {
    fn part(&self) -> Value {
        json!({"type": "output_text", "text": self.text, "annotations": self.annotations, "logprobs": []})
    }

    fn shown(&self, status: &str) -> Value {
        let (id, is_done) = (&self.id, status != OPEN);
        match &self.kind {
            Kind::Reasoning => {
                let part = json!({"type": "summary_text", "text": self.text});
                let summary = if is_done { vec![part] } else { Vec::new() };
                json!({"type": "reasoning", "id": id, "summary": summary, "encrypted_content": null})
            }
            Kind::Message => {
                let content = if is_done { vec![self.part()] } else { Vec::new() };
                json!({"type": "message", "id": id, "status": status, "role": "assistant", "content": content})
            }
            Kind::Call { call_id, name } => {
                let (kind, field) =
                    if name.is_custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
                let mut item = json!({
                    "type": kind, "id": id, "call_id": call_id, "name": name.name, "status": status,
                });
                if let Some(fields) = item.as_object_mut() {
                    fields.insert(field.to_owned(), self.text.as_str().into());
                    if let Some(namespace) = &name.namespace {
                        fields.insert("namespace".to_owned(), namespace.as_str().into());
                    }
                }
                item
            }
        }
    }
}

/// The text that a model of functions gave as `{"input": …}`; what it gave otherwise is the text itself.
fn custom_input(arguments: &str) -> String {
    let value = json::parse(arguments).ok();
    let input = value.as_ref().and_then(|value| value.get("input")?.as_str());
    input.unwrap_or(arguments).to_owned()
}

fn annotation(citation: &Citation, at: usize) -> Value {
    json!({"type": "url_citation", "url": citation.url, "title": citation.title, "start_index": at, "end_index": at})
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt, "output_tokens": usage.completion, "total_tokens": usage.total(),
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

/// The response object (R20).
fn object(head: &Head, form: &Form, status: &str, output: Vec<Value>, end: &Map<String, Value>) -> Value {
    let mut object = json!({
        "id": format!("resp_{}", head.id), "object": "response", "created_at": head.created, "status": status,
        "model": head.model, "output": output, "error": null, "incomplete_details": null, "usage": null,
    });
    if let Some(fields) = object.as_object_mut() {
        fields.extend(form.echo.clone());
        fields.extend(end.clone());
    }
    object
}

/// One event, whose name stands both before and in its data (R11).
fn write(name: &str, mut data: Value, out: &mut Vec<u8>) {
    if let Some(fields) = data.as_object_mut() {
        fields.insert("type".to_owned(), name.into());
    }
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}
