//! Input items, and the messages that they make (api-conformance R4).
use serde_json::{Map, Value, json};

use super::tools::flat_name;
use crate::chat::{ChatError, Message, Part, Role, ToolCall};
use crate::dialect::fields::Field;
use crate::dialect::openai::chat::read_part;

/// What a list of items says.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) messages: Vec<Message>,
    /// Lists of tools that stood among the items (R6), and where.
    pub(super) tools: Vec<(Value, String)>,
    /// What the model thought before what it says or calls next.
    reasoning: Option<String>,
}

/// The items, with what was kept in place of what is named by its id.
pub(super) fn resolved(items: Vec<Value>, kept: &Map<String, Value>) -> Result<Vec<Value>, ChatError> {
    let resolve = |(index, item): (usize, Value)| {
        if item.get("type").is_none_or(|kind| kind != "item_reference") {
            return Ok(item);
        }
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
        kept.get(id).cloned().ok_or_else(|| {
            ChatError::field(format!("input[{index}].id"), format!("The item `{id}` is not kept here (any more)."))
        })
    };
    items.into_iter().enumerate().map(resolve).collect()
}

/// Reads a list of which the last `own` items are the caller's: errors count those alone.
pub(super) fn read(list: &Field, own: usize) -> Result<History, ChatError> {
    let mut history = History::default();
    let items = list.items()?;
    let earlier = items.len().saturating_sub(own);
    for (index, item) in items.into_iter().enumerate() {
        let path = format!("{}[{}]", list.path, index.saturating_sub(earlier));
        history.add(&Field { value: item.value, path }.needed_object()?)?;
    }
    Ok(history)
}

impl History {
    fn add(&mut self, item: &Field) -> Result<(), ChatError> {
        match item.at("type").text()?.as_deref().unwrap_or("message") {
            "message" => self.message(item)?,
            "reasoning" => {
                let mut texts = Vec::new();
                for part in item.at("summary").items()?.iter().chain(&item.at("content").items()?) {
                    texts.extend(part.at("text").text()?);
                }
                texts.retain(|text| !text.is_empty());
                if !texts.is_empty() {
                    append(&mut self.reasoning, texts.join("\n"));
                }
            }
            "function_call" => {
                let arguments = item.at("arguments").text()?.unwrap_or_default();
                self.call(item, arguments)?;
            }
            "custom_tool_call" => {
                let input = item.at("input").text()?.unwrap_or_default();
                self.call(item, json!({"input": input}).to_string())?;
            }
            "local_shell_call" => {
                let call = ToolCall {
                    id: item.at("call_id").needed_text()?,
                    name: "local_shell".to_owned(),
                    arguments: item.at("action").value.to_string(),
                };
                self.calls(call);
            }
            "function_call_output" | "custom_tool_call_output" | "local_shell_call_output" => self.result(item)?,
            "additional_tools" => {
                let tools = item.at("tools");
                self.tools.push((tools.value.clone(), tools.path));
            }
            // Codex and OpenAI's servers know more kinds, which say nothing to another model.
            _ => {}
        }
        Ok(())
    }

    fn message(&mut self, item: &Field) -> Result<(), ChatError> {
        let role = match item.at("role").needed_text()?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" | "developer" => Role::System,
            _ => return Err(item.at("role").wrong("one of user, assistant, system, developer")),
        };
        let mut parts = parts(&item.at("content"), role)?;
        let reasoning = self.reasoning.take().filter(|_| role == Role::Assistant);
        match self.caller().filter(|_| role == Role::Assistant) {
            Some(last) => {
                last.parts.append(&mut parts);
                reasoning.into_iter().for_each(|text| append(&mut last.reasoning, text));
            }
            None => self.messages.push(Message { parts, reasoning, ..Message::empty(role) }),
        }
        Ok(())
    }

    /// The assistant's message that is last and calls tools: what the assistant says or calls next, before the first
    /// result, is of the same answer. Services take results nowhere but right behind their calls.
    fn caller(&mut self) -> Option<&mut Message> {
        self.messages.last_mut().filter(|last| !last.tool_calls.is_empty())
    }

    fn call(&mut self, item: &Field, arguments: String) -> Result<(), ChatError> {
        let namespace = item.at("namespace").text()?;
        let name = flat_name(namespace.as_deref(), &item.at("name").needed_text()?);
        self.calls(ToolCall { id: item.at("call_id").needed_text()?, name, arguments });
        Ok(())
    }

    /// One answer may say something and call several tools: its items are one message again.
    fn calls(&mut self, call: ToolCall) {
        let reasoning = self.reasoning.take();
        if let Some(last) = self.caller() {
            last.tool_calls.push(call);
            return reasoning.into_iter().for_each(|text| append(&mut last.reasoning, text));
        }
        match self.messages.last_mut() {
            Some(last) if last.role == Role::Assistant && reasoning.is_none() => last.tool_calls.push(call),
            _ => {
                self.messages.push(Message { reasoning, tool_calls: vec![call], ..Message::empty(Role::Assistant) });
            }
        }
    }

    fn result(&mut self, item: &Field) -> Result<(), ChatError> {
        let id = item.at("call_id").needed_text()?;
        let parts = parts(&item.at("output"), Role::Tool)?;
        let result = Message { parts, tool_call_id: Some(id), ..Message::empty(Role::Tool) };
        if let Some(place) = result.place(&self.messages) {
            self.messages.insert(place, result);
        } else {
            self.messages.push(result.as_users());
        }
        Ok(())
    }
}

/// Adds a text to another, on a line of its own.
fn append(text: &mut Option<String>, more: String) {
    *text = Some(text.take().map_or_else(String::new, |text| text + "\n") + &more);
}

fn parts(content: &Field, role: Role) -> Result<Vec<Part>, ChatError> {
    match content.value {
        Value::String(text) => Ok(vec![Part::Text(text.clone())]),
        Value::Null | Value::Array(_) => content.items()?.iter().map(|part| read_part(part, role)).collect(),
        _ => Err(content.wrong("a string or an array of parts")),
    }
}
