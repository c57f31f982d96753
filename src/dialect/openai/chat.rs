//! Decodes a chat for an upstream that does not speak OpenAI's format. What it cannot carry is refused by name; what has
//! no meaning for a text model, such as `temperature`, is ignored (api-conformance C1–C12).
use serde::Deserialize;
use serde_json::Value;

use crate::chat::{ChatError, ChatRequest, Format, Message, Part, Role, Tool, ToolCall, ToolChoice};

#[derive(Deserialize)]
struct Wire {
    messages: Vec<WireMessage>,
    tools: Option<Vec<WireTool>>,
    functions: Option<Vec<WireFunction>>,
    tool_choice: Option<Value>,
    function_call: Option<Value>,
    parallel_tool_calls: Option<bool>,
    response_format: Option<WireFormat>,
    reasoning_effort: Option<String>,
    thinking: Option<Typed>,
    web_search_options: Option<Value>,
    stop: Option<Stop>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
    logprobs: Option<bool>,
    modalities: Option<Vec<String>>,
    audio: Option<Value>,
}

#[derive(Deserialize)]
struct WireMessage {
    role: String,
    content: Option<Content>,
    reasoning_content: Option<String>,
    tool_calls: Option<Vec<WireCall>>,
    function_call: Option<WireCalled>,
    tool_call_id: Option<String>,
    name: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<WirePart>),
}

#[derive(Deserialize)]
struct WirePart {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct WireCall {
    id: Option<String>,
    function: Option<WireCalled>,
}

#[derive(Deserialize)]
struct WireCalled {
    name: String,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct WireTool {
    #[serde(rename = "type")]
    kind: String,
    function: Option<WireFunction>,
}

#[derive(Deserialize)]
struct WireFunction {
    name: String,
    description: Option<String>,
    parameters: Option<Value>,
}

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct WireFormat {
    #[serde(rename = "type")]
    kind: String,
    json_schema: Option<WireSchema>,
}

#[derive(Deserialize)]
struct WireSchema {
    schema: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Several(Vec<String>),
}

/// Reads the body of a chat.
///
/// # Errors
/// `InvalidRequest` that names the field, for wrong types and for what a text model cannot do: images outside a tool's
/// result, audio, several choices, log probabilities, tools that are no functions.
pub fn decode(body: &[u8]) -> Result<ChatRequest, ChatError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let wire: Wire = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        ChatError::field(error.path().to_string(), format!("`{}`: {}.", error.path(), error.inner()))
    })?;
    refuse(wire.n.is_some_and(|n| n != 1), "n", "one choice at a time")?;
    refuse(wire.logprobs == Some(true), "logprobs", "no log probabilities")?;
    let is_audio = wire.audio.is_some() || wire.modalities.iter().flatten().any(|modality| modality != "text");
    refuse(is_audio, "modalities", "text alone")?;
    let messages: Result<_, _> = wire.messages.into_iter().enumerate().map(|(at, message)| message.read(at)).collect();
    let tools = tools(wire.tools, wire.functions)?;
    let tool_choice = match wire.tool_choice.or(wire.function_call) {
        Some(choice) => tool_choice(&choice, &tools)?,
        None => ToolChoice::Auto,
    };
    Ok(ChatRequest {
        messages: messages?,
        tools,
        tool_choice,
        parallel_tool_calls: wire.parallel_tool_calls.unwrap_or(true),
        format: wire.response_format.map(WireFormat::read).transpose()?.unwrap_or_default(),
        reasoning: match (wire.thinking, wire.reasoning_effort.as_deref()) {
            (Some(thinking), _) => Some(thinking.kind != "disabled"),
            (None, Some(effort)) => Some(effort != "none"),
            (None, None) => None,
        },
        search: wire.web_search_options.map(|_| true),
        stop: match wire.stop {
            Some(Stop::One(text)) => vec![text],
            Some(Stop::Several(texts)) => texts,
            None => Vec::new(),
        }
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect(),
        max_tokens: wire.max_completion_tokens.or(wire.max_tokens),
    })
}

fn refuse(is_so: bool, field: &str, can: &str) -> Result<(), ChatError> {
    if is_so {
        return Err(ChatError::field(field, format!("`{field}`: this model's upstream gives {can}.")));
    }
    Ok(())
}

