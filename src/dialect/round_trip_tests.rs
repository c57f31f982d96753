//! A chat that is written in an API's format reads back as the same chat.
use proptest::prelude::*;
use serde_json::{Value, json};

use super::openai::responses::request::Earlier;
use super::{anthropic, openai};
use crate::chat::{Body, ChatRequest, Envelope, Format, Message, Part, Role, Tool, ToolCall, ToolChoice};
use crate::upstream::openai::encode::{self, Limits, Reasoning};

const LIMITS: Limits =
    Limits { reasoning: Reasoning::Thinking, max_tokens: None, max_tokens_field: "max_tokens", schemas: true };

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \"\\\\\n]{1,12}", "\\PC{1,12}", Just("data: x\n\n".to_owned()), Just("</think>".to_owned())]
}

fn image() -> impl Strategy<Value = Part> {
    let url = prop_oneof![Just("https://x/y.png".to_owned()), Just("data:image/png;base64,AAAA".to_owned())];
    url.prop_map(|url| Part::Image { url, detail: None, at: String::new() })
}

fn user() -> impl Strategy<Value = Message> {
    (text(), prop::option::of(image())).prop_map(|(text, image)| {
        let parts = [Part::Text(text)].into_iter().chain(image).collect();
        Message { parts, ..Message::empty(Role::User) }
    })
}

fn arguments() -> impl Strategy<Value = String> {
    prop::collection::btree_map("[a-z]{1,4}", text(), 0..3).prop_map(|arguments| json!(arguments).to_string())
}

/// An answer with its calls, their results in some order, and what the user says next.
fn turn() -> impl Strategy<Value = Vec<Message>> {
    let calls = prop::collection::vec((arguments(), text(), any::<bool>()), 0..4);
    (prop::option::of(text()), text(), calls, any::<bool>(), user()).prop_map(
        |(reasoning, said, calls, reversed, user)| {
            let id = |index: usize| format!("call_{index:08}x{:x}", said.len());
            let call = |(index, (arguments, ..)): (usize, &(String, String, bool))| ToolCall {
                id: id(index),
                name: format!("tool_{}", index % 2),
                arguments: arguments.clone(),
            };
            let tool_calls: Vec<ToolCall> = calls.iter().enumerate().map(call).collect();
            // Thoughts without calls are not wanted back (C4).
            let reasoning = reasoning.filter(|_| !tool_calls.is_empty());
            let answer = Message { reasoning, tool_calls, ..Message::new(Role::Assistant, said.as_str()) };
            let mut results: Vec<Message> = calls
                .iter()
                .enumerate()
                .map(|(index, (_, result, failed))| Message {
                    tool_call_id: Some(id(index)),
                    failed: *failed,
                    ..Message::new(Role::Tool, result.as_str())
                })
                .collect();
            if reversed {
                results.reverse();
            }
            [answer].into_iter().chain(results).chain([user]).collect()
        },
    )
}

