//! Decodes a chat for an upstream that does not speak OpenAI's format. What it cannot carry is refused by name; what has
//! no meaning for a text model, such as `temperature`, is ignored (api-conformance C1–C12).
use serde_json::Value;

use crate::chat::{ChatError, ChatRequest, Format, Message, Part, Role, Tool, ToolCall, ToolChoice};
use crate::dialect::fields::{Field, parse};

/// Reads the body of a chat.
///
/// # Errors
/// `InvalidRequest` that names the field, for wrong types and for what a text model cannot do: audio, several choices, log
/// probabilities, tools that are no functions.
pub fn decode(body: &[u8]) -> Result<ChatRequest, ChatError> {
    let body = parse(body)?;
    let body = Field::root(&body);
    let refuse = |is_so: bool, field: &str, can: &str| match is_so {
        true => Err(ChatError::field(field, format!("`{field}`: this model's upstream gives {can}."))),
        false => Ok(()),
    };
    refuse(body.at("n").number()?.is_some_and(|n| n != 1), "n", "one choice at a time")?;
    refuse(body.at("logprobs").flag()? == Some(true), "logprobs", "no log probabilities")?;
    let modalities = body.at("modalities").texts()?;
    let is_audio = body.at("audio").is_there() || modalities.iter().any(|modality| modality != "text");
    refuse(is_audio, "modalities", "text alone")?;
    let mut tools = tools(&body)?;
    let tool_choice = match [body.at("tool_choice"), body.at("function_call")].into_iter().find(Field::is_there) {
        Some(choice) => tool_choice(choice.value, &mut tools)?,
        None => ToolChoice::Auto,
    };
    let stop = body.at("stop");
    let stop = if stop.value.is_string() { stop.text()?.into_iter().collect() } else { stop.texts()? };
    let (effort, thinking) = (body.at("reasoning_effort").text()?, body.at("thinking").object()?);
    Ok(ChatRequest {
        messages: body.at("messages").items()?.iter().map(message).collect::<Result<_, _>>()?,
        tools,
        tool_choice,
        parallel_tool_calls: body.at("parallel_tool_calls").flag()?.unwrap_or(true),
        format: format(&body.at("response_format").object()?)?,
        reasoning: match thinking.at("type").text()? {
            Some(thinking) => Some(thinking != "disabled"),
            None => effort.as_deref().map(|effort| effort != "none"),
        },
        effort,
        search: body.at("web_search_options").is_there().then_some(true),
        stop: stop.into_iter().filter(|text| !text.is_empty()).collect(),
        max_tokens: body.at("max_completion_tokens").number()?.or(body.at("max_tokens").number()?),
        temperature: body.at("temperature").fraction()?,
        top_p: body.at("top_p").fraction()?,
    })
}

fn message(message: &Field) -> Result<Message, ChatError> {
    let role = match message.at("role").needed_text()?.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => return Err(message.at("role").wrong("one of system, developer, user, assistant, tool, function")),
    };
    let content = message.at("content");
    let mut parts = match content.value {
        Value::Array(_) => content.items()?.iter().map(|part| read_part(part, role)).collect::<Result<_, _>>()?,
        Value::Null => Vec::new(),
        Value::String(text) => vec![Part::Text(text.clone())],
        _ => return Err(content.wrong("a string or an array of parts")),
    };
    parts.extend(message.at("refusal").text()?.map(Part::Text));
    let mut tool_calls = Vec::new();
    for call in message.at("tool_calls").items()? {
        if call.at("function").is_there() {
            tool_calls.push(tool_call(&call.at("function"), call.at("id").text()?)?);
        }
    }
    if message.at("function_call").is_there() {
        tool_calls.push(tool_call(&message.at("function_call"), None)?);
    }
    let name = message.at("name").text()?.filter(|_| role == Role::Tool);
    Ok(Message {
        role,
        parts,
        reasoning: message.at("reasoning_content").text()?.filter(|text| !text.is_empty()),
        tool_calls,
        tool_call_id: message.at("tool_call_id").text()?.or(name),
        failed: false,
    })
}

fn tool_call(function: &Field, id: Option<String>) -> Result<ToolCall, ChatError> {
    let name = function.at("name").needed_text()?;
    let arguments = function.at("arguments").text()?.unwrap_or_default();
    Ok(ToolCall { id: id.unwrap_or_else(|| name.clone()), name, arguments })
}