impl WireMessage {
    fn read(self, at: usize) -> Result<Message, ChatError> {
        let role = match self.role.as_str() {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" | "function" => Role::Tool,
            _ => {
                let field = format!("messages[{at}].role");
                let message = format!("`{field}` must be one of system, developer, user, assistant, tool, function.");
                return Err(ChatError::field(field, message));
            }
        };
        let mut parts = match self.content {
            None => Vec::new(),
            Some(Content::Text(text)) => vec![Part::Text(text)],
            Some(Content::Parts(parts)) => {
                let read =
                    |(index, part): (usize, WirePart)| part.read(role, &format!("messages[{at}].content[{index}]"));
                parts.into_iter().enumerate().map(read).collect::<Result<_, _>>()?
            }
        };
        parts.extend(self.refusal.map(Part::Text));
        let calls = self.tool_calls.into_iter().flatten().filter_map(|call| Some((call.id, call.function?)));
        let calls = calls.chain(self.function_call.map(|function| (None, function)));
        let call = |(id, function): (Option<String>, WireCalled)| ToolCall {
            id: id.unwrap_or_else(|| function.name.clone()),
            name: function.name,
            arguments: function.arguments.unwrap_or_default(),
        };
        Ok(Message {
            role,
            parts,
            reasoning: self.reasoning_content.filter(|text| !text.is_empty()),
            tool_calls: calls.map(call).collect(),
            tool_call_id: self.tool_call_id.or(self.name.filter(|_| role == Role::Tool)),
        })
    }
}

impl WirePart {
    fn read(self, role: Role, field: &str) -> Result<Part, ChatError> {
        match (self.kind.as_str(), self.text.or(self.refusal)) {
            ("text" | "refusal" | "input_text" | "output_text", Some(text)) => Ok(Part::Text(text)),
            // Else an agent whose tool once gave a picture could never go on (C7).
            (kind, _) if role == Role::Tool => Ok(Part::Text(format!("[{kind}: this model reads text alone]"))),
            (kind, _) => Err(ChatError::field(field, format!("`{field}`: this model's upstream takes no `{kind}`."))),
        }
    }
}

fn tools(tools: Option<Vec<WireTool>>, functions: Option<Vec<WireFunction>>) -> Result<Vec<Tool>, ChatError> {
    let mut read = Vec::new();
    for (at, tool) in tools.into_iter().flatten().enumerate() {
        match tool.function {
            Some(function) if tool.kind == "function" => read.push(function),
            _ => {
                let field = format!("tools[{at}]");
                let message = format!("`{field}`: this model's upstream takes functions, no `{}` tools.", tool.kind);
                return Err(ChatError::field(field, message));
            }
        }
    }
    let tool = |function: WireFunction| Tool {
        name: function.name,
        description: function.description,
        parameters: function.parameters.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
    };
    Ok(read.into_iter().chain(functions.into_iter().flatten()).map(tool).collect())
}

/// `tool_choice` in all its forms (C10), and the older `function_call`.
fn tool_choice(choice: &Value, tools: &[Tool]) -> Result<ToolChoice, ChatError> {
    let text = |pointer: &str| choice.pointer(pointer).and_then(Value::as_str);
    let word = choice.as_str().or_else(|| text("/allowed_tools/mode"));
    let name = text("/function/name").or_else(|| text("/custom/name")).or_else(|| text("/name"));
    match (word, name) {
        (Some("auto"), _) => Ok(ToolChoice::Auto),
        (Some("none"), _) => Ok(ToolChoice::None),
        (Some("required" | "any"), _) => Ok(ToolChoice::Required),
        (None, Some(name)) if tools.iter().any(|tool| tool.name == name) => Ok(ToolChoice::Named(name.to_owned())),
        (None, Some(name)) => {
            Err(ChatError::field("tool_choice", format!("`tool_choice` names `{name}`, which is not in `tools`.")))
        }
        _ => Err(ChatError::field("tool_choice", "`tool_choice` must be auto, none, required, or name a function.")),
    }
}

impl WireFormat {
    fn read(self) -> Result<Format, ChatError> {
        match self.kind.as_str() {
            "text" => Ok(Format::Text),
            "json_object" => Ok(Format::Json),
            "json_schema" => match self.json_schema.and_then(|wire| wire.schema) {
                Some(schema) => Ok(Format::Schema(schema)),
                None => Ok(Format::Json),
            },
            _ => {
                let message = "`response_format.type` must be text, json_object or json_schema.";
                Err(ChatError::field("response_format.type", message))
            }
        }
    }
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