fn tools() -> impl Strategy<Value = (Vec<Tool>, ToolChoice, bool)> {
    let schema = json!({"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}}});
    let tool = move |index: usize| Tool {
        name: format!("tool_{index}"),
        description: (index == 0).then(|| "Does \"it\".".to_owned()),
        parameters: schema.clone(),
        strict: None,
    };
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        Just(ToolChoice::Named("tool_0".into())),
    ];
    (0..3_usize, choice, any::<bool>()).prop_map(move |(count, choice, parallel)| match count {
        0 => (Vec::new(), ToolChoice::Auto, true),
        count => ((0..count).map(&tool).collect(), choice, parallel),
    })
}

prop_compose! {
    fn chat()(
        system in prop::option::of(text()),
        first in user(),
        turns in prop::collection::vec(turn(), 0..3),
        (tools, tool_choice, parallel_tool_calls) in tools(),
        is_schema in any::<bool>(),
        effort in prop::option::of(Just("high".to_owned())),
        reasoning in any::<bool>(),
        max_tokens in prop::option::of(1..100_000_u64),
        temperature in prop::option::of(0..4_u8),
    ) -> ChatRequest {
        let system = system.map(|text| Message::new(Role::System, text));
        let schema = || json!({"type": "object", "properties": {"b": {}, "a": {}}});
        ChatRequest {
            messages: system.into_iter().chain([first]).chain(turns.into_iter().flatten()).collect(),
            tools,
            tool_choice,
            parallel_tool_calls,
            format: match is_schema {
                true => Format::Schema { schema: schema(), name: None, strict: None },
                false => Format::Text,
            },
            reasoning: Some(reasoning),
            effort: effort.filter(|_| reasoning),
            max_tokens,
            temperature: temperature.map(|quarter| f64::from(quarter) / 4.0),
            ..ChatRequest::default()
        }
    }
}

/// Without where things stood, and without a schema's name, which only OpenAI's formats have.
fn bare(mut chat: ChatRequest) -> ChatRequest {
    for part in chat.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::Image { at, .. } = part {
            at.clear();
        }
    }
    if let Format::Schema { name, .. } = &mut chat.format {
        *name = None;
    }
    chat
}

fn as_anthropic(chat: &ChatRequest) -> Value {
    let block = |part: &Part| match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image { url, .. } => match url.strip_prefix("data:image/png;base64,") {
            Some(data) => {
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
            }
            None => json!({"type": "image", "source": {"type": "url", "url": url}}),
        },
        Part::File { .. } => panic!("not made here"),
    };
    let mut messages: Vec<Value> = Vec::new();
    for message in chat.messages.iter().filter(|message| message.role != Role::System) {
        let mut blocks: Vec<Value> = Vec::new();
        if let Some(reasoning) = &message.reasoning {
            blocks.push(json!({"type": "thinking", "thinking": reasoning, "signature": "s"}));
        }
        if message.role == Role::Tool {
            blocks.push(json!({
                "type": "tool_result", "tool_use_id": message.tool_call_id, "is_error": message.failed,
                "content": message.parts.iter().map(block).collect::<Value>(),
            }));
        } else {
            blocks.extend(message.parts.iter().map(block));
        }
        for call in &message.tool_calls {
            let input: Value = serde_json::from_str(&call.arguments).unwrap();
            blocks.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}));
        }
        let role = if message.role == Role::Assistant { "assistant" } else { "user" };
        match messages.last_mut() {
            Some(last) if last["role"] == role => last["content"].as_array_mut().unwrap().extend(blocks),
            _ => messages.push(json!({"role": role, "content": blocks})),
        }
    }
    let tool = |tool: &Tool| {
        let mut shown = json!({"name": tool.name, "input_schema": tool.parameters});
        if let Some(description) = &tool.description {
            shown["description"] = description.as_str().into();
        }
        shown
    };
    let mut body = json!({"model": "m", "messages": messages, "thinking": {"type": if chat.reasoning == Some(true) { "adaptive" } else { "disabled" }}});
    if let Some(system) = chat.messages.iter().find(|message| message.role == Role::System) {
        body["system"] = system.text().into();
    }
    if !chat.tools.is_empty() {
        body["tools"] = chat.tools.iter().map(tool).collect();
        body["tool_choice"] = match &chat.tool_choice {
            ToolChoice::Auto => json!({"type": "auto"}),
            ToolChoice::None => json!({"type": "none"}),
            ToolChoice::Required => json!({"type": "any"}),
            ToolChoice::Named(name) => json!({"type": "tool", "name": name}),
        };
        body["tool_choice"]["disable_parallel_tool_use"] = (!chat.parallel_tool_calls).into();
    }
    body["output_config"] = json!({"effort": chat.effort});
    if let Format::Schema { schema, .. } = &chat.format {
        body["output_config"]["format"] = json!({"type": "json_schema", "schema": schema});
    }
    body["max_tokens"] = chat.max_tokens.into();
    body["temperature"] = chat.temperature.into();
    body
}

