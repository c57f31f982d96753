//! What a model is told of its tools, and how earlier calls stand in its conversation.
use serde_json::Value;

use crate::chat::{Format, Tool, ToolCall, ToolChoice};
use crate::json;

const SYNTAX: &str = r#"To call tools, end your reply with exactly one block of this form, and write nothing after it:

<tool_calls>
<invoke name="TOOL_NAME">
<parameter name="PARAMETER_NAME"><![CDATA[a text]]></parameter>
<parameter name="OTHER_PARAMETER">5</parameter>
</invoke>
</tool_calls>

Rules: texts always stand in CDATA, as they are, without escapes. Numbers, booleans, null, objects and arrays are written as JSON. Use only parameters of the tool's schema, and give all that are required. Do not put the block in a code fence. The results come in the next message."#;

/// The part of the system text that tells of tools; `None` without any, or where none may be called.
pub fn instructions(tools: &[Tool], choice: &ToolChoice, parallel: bool) -> Option<String> {
    if tools.is_empty() || *choice == ToolChoice::None {
        return None;
    }
    let mut text = "You can call these tools:\n".to_owned();
    for tool in tools {
        let description = tool.description.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
        text.push_str(&format!("\n- {}{description}\n  parameters: {}\n", tool.name, tool.parameters));
    }
    text.push_str(&format!("\n{SYNTAX}"));
    text.push_str(if parallel {
        " One block may hold several invokes."
    } else {
        " The block holds one invoke, no more."
    });
    match choice {
        ToolChoice::Required => text.push_str(" You must call a tool now: your reply is the block alone."),
        ToolChoice::Named(name) => {
            text.push_str(&format!(" You must call {name} now, and nothing else: your reply is the block alone."));
        }
        ToolChoice::Auto | ToolChoice::None => {}
    }
    Some(text)
}

/// The part of the system text that asks for JSON.
pub fn format_instructions(format: &Format) -> Option<String> {
    const BARE: &str = "no code fence, and nothing before or after it";
    match format {
        Format::Text => None,
        Format::Json => Some(format!("Reply with one JSON object: {BARE}.")),
        Format::Schema { schema, .. } => Some(format!("Reply with JSON that fits this JSON schema: {BARE}.\n{schema}")),
    }
}

/// Earlier calls, as the model would have written them.
pub fn render_calls(calls: &[ToolCall]) -> String {
    let mut text = "<tool_calls>\n".to_owned();
    for call in calls {
        text.push_str(&format!("<invoke name=\"{}\">\n", call.name));
        match json::parse(&call.arguments) {
            Ok(Value::Object(arguments)) => {
                for (name, value) in arguments {
                    let value = match value {
                        Value::String(text) => cdata(&text),
                        value => value.to_string(),
                    };
                    text.push_str(&format!("<parameter name=\"{name}\">{value}</parameter>\n"));
                }
            }
            // Callers' arguments may be no JSON: passed on, not mended.
            _ => text.push_str(&format!("{}\n", call.arguments)),
        }
        text.push_str("</invoke>\n");
    }
    text + "</tool_calls>"
}

/// A tool's result.
pub fn render_result(id: &str, text: &str) -> String {
    let text = if text.is_empty() { "(nothing)" } else { text };
    format!("<tool_result id=\"{id}\">\n{text}\n</tool_result>")
}

/// A text may hold the end of a CDATA section, which is then split over two.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn says_what_may_and_what_must_be_called() {
        let tools = [Tool {
            name: "f".into(),
            description: Some("Does.".into()),
            parameters: json!({"type": "object"}),
            strict: None,
        }];
        let text = instructions(&tools, &ToolChoice::Auto, true).unwrap();
        assert!(text.contains("- f: Does.\n  parameters: {\"type\":\"object\"}") && text.contains("several invokes"));
        assert!(!text.contains("must call"));
        assert!(instructions(&tools, &ToolChoice::Named("f".into()), false).unwrap().contains("must call f now"));
        assert_eq!(instructions(&tools, &ToolChoice::None, true), None);
        assert_eq!(instructions(&[], &ToolChoice::Required, true), None);
        assert!(
            format_instructions(&Format::Schema { schema: json!({"a": 1}), name: None, strict: None })
                .unwrap()
                .contains("{\"a\":1}")
        );
    }

    #[test]
    fn a_call_in_the_history_reads_back_as_itself() {
        let call = ToolCall { id: "x".into(), name: "f".into(), arguments: r#"{"t":"a ]]> b","n":5}"#.into() };
        let text = render_calls(std::slice::from_ref(&call));
        let read = super::super::markup::calls(&text, &|_, _, _| false);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].arguments, json!({"t": "a ]]> b", "n": 5}));
    }
}
