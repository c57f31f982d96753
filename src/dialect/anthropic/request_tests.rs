use serde_json::{Value, json};

use super::*;
use crate::chat::{Format, Part, Role, Tool, ToolCall, ToolChoice};

fn read(body: Value) -> Result<ChatRequest, ChatError> {
    match decode(body.to_string().as_bytes())?.0.body {
        Body::Chat { chat, .. } => Ok(*chat),
        Body::Openai(_) => panic!("in OpenAI's format"),
    }
}

fn with(field: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]});
    body[field] = value;
    body
}

#[test]
fn reads_what_an_agent_sends() {
    let chat = read(json!({
        "model": "claude-opus", "max_tokens": 32000, "stream": true, "temperature": 1, "cache_control": {"type": "ephemeral"},
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cc_entrypoint=cli"},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": "Read two files."},
            {"role": "system", "content": [{"type": "text", "text": "A reminder."}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "redacted_thinking", "data": "zz"},
                {"type": "text", "text": "Sure."},
                {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a"}, "caller": {"type": "direct"}},
                {"type": "tool_use", "id": "t2", "name": "Read", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "And?"},
                {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": "no such file"},
                {"type": "tool_result", "tool_use_id": "t1", "content": [
                    {"type": "text", "text": "one"}, {"type": "tool_reference", "tool_name": "Grep"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
                ]},
                {"type": "tool_result", "tool_use_id": "gone", "content": "old"},
            ]},
            {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x/y"}}]},
        ],
        "tools": [
            {"name": "Read", "description": "Reads.", "input_schema": {"type": "object"}, "cache_control": {}},
            {"name": "Later", "input_schema": {"type": "object"}, "defer_loading": true},
            {"type": "bash_20250124", "name": "bash"}, {"type": "web_search_20250305", "name": "web_search"},
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "stop_sequences": ["END", ""],
        "metadata": {"user_id": "{}"}, "context_management": {},
    }))
    .unwrap();
    let [system, user, reminder, assistant, two, one, after] = chat.messages.as_slice() else {
        panic!("{:#?}", chat.messages)
    };
    assert_eq!((system.role, system.text()), (Role::System, "Be brief.".into()));
    assert_eq!((user.role, reminder.role, reminder.text()), (Role::User, Role::System, "A reminder.".into()));
    assert_eq!((assistant.text(), assistant.reasoning.as_deref()), ("Sure.".into(), Some("hm")));
    let call = |id: &str, arguments: &str| ToolCall { id: id.into(), name: "Read".into(), arguments: arguments.into() };
    assert_eq!(assistant.tool_calls, [call("t1", r#"{"path":"a"}"#), call("t2", "{}")]);
    assert_eq!((two.tool_call_id.as_deref(), two.failed, two.text()), (Some("t2"), true, "no such file".into()));
    assert_eq!((one.tool_call_id.as_deref(), one.text()), (Some("t1"), "one\nloaded: Grep".into()));
    let image = |url: &str, at: &str| Part::Image { url: url.into(), detail: None, at: at.into() };
    assert_eq!(one.parts[2], image("data:image/png;base64,AA", "messages[3].content[2].content[2]"));
    assert_eq!(after.text(), "And?\n[Result of a tool]\nold");
    assert_eq!(after.parts[2], image("https://x/y", "messages[4].content[0]"));
    assert_eq!(
        chat.tools[0],
        Tool {
            name: "Read".into(),
            description: Some("Reads.".into()),
            parameters: json!({"type": "object"}),
            strict: None
        }
    );
    assert_eq!(chat.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["Read", "bash"]);
    assert_eq!((&chat.tool_choice, chat.parallel_tool_calls), (&ToolChoice::Required, false));
    assert_eq!((chat.reasoning, chat.effort.as_deref(), chat.search), (Some(true), Some("high"), Some(true)));
    assert_eq!((chat.max_tokens, chat.temperature, chat.stop), (Some(32000), Some(1.0), vec!["END".to_owned()]));
}

#[test]
fn a_tool_may_have_shown_what_cannot_be_fetched() {
    let chat = read(with(
        "messages",
        json!([
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
                {"type": "image", "source": {"type": "file", "file_id": "f"}},
                {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
            ]}]},
        ]),
    ));
    let chat = chat.unwrap();
    let text = "[image: cannot be shown to this model]\n[document: cannot be shown to this model]";
    assert_eq!(chat.messages.last().map(Message::text).as_deref(), Some(text));
}

#[test]
fn what_is_not_said_is_not_asked() {
    let chat = read(with("thinking", json!({"type": "disabled"}))).unwrap();
    assert_eq!((chat.reasoning, chat.tool_choice, chat.parallel_tool_calls), (Some(false), ToolChoice::Auto, true));
    assert_eq!(read(with("stream", json!(null))).unwrap().reasoning, Some(false));
    let schema = json!({"format": {"type": "json_schema", "schema": {"type": "object"}}});
    assert_eq!(
        read(with("output_config", schema)).unwrap().format,
        Format::Schema { schema: json!({"type": "object"}), name: None, strict: None }
    );
    let search = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let chat = read(json!({
        "model": "m", "messages": [{"role": "user", "content": "x"}], "tools": search,
        "tool_choice": {"type": "tool", "name": "web_search"},
    }));
    assert_eq!(chat.unwrap().tool_choice, ToolChoice::Auto);
}

#[test]
fn every_turn_of_a_conversation_has_its_hash() {
    let hash = |system: Value, messages: Value| {
        let body = json!({"model": "m", "system": system, "messages": messages}).to_string();
        decode(body.as_bytes()).unwrap().0.conversation
    };
    let blocks = json!([{"type": "text", "text": "x-anthropic-billing-header: 1"}, {"type": "text", "text": "s"}]);
    let first = json!([{"role": "user", "content": "one"}]);
    let later = json!([
        {"role": "user", "content": [{"type": "text", "text": "one", "cache_control": {}}]},
        {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"},
    ]);
    assert_eq!(hash(json!("s"), first.clone()), hash(blocks, later));
    assert_ne!(hash(json!("s"), first.clone()), hash(json!("t"), first));
}

#[test]
fn names_what_is_wrong() {
    let block = |block: Value| with("messages", json!([{"role": "user", "content": [block]}]));
    let cases = [
        (json!({"messages": []}), "model"),
        (with("model", json!("")), "model"),
        (with("messages", json!([])), "messages"),
        (with("messages", json!("hi")), "messages"),
        (with("messages", json!([{"role": "user", "content": []}])), "messages"),
        (with("messages", json!([{"role": "robot", "content": "x"}])), "messages[0].role"),
        (with("messages", json!([{"role": "user", "content": 5}])), "messages[0].content"),
        (block(json!({"type": "text", "text": 5})), "messages[0].content[0].text"),
        (
            block(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})),
            "messages[0].content[0].source.type",
        ),
        (block(json!({"type": "document", "source": {"type": "file", "file_id": "f"}})), "messages[0].content[0]"),
        (block(json!({"type": "tool_result"})), "messages[0].content[0].tool_use_id"),
        (with("max_tokens", json!("many")), "max_tokens"),
        (with("temperature", json!("hot")), "temperature"),
        (with("tools", json!([{"name": "f"}])), "tools[0].input_schema"),
        (with("tools", json!([{"type": "computer_20250124", "name": "computer"}])), "tools[0]"),
        (with("tool_choice", json!({"type": "tool", "name": "f"})), "tool_choice.name"),
        (with("tool_choice", json!({"type": "must"})), "tool_choice.type"),
        (with("thread", json!({"type": "create"})), "thread"),
        (with("compaction", json!({})), "compaction"),
        (with("stop_sequences", json!("END")), "stop_sequences"),
        (with("messages", json!([{"role": "user"}])), "messages[0].content"),
        (with("system", json!([{"type": "image"}])), "system[0].text"),
        (with("thinking", json!(true)), "thinking"),
        (with("output_config", json!({"format": {"type": "json_schema"}})), "output_config.format.schema"),
    ];
    for (body, param) in cases {
        let error = read(body.clone()).expect_err(param);
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
    for bad in ["", "[]", "{\"model\"", "\"x\""] {
        assert!(decode(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn counts_everything_that_is_sent() {
    let tokens = |body: Value| count(body.to_string().as_bytes()).unwrap();
    let plain = tokens(with("max_tokens", json!(null)));
    assert!(plain > 0);
    let system = tokens(with("system", json!("You are a helpful assistant.")));
    let tools = tokens(with(
        "tools",
        json!([{"name": "f", "description": "Does a thing.", "input_schema": {"type": "object"}}]),
    ));
    assert!(system > plain + 4 && tools > plain + 4, "{plain} {system} {tools}");
}
