//! What models write, and what a caller gets of it: whole, split at every byte, and byte by byte.
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn tools() -> Vec<Tool> {
    let tool = |name: &str, parameters: Value| Tool { name: name.into(), description: None, parameters, strict: None };
    vec![
        tool(
            "get_weather",
            json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}),
        ),
        tool(
            "write",
            json!({"type": "object", "properties": {"path": {"type": "string"}, "text": {"type": "string"}}}),
        ),
        tool("now", json!({"type": "object", "properties": {}})),
    ]
}

/// The text, then ` @name arguments` for each call, in order.
fn run_with(choice: &ToolChoice, parallel: bool, pieces: &[&str]) -> String {
    let mut parser = Parser::new(&tools(), choice, parallel);
    let mut events: Vec<ChatEvent> =
        pieces.iter().flat_map(|piece| parser.push(ChatEvent::Text((*piece).to_owned()))).collect();
    events.extend(parser.finish(FinishReason::Stop));
    let (mut out, mut calls) = (String::new(), 0);
    for event in events {
        match event {
            ChatEvent::Text(text) => out.push_str(&text),
            ChatEvent::ToolCall { index, id, name } => {
                assert_eq!(index, calls);
                assert!(id.starts_with("call_") && id.len() == 29);
                calls += 1;
                out.push_str(&format!(" @{name} "));
            }
            ChatEvent::Arguments(text) => out.push_str(&text),
            ChatEvent::Finish(reason) => {
                assert_eq!(reason == FinishReason::ToolCalls, calls > 0);
                assert_eq!(parser.unmet(), calls == 0);
            }
            other => panic!("{other:?}"),
        }
    }
    out
}

fn run(pieces: &[&str]) -> String {
    run_with(&ToolChoice::Auto, true, pieces)
}

const WEATHER: &str = "<tool_calls>\n<invoke name=\"get_weather\">\n<parameter name=\"city\"><![CDATA[Paris]]></parameter>\n</invoke>\n</tool_calls>";
const CALLED: &str = " @get_weather {\"city\":\"Paris\"}";

