//! Decodes a call of the Responses API (api-conformance R1–R7).
use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::{Form, items, tools};
use crate::chat::{Body, ChatError, ChatRequest, Endpoint, Envelope, Format, Message, Role, ToolChoice};
use crate::dialect;
use crate::dialect::fields::Field;
use crate::dialect::openai::chat::tool_choice;
use crate::tokens;

/// The fields that a response repeats, and what they are where the request does not say.
const ECHOED: [(&str, Value); 7] = [
    ("instructions", Value::Null),
    ("max_output_tokens", Value::Null),
    ("previous_response_id", Value::Null),
    ("temperature", Value::Null),
    ("top_p", Value::Null),
    ("user", Value::Null),
    ("reasoning", Value::Null),
];

/// What a request refers to that was kept of earlier ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The response that it continues.
    pub previous: Option<String>,
    /// Items that it names by their ids.
    pub items: Vec<String>,
}

/// What was found of it.
#[derive(Debug, Default)]
pub struct Earlier {
    /// The items of the response that is continued and of those before it, oldest first.
    pub conversation: Vec<Value>,
    /// The items that were named.
    pub items: Map<String, Value>,
}

/// What a body refers to.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub fn wanted(body: &Value) -> Result<Wanted, ChatError> {
    let body = Field::root(body);
    let input = body.at("input");
    let mut items = Vec::new();
    if input.value.is_array() {
        for item in input.items()? {
            if item.at("type").value == "item_reference" {
                items.push(item.at("id").needed_text()?);
            }
        }
    }
    Ok(Wanted { previous: body.at("previous_response_id").text()?, items })
}

/// Reads one call.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub fn decode(body: &Value, bytes: usize, earlier: Earlier) -> Result<(Envelope, dialect::Form), ChatError> {
    let body = Field::root(body);
    for field in ["conversation", "prompt"] {
        if body.at(field).is_there() {
            return Err(ChatError::field(field, format!("`{field}` is not supported here.")));
        }
    }
    if body.at("background").flag()? == Some(true) {
        return Err(ChatError::field("background", "`background`: responses are made at once here."));
    }
    let model = body.at("model").needed_name()?;
    let input = body.at("input");
    let own = match input.value {
        Value::String(text) => vec![json!({"type": "message", "role": "user", "content": text})],
        Value::Array(items) if !items.is_empty() => items.clone(),
        _ => return Err(input.wrong("a string or a non-empty array of items")),
    };
    let own = items::resolved(own, &earlier.items)?;
    let history: Value = earlier.conversation.into_iter().chain(own.iter().cloned()).collect();
    let history = items::read(&Field { value: &history, path: "input".to_owned() }, own.len())?;
    let mut offered = tools::Offered::default();
    offered.add(&body.at("tools"))?;
    for (value, path) in &history.tools {
        offered.add(&Field { value, path: path.clone() })?;
    }
    let tools::Offered { mut tools, names, searches } = offered;
    let choice = body.at("tool_choice");
    let instructions = body.at("instructions").text()?.filter(|text| !text.is_empty());
    let mut messages: Vec<Message> = instructions.map(|text| Message::new(Role::System, text)).into_iter().collect();
    messages.extend(history.messages);
    let effort = body.at("reasoning").object()?.at("effort").text()?;
    let chat = ChatRequest {
        messages,
        tool_choice: match choice.value {
            Value::Null => ToolChoice::Auto,
            // A tool that OpenAI's servers run is run by the service itself, or not at all.
            value if value.get("type").is_some_and(tools::is_hosted) => ToolChoice::Auto,
            value => tool_choice(&tools::flat(value), &mut tools)?,
        },
        tools,
        parallel_tool_calls: body.at("parallel_tool_calls").flag()?.unwrap_or(true),
        format: format(&body.at("text").object()?.at("format").object()?)?,
        reasoning: effort.as_deref().map(|effort| effort != "none"),
        effort,
        search: searches.then_some(true),
        stop: Vec::new(),
        max_tokens: body.at("max_output_tokens").number()?,
        temperature: body.at("temperature").fraction()?,
        top_p: body.at("top_p").fraction()?,
    };
    let is_kept = body.at("store").flag()?.unwrap_or(true);
    let form = Form {
        echo: echo(&body, is_kept),
        names,
        kept_input: is_kept.then_some(own),
        previous: body.at("previous_response_id").text()?,
        response: RefCell::default(),
    };
    let prompt_tokens = tokens::of_request(&chat);
    let envelope = Envelope {
        endpoint: Endpoint::Chat,
        model,
        stream: body.at("stream").flag()?.unwrap_or(false),
        conversation: Some(chat.conversation()),
        tokens: Envelope::estimate(bytes, chat.max_tokens),
        body: Body::Chat { chat: Box::new(chat), prompt_tokens },
    };
    Ok((envelope, dialect::Form::Responses(Rc::new(form))))
}

fn echo(body: &Field, is_kept: bool) -> Map<String, Value> {
    let mut echo = Map::new();
    for (field, default) in ECHOED {
        let value = body.at(field);
        echo.insert(field.to_owned(), if value.is_there() { value.value.clone() } else { default });
    }
    let or =
        |field: &str, default: Value| if body.at(field).is_there() { body.at(field).value.clone() } else { default };
    echo.insert("tools".to_owned(), or("tools", json!([])));
    echo.insert("tool_choice".to_owned(), or("tool_choice", "auto".into()));
    echo.insert("parallel_tool_calls".to_owned(), or("parallel_tool_calls", true.into()));
    echo.insert("metadata".to_owned(), or("metadata", json!({})));
    echo.insert("text".to_owned(), or("text", json!({"format": {"type": "text"}})));
    echo.insert("truncation".to_owned(), or("truncation", "disabled".into()));
    echo.insert("store".to_owned(), is_kept.into());
    echo
}

fn format(format: &Field) -> Result<Format, ChatError> {
    match format.at("type").text()?.as_deref() {
        None | Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => {
            let schema = format.at("schema").needed_object()?.value.clone();
            Ok(Format::Schema { schema, name: format.at("name").text()?, strict: format.at("strict").flag()? })
        }
        Some(_) => Err(format.at("type").wrong("text, json_object or json_schema")),
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