/// A part of a message, as Chat Completions and Responses name them.
pub(super) fn read_part(part: &Field, role: Role) -> Result<Part, ChatError> {
    let kind = part.at("type").needed_text()?;
    let at = part.path.clone();
    let image = part.at("image_url");
    let file = if kind == "file" { part.at("file") } else { Field { value: part.value, path: at.clone() } };
    match kind.as_str() {
        "text" | "input_text" | "output_text" => Ok(Part::Text(part.at("text").needed_text()?)),
        "refusal" => Ok(Part::Text(part.at("refusal").needed_text()?)),
        "image_url" | "input_image" if image.value.is_string() => {
            Ok(Part::Image { url: image.needed_text()?, detail: part.at("detail").text()?, at })
        }
        "image_url" | "input_image" => {
            Ok(Part::Image { url: image.at("url").needed_text()?, detail: image.at("detail").text()?, at })
        }
        "file" | "input_file" if file.at("file_data").is_there() => {
            Ok(Part::File { name: file.at("filename").text()?, data: file.at("file_data").needed_text()?, at })
        }
        // Else an agent whose tool once gave such a thing could never go on (C7).
        _ if role == Role::Tool => Ok(Part::Text(format!("[{kind}: cannot be shown to this model]"))),
        _ => Err(ChatError::field(&part.path, format!("`{}`: this model's upstream takes no `{kind}`.", part.path))),
    }
}

fn tools(body: &Field) -> Result<Vec<Tool>, ChatError> {
    let mut tools = Vec::new();
    for tool in body.at("tools").items()? {
        let kind = tool.at("type").needed_text()?;
        if kind != "function" {
            let message = format!("`{}`: this model's upstream takes functions, no `{kind}` tools.", tool.path);
            return Err(ChatError::field(&tool.path, message));
        }
        tools.push(read_function(&tool.at("function"))?);
    }
    for function in body.at("functions").items()? {
        tools.push(read_function(&function)?);
    }
    Ok(tools)
}

fn read_function(function: &Field) -> Result<Tool, ChatError> {
    let parameters = function.at("parameters");
    Ok(Tool {
        name: function.at("name").needed_text()?,
        description: function.at("description").text()?,
        parameters: if parameters.is_there() {
            parameters.value.clone()
        } else {
            Value::Object(serde_json::Map::new())
        },
        strict: function.at("strict").flag()?,
    })
}

fn format(format: &Field) -> Result<Format, ChatError> {
    match format.at("type").text()?.as_deref() {
        None | Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => {
            let wanted = format.at("json_schema").object()?;
            let schema = wanted.at("schema").object()?;
            if !schema.is_there() {
                return Ok(Format::Json);
            }
            let (name, strict) = (wanted.at("name").text()?, wanted.at("strict").flag()?);
            Ok(Format::Schema { schema: schema.value.clone(), name, strict })
        }
        Some(_) => Err(format.at("type").wrong("text, json_object or json_schema")),
    }
}

/// `tool_choice` in all its forms (C10), and the older `function_call`. Where the caller allows some tools alone, only
/// those are left.
pub(super) fn tool_choice(choice: &Value, tools: &mut Vec<Tool>) -> Result<ToolChoice, ChatError> {
    let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let name_of = |value: &Value| ["/function/name", "/custom/name", "/name"].iter().find_map(|at| text(value, at));
    // Responses has the fields of `allowed_tools` at the top.
    let allowed = choice.get("allowed_tools").unwrap_or(choice);
    if let Some(names) = allowed.get("tools").and_then(Value::as_array) {
        let names: Vec<String> = names.iter().filter_map(name_of).collect();
        tools.retain(|tool| names.contains(&tool.name));
    }
    let word = choice.as_str().map(str::to_owned).or_else(|| text(allowed, "/mode"));
    match (word.as_deref(), name_of(choice)) {
        (Some("auto"), _) => Ok(ToolChoice::Auto),
        (Some("none"), _) => Ok(ToolChoice::None),
        (Some("required" | "any"), _) => Ok(ToolChoice::Required),
        (None, Some(name)) if tools.iter().any(|tool| tool.name == name) => Ok(ToolChoice::Named(name)),
        (None, Some(name)) => {
            Err(ChatError::field("tool_choice", format!("`tool_choice` names `{name}`, which is not in `tools`.")))
        }
        _ => Err(ChatError::field("tool_choice", "`tool_choice` must be auto, none, required, or name a function.")),
    }
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
