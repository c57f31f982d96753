use super::*;
use crate::chat::{Part, ToolCall};

fn read_with(body: Value, earlier: Earlier) -> Result<(ChatRequest, Rc<Form>), ChatError> {
    match decode(&body, 100, earlier)? {
        (Envelope { body: Body::Chat { chat, .. }, .. }, dialect::Form::Responses(form)) => Ok((*chat, form)),
        _ => panic!("in another form"),
    }
}

fn read(body: Value) -> Result<(ChatRequest, Rc<Form>), ChatError> {
    read_with(body, Earlier::default())
}

fn with(field: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "input": "x"});
    body[field] = value;
    body
}

#[test]
fn reads_what_codex_sends() {
    let (chat, form) = read(json!({
        "model": "m", "instructions": "Be brief.", "store": false, "stream": true, "prompt_cache_key": "k",
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "high", "summary": "auto"},
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules."}]},
            {"role": "user", "content": [
                {"type": "input_text", "text": "Look."}, {"type": "input_image", "image_url": "data:image/png;base64,AA"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "z"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Sure."}]},
            {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "namespace": "agents", "name": "spawn", "arguments": ""},
            {"type": "custom_tool_call", "call_id": "c3", "name": "patch", "input": "a \"b\""},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "one"}]},
            {"type": "function_call_output", "call_id": "c2", "output": "two"},
            {"type": "custom_tool_call_output", "call_id": "c3", "output": "three"},
            {"type": "function_call_output", "call_id": "gone", "output": "old"},
            {"type": "something_new", "x": 1},
            {"type": "additional_tools", "role": "developer", "tools": [
                {"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec", "format": {"type": "text"}}]},
            ]},
        ],
        "tools": [
            {"type": "function", "name": "shell", "description": "Runs.", "strict": false, "parameters": {"type": "object"}},
            {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "spawn", "parameters": {}}]},
            {"type": "web_search"}, {"type": "local_shell"},
        ],
        "tool_choice": "auto", "parallel_tool_calls": false,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
        "max_output_tokens": 9,
    }))
    .unwrap();
    let [system, rules, user, said, one, two, three, old] = chat.messages.as_slice() else {
        panic!("{:#?}", chat.messages)
    };
    assert_eq!((system.text(), rules.role, rules.text()), ("Be brief.".into(), Role::System, "Rules.".into()));
    let image = Part::Image { url: "data:image/png;base64,AA".into(), detail: None, at: "input[1].content[1]".into() };
    assert_eq!(user.parts, [Part::Text("Look.".into()), image]);
    assert_eq!((said.text(), said.reasoning.as_deref()), ("Sure.".into(), Some("hm")));
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    let calls =
        [call("c1", "shell", "{}"), call("c2", "agents__spawn", ""), call("c3", "patch", r#"{"input":"a \"b\""}"#)];
    assert_eq!(said.tool_calls, calls);
    assert_eq!([one.text(), two.text(), three.text()], ["one", "two", "three"]);
    assert_eq!((old.role, old.text()), (Role::User, "[Result of a tool]\nold".into()));
    let names: Vec<&str> = chat.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["shell", "patch", "agents__spawn", "functions__exec"]);
    assert_eq!(chat.tools[1].description.as_deref(), Some("start: x"));
    let known = |flat: &str| form.names.iter().find(|(name, _)| name == flat).map(|(_, name)| name.clone()).unwrap();
    assert!(known("patch").is_custom && known("functions__exec").is_custom);
    assert_eq!(known("agents__spawn").namespace.as_deref(), Some("agents"));
    assert_eq!((chat.search, chat.reasoning, chat.effort.as_deref()), (Some(true), Some(true), Some("high")));
    let format = Format::Schema { schema: json!({"type": "object"}), name: Some("n".into()), strict: None };
    assert_eq!((chat.format, chat.max_tokens), (format, Some(9)));
    assert_eq!((form.kept_input.as_ref(), chat.parallel_tool_calls), (None, false));
}

