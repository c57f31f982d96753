//! A chat in OpenAI's format, for a caller who speaks another one.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::chat::{ChatRequest, Format, Message, Part, Role, Tool, ToolCall, ToolChoice};
use crate::tools;

/// How a service is told whether to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reasoning {
    /// By `thinking: {"type": …}`, as Ark and DeepSeek have it (protocols: B1.2, B2.2); how hard, by `reasoning_effort`.
    Thinking,
    /// By `reasoning_effort`, where the caller says how hard.
    Effort,
}

/// What a service takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How it is told to think.
    pub reasoning: Reasoning,
    /// The most answer tokens that may be asked for.
    pub max_tokens: Option<u64>,
    /// The field that says how many are asked for.
    pub max_tokens_field: &'static str,
    /// Whether `response_format` may hold a schema (protocols: B2.3).
    pub schemas: bool,
}

/// The body of a streamed call. Stop sequences are not in it: the service would not say which one it met.
pub fn body(chat: &ChatRequest, model: &str, limits: Limits) -> Vec<u8> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            body.insert(name.to_owned(), value);
        }
    };
    set("model", model.into());
    let is_told = !limits.schemas && matches!(chat.format, Format::Schema { .. });
    let rules = if is_told { tools::format_instructions(&chat.format) } else { None };
    set("messages", messages(rules, &chat.messages));
    set("stream", true.into());
    set("stream_options", json!({"include_usage": true}));
    if !chat.tools.is_empty() {
        set("tools", chat.tools.iter().map(tool).collect());
        set("tool_choice", tool_choice(&chat.tool_choice));
        set("parallel_tool_calls", if chat.parallel_tool_calls { Value::Null } else { false.into() });
    }
    set("response_format", format(if is_told { &Format::Json } else { &chat.format }));
    set(limits.max_tokens_field, chat.max_tokens.map(|most| most.min(limits.max_tokens.unwrap_or(u64::MAX))).into());
    set("temperature", chat.temperature.into());
    set("top_p", chat.top_p.into());
    if let (Reasoning::Thinking, Some(thinks)) = (limits.reasoning, chat.reasoning) {
        set("thinking", json!({"type": if thinks { "enabled" } else { "disabled" }}));
    }
    // Ark refuses an effort where there is to be no thinking.
    if chat.reasoning != Some(false) {
        set("reasoning_effort", chat.effort.as_deref().into());
    }
    Value::from(body).to_string().into_bytes()
}

fn messages(rules: Option<String>, messages: &[Message]) -> Value {
    let mut out = Vec::with_capacity(messages.len());
    out.extend(rules.map(|rules| json!({"role": "system", "content": rules})));
    // Nobody but a user may show anything: what others do comes after them, in the user's name.
    let mut shown: Vec<Value> = Vec::new();
    for message in messages {
        if message.role != Role::Tool && !shown.is_empty() {
            out.push(json!({"role": "user", "content": std::mem::take(&mut shown)}));
        }
        if message.role != Role::User {
            shown.extend(message.parts.iter().filter(|part| !matches!(part, Part::Text(_))).map(part));
        }
        out.push(said(message));
    }
    if !shown.is_empty() {
        out.push(json!({"role": "user", "content": shown}));
    }
    out.into()
}

fn said(message: &Message) -> Value {
    match message.role {
        Role::System => json!({"role": "system", "content": message.text()}),
        Role::User => {
            let is_text = message.parts.iter().all(|part| matches!(part, Part::Text(_)));
            let content =
                if is_text { message.text().into() } else { message.parts.iter().map(part).collect::<Value>() };
            json!({"role": "user", "content": content})
        }
        Role::Tool => {
            let text = message.text();
            let content = if message.failed { format!("Error: {text}") } else { text };
            json!({"role": "tool", "tool_call_id": message.tool_call_id, "content": content})
        }
        Role::Assistant => {
            let (text, calls) = (message.text(), &message.tool_calls);
            let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { text.into() };
            let mut out = json!({"role": "assistant", "content": content});
            if let Some(fields) = out.as_object_mut() {
                // Without calls thoughts are not wanted back (api-conformance C4).
                if let Some(reasoning) = message.reasoning.as_deref().filter(|_| !calls.is_empty()) {
                    fields.insert("reasoning_content".to_owned(), reasoning.into());
                }
                if !calls.is_empty() {
                    fields.insert("tool_calls".to_owned(), calls.iter().map(tool_call).collect());
                }
            }
            out
        }
    }
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image { url, detail: None, .. } => json!({"type": "image_url", "image_url": {"url": url}}),
        Part::Image { url, detail, .. } => {
            json!({"type": "image_url", "image_url": {"url": url, "detail": detail}})
        }
        Part::File { name, data, .. } => {
            let name = name.as_deref().unwrap_or("document");
            json!({"type": "file", "file": {"filename": name, "file_data": data}})
        }
    }
}

fn tool(tool: &Tool) -> Value {
    let mut function = json!({"name": tool.name, "parameters": tool.parameters});
    if let Some(fields) = function.as_object_mut() {
        fields.extend(tool.description.as_deref().map(|text| ("description".to_owned(), text.into())));
        fields.extend(tool.strict.map(|strict| ("strict".to_owned(), strict.into())));
    }
    json!({"type": "function", "function": function})
}