/// What is written, and what comes of it.
fn cases() -> Vec<(String, String)> {
    let w = |text: &str| text.replace("WEATHER", WEATHER);
    let c = |text: &str| text.replace("CALLED", CALLED);
    let invoke = |name: &str, body: &str| format!("<tool_calls><invoke name=\"{name}\">{body}</invoke></tool_calls>");
    let parameter = |value: &str| invoke("get_weather", &format!("<parameter name=\"city\">{value}</parameter>"));
    let city = |city: &str| format!(" @get_weather {}", json!({"city": city}));
    let written = |value: &str| invoke("write", &format!("<parameter name=\"text\">{value}</parameter>"));
    let text = |text: &str| format!(" @write {}", json!({"text": text}));
    let same = |text: &str| (text.to_owned(), text.to_owned());
    vec![
        // Well-formed.
        (w("WEATHER"), c("CALLED")),
        (w("Let me look.\n\nWEATHER"), c("Let me look.\n\nCALLED")),
        (w("WEATHER\n\n"), c("CALLED")),
        (w("你好，我查一下。\nWEATHER"), c("你好，我查一下。\nCALLED")),
        (w("WEATHER\n It is done."), c("CALLEDIt is done.")),
        (invoke("now", ""), " @now {}".into()),
        (format!("<tool_calls>{0}{0}</tool_calls>", "<invoke name=\"now\"></invoke>"), " @now {} @now {}".into()),
        (w("WEATHER\nWEATHER"), c("CALLEDCALLED")),
        (
            invoke(
                "get_weather",
                "<parameter name=\"city\"><![CDATA[a]]></parameter><parameter name=\"days\">3</parameter>",
            ),
            " @get_weather {\"city\":\"a\",\"days\":3}".into(),
        ),
        // Values.
        (parameter("Paris"), city("Paris")),
        (parameter("<![CDATA[]]>"), city("")),
        (parameter("<![CDATA[5]]>"), city("5")),
        (parameter("5"), city("5")),
        (parameter("{\"a\":1}"), city("{\"a\":1}")),
        (parameter("a &lt;b&gt; &amp; c"), city("a <b> & c")),
        (parameter("a < b"), city("a < b")),
        (written("<![CDATA[line 1\nline \"2\" \\ <b>]]>"), text("line 1\nline \"2\" \\ <b>")),
        (written("<![CDATA[</parameter></invoke></tool_calls>]]>"), text("</parameter></invoke></tool_calls>")),
        (written("<![CDATA[a ]]]]><![CDATA[> b]]>"), text("a ]]> b")),
        (
            written("<![CDATA[<tool_calls><invoke name=\"now\"></invoke></tool_calls>]]>"),
            text("<tool_calls><invoke name=\"now\"></invoke></tool_calls>"),
        ),
        (written("<![CDATA[<x><![CDATA[v]]></x>]]>"), text("<x><![CDATA[v]]></x>")),
        (written("<![CDATA[a]]> "), text("a")),
        (written("<![CDATA[```\ncode\n```]]>"), text("```\ncode\n```")),
        (written("<item>a</item><item><![CDATA[b]]></item>"), text("[\"a\",\"b\"]")),
        (written("<![CDATA[ spaces stay ]]>"), text(" spaces stay ")),
        (written("<![CDATA[你好 🌍]]>"), text("你好 🌍")),
        (invoke("get_weather", "{\"city\": \"Paris\"}"), CALLED.into()),
        (
            invoke("get_weather", "<parameter name=\"days\"><![CDATA[5]]></parameter>"),
            " @get_weather {\"days\":5}".into(),
        ),
        (
            invoke("get_weather", "<parameter name=\"days\">many</parameter>"),
            " @get_weather {\"days\":\"many\"}".into(),
        ),
        (parameter("1.10"), city("1.10")),
        (parameter("1e5"), city("1e5")),
        (parameter("\n12345678901234567890123\n"), city("12345678901234567890123")),
        (parameter("\"Paris\""), city("Paris")),
        // Neighbours.
        (
            w("WEATHER")
                .replace("</", "</|DSML|")
                .replace("<tool", "<|DSML|tool")
                .replace("<invoke", "<|DSML|invoke")
                .replace("<parameter", "<|DSML|parameter"),
            CALLED.into(),
        ),
        (w("WEATHER").replace("<tool", "<｜DSML｜tool").replace("</tool", "</｜DSML｜tool"), CALLED.into()),
        (w("WEATHER").replace("tool_calls", "function_calls"), CALLED.into()),
        (w("WEATHER").replace('"', "'"), CALLED.into()),
        (w("WEATHER").replace("\"get_weather\"", "“get_weather”"), CALLED.into()),
        (
            "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>".into(),
            CALLED.into(),
        ),
        (
            "<tool_call>{\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"Paris\\\"}\"}</tool_call>"
                .into(),
            CALLED.into(),
        ),
        (
            "<｜tool▁calls▁begin｜>[{\"name\":\"get_weather\",\"arguments\":{\"city\":\"Paris\"}}]<｜tool▁calls▁end｜>"
                .into(),
            CALLED.into(),
        ),
        ("<|tool▁calls▁begin|>[{\"name\":\"now\",\"arguments\":{}}]<|tool▁calls▁end|>".into(), " @now {}".into()),
        ("{\"tool_calls\":[{\"name\":\"get_weather\",\"input\":{\"city\":\"Paris\"}}]}".into(), CALLED.into()),
        (
            "{\n  \"tool_calls\": [\n {\"function\": {\"name\": \"now\", \"arguments\": \"{}\"}}]}".into(),
            " @now {}".into(),
        ),
        ("<tool_calls>[{\"name\":\"now\"}]</tool_calls>".into(), " @now {}".into()),
        ("{\"tool_calls\":[{\"name\":\"now\"}]}\nDone.".into(), " @now {}".into()),
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Paris\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>".into(),
            CALLED.into(),
        ),
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"Paris\"}<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>".into(),
            format!("{CALLED} @now {{}}"),
        ),
        (
            "<tool_call>{\"name\":\"write\",\"arguments\":{\"text\":\"<item>a</item> b\"}}</tool_call>".into(),
            text("<item>a</item> b"),
        ),
        ("<tool_calls>{\"name\":\"now\"}\n{\"name\":\"now\"}</tool_calls>".into(), " @now {} @now {}".into()),
        // Broken, and repaired.
        (w("WEATHER").replace("<tool_calls>\n", ""), CALLED.into()),
        (w("WEATHER").replace("\n</tool_calls>", ""), CALLED.into()),
        (w("WEATHER").replace("</invoke>\n</tool_calls>", ""), CALLED.into()),
        (w("WEATHER").replace("</parameter>\n</invoke>\n</tool_calls>", ""), CALLED.into()),
        ("<tool_calls><invoke name=\"write\"><parameter name=\"text\"><![CDATA[half".into(), text("half")),
        ("<tool_call>{\"name\":\"now\",\"arguments\":{},}</tool_call>".into(), " @now {}".into()),
        ("<tool_call>{“name”: “now”}</tool_call>".into(), " @now {}".into()),
        ("<tool_call>{\"name\":\"now\"".into(), " @now {}".into()),
        ("<tool_call>{\"name\":\"write\",\"arguments\":{\"text\":\"a\nb\"}}</tool_call>".into(), text("a\nb")),
        // No calls.
        same("Nothing to call."),
        same("a < b and <b>bold</b> and <tool> and < tool"),
        same("<tool_calls_extra>x</tool_calls_extra>"),
        same("<tool_calls>nothing</tool_calls>"),
        same("<tool_calls><invoke name=\"unknown\"></invoke></tool_calls>"),
        same("<invoke name=\"unknown\">x</invoke>"),
        same("<tool_call>not json</tool_call>"),
        same("Ends with <tool_ca"),
        same("Ends with <"),
        same("Ends with ``"),
        same("{\"tool\": 1}"),
        same("{\"tool_calls\": []}"),
        same("Text first {\"tool_calls\":[{\"name\":\"now\"}]}"),
        same("</tool_calls> alone"),
        same("The <tool_calls> tag opens a block.\nThat is all."),
        (w("The <tool_calls> tag opens a block:\nWEATHER"), c("The <tool_calls> tag opens a block:\nCALLED")),
        same(&format!("<invoke name=\"now\" {}></invoke>", "x".repeat(400))),
        // Code that merely looks like a call.
        same(&w("```xml\nWEATHER\n```\nThat is how.")),
        same(&w("~~~\nWEATHER\n~~~")),
        same(&w("````md\n```\nWEATHER\n```\n````")),
        same(&w("```md\n```xml\nWEATHER\n```\nThat is how.")),
        same(&w("Write `WEATHER`").replace('\n', "")),
        same("Use `<tool_calls>` for it."),
        (w("```\ncode\n```\nWEATHER"), c("```\ncode\n```\nCALLED")),
        (w("A `word` then\nWEATHER"), c("A `word` then\nCALLED")),
    ]
}