#[test]
fn what_one_answer_said_and_called_is_one_message_with_its_results_behind_it() {
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"});
    let result = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": id});
    let thought = |text: &str| json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]});
    let said = |role: &str, text: &str| json!({"type": "message", "role": role, "content": text});
    let hidden = json!({"type": "reasoning", "summary": [], "encrypted_content": "z"});
    let (chat, _) = read(json!({"model": "m", "input": [
        said("user", "go"), thought("one"), hidden, thought("two"), call("a"), thought("three"), call("b"),
        said("assistant", "Wait."), said("user", "And?"), result("b"), result("a"), said("assistant", "Done."),
        said("assistant", "Bye."),
    ]}))
    .unwrap();
    let [_, caller, b, a, user, done, bye] = chat.messages.as_slice() else { panic!("{:#?}", chat.messages) };
    let ids: Vec<&str> = caller.tool_calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(
        (ids, caller.text(), caller.reasoning.as_deref()),
        (vec!["a", "b"], "Wait.".into(), Some("one\ntwo\nthree"))
    );
    assert_eq!([b.tool_call_id.as_deref(), a.tool_call_id.as_deref()], [Some("b"), Some("a")]);
    assert_eq!([user.text(), done.text(), bye.text()], ["And?", "Done.", "Bye."]);
}

#[test]
fn a_tool_that_is_offered_again_is_offered_once() {
    let tools =
        |text: &str| json!([{"type": "function", "name": "f", "description": text}, {"type": "custom", "name": "g"}]);
    let more = |text: &str| json!({"type": "additional_tools", "tools": tools(text)});
    let (chat, form) =
        read(json!({"model": "m", "input": [more("old"), {"role": "user", "content": "x"}, more("new")]})).unwrap();
    let tools: Vec<_> = chat.tools.iter().map(|tool| (tool.name.as_str(), tool.description.as_deref())).collect();
    assert_eq!(tools, [("f", Some("new")), ("g", Some(""))]);
    assert_eq!(form.names.len(), 1);
}

#[test]
fn goes_on_with_what_was_kept() {
    let body = json!({"model": "m", "previous_response_id": "resp_1", "input": [
        {"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": 5}]});
    let wants = wanted(&body).unwrap();
    assert_eq!(wants, Wanted { previous: Some("resp_1".into()), items: vec!["msg_1".into()] });
    let said = |role: &str, text: &str| json!({"type": "message", "role": role, "content": text});
    let earlier = || Earlier {
        conversation: vec![said("user", "one"), said("assistant", "two")],
        items: [("msg_1".to_owned(), said("assistant", "three"))].into_iter().collect(),
    };
    let error = read_with(body, earlier()).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("input[1].content"));
    let body = json!({"model": "m", "previous_response_id": "resp_1", "input": [
        {"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "four"}]});
    let (chat, form) = read_with(body.clone(), earlier()).unwrap();
    assert_eq!(chat.messages.iter().map(Message::text).collect::<Vec<_>>(), ["one", "two", "three", "four"]);
    assert_eq!(form.kept_input.as_ref().map(Vec::len), Some(2));
    assert_eq!(read(body).unwrap_err().param.as_deref(), Some("input[0].id"));
}

#[test]
fn names_what_is_wrong() {
    let cases = [
        (json!({"input": "x"}), "model"),
        (with("input", json!(5)), "input"),
        (with("input", json!([])), "input"),
        (with("input", json!([{"role": "robot", "content": "x"}])), "input[0].role"),
        (with("input", json!([{"type": "function_call", "name": "f"}])), "input[0].call_id"),
        (with("conversation", json!("c")), "conversation"),
        (with("prompt", json!({"id": "p"})), "prompt"),
        (with("background", json!(true)), "background"),
        (with("tools", json!([{"type": "function"}])), "tools[0].name"),
        (with("tool_choice", json!({"type": "function", "name": "f"})), "tool_choice"),
        (with("text", json!({"format": {"type": "xml"}})), "text.format.type"),
        (with("store", json!("yes")), "store"),
        (with("input", json!([5])), "input[0]"),
        (with("reasoning", json!("high")), "reasoning"),
        (with("max_output_tokens", json!(-1)), "max_output_tokens"),
    ];
    for (body, param) in cases {
        assert_eq!(read(body.clone()).expect_err(param).param.as_deref(), Some(param), "{body}");
    }
    for (field, value) in [("tool_choice", json!({"type": "web_search"})), ("background", json!(false))] {
        assert!(read(with(field, value)).is_ok(), "{field}");
    }
}