fn tool_call(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => Value::Null,
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

fn format(format: &Format) -> Value {
    match format {
        Format::Text => Value::Null,
        Format::Json => json!({"type": "json_object"}),
        Format::Schema { schema, name, strict } => {
            let mut inner = json!({"name": name.as_deref().unwrap_or("answer"), "schema": schema});
            if let (Some(fields), Some(strict)) = (inner.as_object_mut(), strict) {
                fields.insert("strict".to_owned(), (*strict).into());
            }
            json!({"type": "json_schema", "json_schema": inner})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { reasoning: Reasoning::Thinking, max_tokens: Some(100), max_tokens_field: "max_tokens", schemas: true };

    fn sent(chat: &ChatRequest) -> Value {
        serde_json::from_slice(&body(chat, "m", LIMITS)).unwrap()
    }

    #[test]
    fn services_name_the_bound_in_their_own_way_and_may_know_no_schemas() {
        let chat = ChatRequest {
            messages: vec![Message::new(Role::User, "Hi")],
            format: Format::Schema { schema: json!({"type": "array"}), name: None, strict: None },
            max_tokens: Some(7),
            ..ChatRequest::default()
        };
        let limits = Limits { max_tokens_field: "max_completion_tokens", schemas: false, ..LIMITS };
        let sent: Value = serde_json::from_slice(&body(&chat, "m", limits)).unwrap();
        assert_eq!(sent["max_completion_tokens"], 7);
        assert!(sent.get("max_tokens").is_none());
        assert_eq!(sent["response_format"], json!({"type": "json_object"}));
        let told = sent["messages"][0]["content"].as_str().unwrap();
        assert!(told.contains("JSON schema") && told.contains(r#"{"type":"array"}"#), "{told}");
        assert_eq!(sent["messages"][1], json!({"role": "user", "content": "Hi"}));
    }

    #[test]
    fn what_is_not_asked_is_not_sent() {
        let chat = ChatRequest {
            messages: vec![Message::new(Role::User, "Hi")],
            parallel_tool_calls: true,
            ..ChatRequest::default()
        };
        assert_eq!(
            sent(&chat),
            json!({
                "model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": true,
                "stream_options": {"include_usage": true},
            })
        );
    }

    #[test]
    fn everything_has_its_place() {
        let call = ToolCall { id: "c1".into(), name: "f".into(), arguments: "{}".into() };
        let image = Part::Image { url: "https://x/y.png".into(), detail: Some("low".into()), at: String::new() };
        let chat = ChatRequest {
            messages: vec![
                Message::new(Role::System, "Be brief."),
                Message {
                    reasoning: Some("hm".into()),
                    tool_calls: vec![call],
                    parts: Vec::new(),
                    ..Message::new(Role::Assistant, "")
                },
                Message {
                    tool_call_id: Some("c1".into()),
                    failed: true,
                    parts: vec![Part::Text("no".into()), image.clone()],
                    ..Message::new(Role::Tool, "")
                },
                Message { parts: vec![Part::Text("See".into()), image], ..Message::new(Role::User, "") },
            ],
            tools: vec![Tool {
                name: "f".into(),
                description: Some("d".into()),
                parameters: json!({"type": "object"}),
                strict: Some(true),
            }],
            tool_choice: ToolChoice::Named("f".into()),
            format: Format::Schema { schema: json!({"type": "array"}), name: None, strict: Some(true) },
            reasoning: Some(true),
            effort: Some("high".into()),
            max_tokens: Some(1000),
            temperature: Some(0.5),
            ..ChatRequest::default()
        };
        let picture = json!({"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}});
        assert_eq!(
            sent(&chat),
            json!({
                "model": "m", "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 100,
                "temperature": 0.5, "thinking": {"type": "enabled"}, "reasoning_effort": "high",
                "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false,
                "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "array"}, "strict": true}},
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "assistant", "content": null, "reasoning_content": "hm",
                     "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "c1", "content": "Error: no"},
                    {"role": "user", "content": [picture]},
                    {"role": "user", "content": [{"type": "text", "text": "See"}, picture]},
                ],
            })
        );
        let [.., image] = chat.messages[2].parts.as_slice() else { panic!("no image") };
        let said =
            Message { parts: vec![Part::Text("Here:".into()), image.clone()], ..Message::empty(Role::Assistant) };
        let messages = vec![said, Message::new(Role::User, "Thanks")];
        assert_eq!(
            sent(&ChatRequest { messages, ..ChatRequest::default() })["messages"],
            json!([
                {"role": "assistant", "content": "Here:"}, {"role": "user", "content": [picture]},
                {"role": "user", "content": "Thanks"},
            ])
        );
        let silent = ChatRequest { reasoning: Some(false), ..chat };
        assert_eq!(sent(&silent)["thinking"], json!({"type": "disabled"}));
        assert!(sent(&silent).get("reasoning_effort").is_none());
    }
}