#[test]
fn every_answer_gives_the_same_however_it_is_split() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    for (written, wanted) in cases {
        let wanted = without_spaces_before_calls(&wanted);
        assert_eq!(run(&[&written]), wanted, "whole: {written}");
        let bounds: Vec<usize> = (0..=written.len()).filter(|at| written.is_char_boundary(*at)).collect();
        for at in &bounds {
            let (left, right) = written.split_at(*at);
            assert_eq!(run(&[left, right]), wanted, "split at {at}: {written}");
        }
        let letters: Vec<&str> = bounds.windows(2).map(|pair| &written[pair[0]..pair[1]]).collect();
        assert_eq!(run(&letters), wanted, "letter by letter: {written}");
    }
}

/// The spaces and blank lines between a text and a call are nobody's.
fn without_spaces_before_calls(wanted: &str) -> String {
    wanted.split(" @").map(str::trim_end).collect::<Vec<_>>().join(" @")
}

#[test]
fn no_half_of_a_call_is_ever_seen() {
    let mut parser = Parser::new(&tools(), &ToolChoice::Auto, true);
    let given: Vec<ChatEvent> =
        format!("Hi {WEATHER}").chars().flat_map(|letter| parser.push(ChatEvent::Text(letter.to_string()))).collect();
    let calls_from = given.iter().position(|event| !matches!(event, ChatEvent::Text(_))).unwrap();
    let text: String = given[..calls_from]
        .iter()
        .map(|event| if let ChatEvent::Text(text) = event { text.as_str() } else { "" })
        .collect();
    assert_eq!(text, "Hi");
}

