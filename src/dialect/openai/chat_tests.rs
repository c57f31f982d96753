use serde_json::json;

use super::*;

fn read(body: Value) -> Result<ChatRequest, ChatError> {
    decode(body.to_string().as_bytes())
}

fn param(body: Value) -> String {
    read(body).unwrap_err().param.unwrap()
}

#[test]
fn reads_a_conversation_with_tools() {
    let request = read(json!({
        "model": "m", "temperature": null, "max_tokens": 5, "max_completion_tokens": 7, "stop": "END",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {}}]},
            {"role": "assistant", "content": null, "reasoning_content": "hm", "annotations": [],
             "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{bad"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]},
        ],
        "tools": [{"type": "function", "name": "stray", "function": {"name": "f", "strict": true}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
        "thinking": {"type": "disabled"}, "web_search_options": {},
    }))
    .unwrap();
    let request = request.without_media().unwrap();
    let [system, user, assistant, tool] = request.messages.as_slice() else { panic!() };
    assert_eq!((system.role, system.text()), (Role::System, "Be brief.".into()));
    assert_eq!(user.text(), "a\nb");
    assert_eq!(assistant.reasoning.as_deref(), Some("hm"));
    assert_eq!(assistant.tool_calls, [ToolCall { id: "call_1".into(), name: "f".into(), arguments: "{bad".into() }]);
    assert_eq!(
        (tool.tool_call_id.as_deref(), tool.text()),
        (Some("call_1"), "[image: this model reads text alone]".into())
    );
    assert_eq!(
        request.tools,
        [Tool { name: "f".into(), description: None, parameters: json!({}), strict: Some(true) }]
    );
    assert_eq!(request.tool_choice, ToolChoice::Named("f".into()));
    assert!(!request.parallel_tool_calls);
    assert_eq!(request.format, Format::Schema { schema: json!({"type": "object"}), name: None, strict: None });
    assert_eq!((request.reasoning, request.search, request.max_tokens), (Some(false), Some(true), Some(7)));
    assert_eq!(request.stop, ["END"]);
}

#[test]
fn the_old_names_of_tools() {
    let request = read(json!({
        "messages": [
            {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "5"},
        ],
        "functions": [{"name": "f", "parameters": {"type": "object"}}], "function_call": {"name": "f"},
    }))
    .unwrap();
    assert_eq!(request.messages[0].tool_calls[0].id, "f");
    assert_eq!(request.messages[1].tool_call_id.as_deref(), Some("f"));
    assert_eq!(request.tool_choice, ToolChoice::Named("f".into()));
}

#[test]
fn names_what_is_wrong() {
    let with = |field: &str, value: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": "x"}]});
        body[field] = value;
        body
    };
    let image = json!([{"role": "user", "content": [
        {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://x"}}]}]);
    let image = read(with("messages", image)).unwrap().without_media();
    assert_eq!(image.unwrap_err().param.as_deref(), Some("messages[0].content[1]"));
    let audio = json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]);
    assert_eq!(param(with("messages", audio)), "messages[0].content[0]");
    assert_eq!(param(with("messages", json!([{"role": "robot", "content": "x"}]))), "messages[0].role");
    assert_eq!(param(with("messages", json!([{"role": "user", "content": 5}]))), "messages[0].content");
    assert_eq!(param(with("tools", json!([{"type": "custom", "custom": {"name": "x"}}]))), "tools[0]");
    assert_eq!(param(with("tools", json!([{"type": "function", "function": {}}]))), "tools[0].function.name");
    assert_eq!(param(with("tool_choice", json!("maybe"))), "tool_choice");
    assert_eq!(param(with("tool_choice", json!({"type": "function", "function": {"name": "x"}}))), "tool_choice");
    assert_eq!(param(with("response_format", json!({"type": "xml"}))), "response_format.type");
    assert_eq!(param(with("n", json!(2))), "n");
    assert_eq!(param(with("logprobs", json!(true))), "logprobs");
    assert_eq!(param(with("modalities", json!(["text", "audio"]))), "modalities");
    assert_eq!(param(with("parallel_tool_calls", json!("yes"))), "parallel_tool_calls");
    for (field, value) in
        [("n", json!(1)), ("modalities", json!(["text"])), ("tools", json!(null)), ("stop", json!([]))]
    {
        assert!(read(with(field, value)).is_ok(), "{field}");
    }
}

#[test]
fn allowed_tools_are_the_only_ones() {
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    let request = read(json!({
        "messages": [{"role": "user", "content": "x"}], "tools": [function("f"), function("g")],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [function("g")]}},
    }))
    .unwrap();
    assert_eq!(request.tool_choice, ToolChoice::Required);
    assert_eq!(request.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["g"]);
}