fn as_responses(chat: &ChatRequest) -> Value {
    let mut input: Vec<Value> = Vec::new();
    for message in chat.messages.iter().filter(|message| message.role != Role::System) {
        if let Some(reasoning) = &message.reasoning {
            let summary = json!([{"type": "summary_text", "text": reasoning}]);
            input.push(json!({"type": "reasoning", "id": "rs_1", "summary": summary}));
        }
        let part = |part: &Part| match part {
            Part::Text(text) if message.role == Role::Assistant => json!({"type": "output_text", "text": text}),
            Part::Text(text) => json!({"type": "input_text", "text": text}),
            Part::Image { url, .. } => json!({"type": "input_image", "image_url": url}),
            Part::File { .. } => panic!("not made here"),
        };
        let parts: Value = message.parts.iter().map(part).collect();
        match message.role {
            Role::Tool => {
                let id = &message.tool_call_id;
                input.push(json!({"type": "function_call_output", "call_id": id, "output": parts}));
            }
            Role::Assistant => input.push(json!({"type": "message", "role": "assistant", "content": parts})),
            _ => input.push(json!({"role": "user", "content": parts})),
        }
        for ToolCall { id, name, arguments } in &message.tool_calls {
            input.push(json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}));
        }
    }
    let tool = |tool: &Tool| {
        let Tool { name, description, parameters, .. } = tool;
        json!({"type": "function", "name": name, "description": description, "parameters": parameters})
    };
    let mut body = json!({"model": "m", "input": input, "parallel_tool_calls": chat.parallel_tool_calls});
    if let Some(system) = chat.messages.iter().find(|message| message.role == Role::System) {
        body["instructions"] = system.text().into();
    }
    body["tools"] = chat.tools.iter().map(tool).collect();
    body["tool_choice"] = match &chat.tool_choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => json!({"type": "function", "name": name}),
    };
    body["reasoning"] = match (chat.reasoning, &chat.effort) {
        (Some(false), _) => json!({"effort": "none"}),
        (_, effort) => json!({"effort": effort}),
    };
    if let Format::Schema { schema, .. } = &chat.format {
        body["text"] = json!({"format": {"type": "json_schema", "name": "n", "schema": schema}});
    }
    body["max_output_tokens"] = chat.max_tokens.into();
    body["temperature"] = chat.temperature.into();
    body
}

fn chat_of(envelope: Envelope) -> ChatRequest {
    match envelope.body {
        Body::Chat { chat, .. } => bare(*chat),
        Body::Openai(_) => panic!("not translated"),
    }
}

proptest! {
    #[test]
    fn in_openais_format(chat in chat()) {
        // A result that says of itself that it failed is a text there.
        let mut chat = chat;
        for message in &mut chat.messages {
            message.failed = false;
        }
        let read = openai::chat::decode(&encode::body(&chat, "m", LIMITS)).unwrap();
        prop_assert_eq!(bare(read), chat);
    }

    #[test]
    fn in_anthropics(chat in chat()) {
        let body = as_anthropic(&chat).to_string();
        let (envelope, _) = anthropic::request::decode(body.as_bytes()).unwrap();
        prop_assert_eq!(chat_of(envelope), chat);
    }

    #[test]
    fn in_responses(chat in chat()) {
        let mut chat = chat;
        for message in &mut chat.messages {
            message.failed = false;
        }
        // Where no effort is named, whether to think is left to the model.
        if chat.effort.is_none() && chat.reasoning == Some(true) {
            chat.reasoning = None;
        }
        if chat.reasoning == Some(false) {
            chat.effort = Some("none".to_owned());
        }
        let (envelope, _) = openai::responses::request::decode(&as_responses(&chat), 0, Earlier::default()).unwrap();
        prop_assert_eq!(chat_of(envelope), chat);
    }
}