#[test]
fn what_the_caller_chose_is_kept_to() {
    let two = format!("{WEATHER}<tool_calls><invoke name=\"now\"></invoke></tool_calls>");
    assert_eq!(run_with(&ToolChoice::Auto, false, &[&two]), CALLED);
    let now = ToolChoice::Named("now".into());
    assert!(run_with(&now, true, &[&two]).ends_with(" @now {}"));
    assert_eq!(run_with(&now, true, &[WEATHER]), WEATHER);
}

#[test]
fn a_call_that_was_cut_off_for_length_is_neither_made_nor_shown() {
    for reason in [FinishReason::Length, FinishReason::ContentFilter] {
        let mut parser = Parser::new(&tools(), &ToolChoice::Auto, true);
        let half = "Hi <tool_calls><invoke name=\"write\"><parameter name=\"text\"><![CDATA[half of a fi";
        assert_eq!(parser.push(ChatEvent::Text(half.to_owned())), [ChatEvent::Text("Hi".to_owned())]);
        assert_eq!(parser.finish(reason.clone()), [ChatEvent::Finish(reason)]);
    }
}

#[test]
fn other_events_pass() {
    let mut parser = Parser::new(&tools(), &ToolChoice::Auto, true);
    let thought = ChatEvent::Reasoning(WEATHER.to_owned());
    assert_eq!(parser.push(thought.clone()), [thought]);
    assert_eq!(parser.finish(FinishReason::Length), [ChatEvent::Finish(FinishReason::Length)]);
}

#[test]
fn a_block_without_an_end_is_not_waited_for_for_ever() {
    let long = format!("<tool_calls>{}", "x".repeat(BLOCK_MAX + 10));
    assert_eq!(run(&[&long]), long);
}

proptest! {
    #[test]
    fn text_without_marks_passes_unchanged(pieces in prop::collection::vec("[^<{`~]{0,12}", 0..12)) {
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        prop_assert_eq!(run(&pieces), pieces.concat());
    }

    #[test]
    fn anything_at_all_reads_the_same_in_pieces(text in "[<>/|`~{}\"=\\[\\]!a-c \ninvoketl_rmCDATA]{0,80}", at in 0..80usize) {
        let at = at.min(text.len());
        let (left, right) = text.split_at(at);
        prop_assert_eq!(run(&[left, right]), run(&[&text]));
    }
}

#[test]
fn a_strict_tool_is_not_called_with_what_does_not_fit() {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let read = |strict: Option<bool>, text: &str| {
        let tool = Tool { name: "f".into(), description: None, parameters: parameters.clone(), strict };
        let mut parser = Parser::new(&[tool], &ToolChoice::Auto, true);
        let events: Vec<ChatEvent> =
            parser.push(ChatEvent::Text(text.into())).into_iter().chain(parser.finish(FinishReason::Stop)).collect();
        (events.iter().any(|event| matches!(event, ChatEvent::ToolCall { .. })), parser.misfit().map(str::to_owned))
    };
    let call = |inside: &str| format!("<tool_calls><invoke name=\"f\">{inside}</invoke></tool_calls>");
    let good = call("<parameter name=\"city\"><![CDATA[Oslo]]></parameter>");
    assert_eq!(read(Some(true), &good), (true, None));
    let (called, misfit) = read(Some(true), &call(""));
    assert!(!called && misfit.is_some_and(|what| what.starts_with("f: ")));
    assert_eq!(read(None, &call("")), (true, None));
}
