//! Tools, and whether they must be used (api-conformance A17, A19, A21).
use serde_json::{Value, json};

use crate::chat::{ChatError, Format, Tool, ToolChoice};
use crate::dialect::fields::Field;

/// The tools that a model can be offered, and whether the caller wants the web searched.
pub(super) fn decode(list: &Field) -> Result<(Vec<Tool>, bool), ChatError> {
    let (mut tools, mut searches) = (Vec::new(), false);
    for tool in list.items()? {
        // Not shown to the model before it has looked for them; then they come without this mark.
        if tool.at("defer_loading").flag()?.unwrap_or(false) {
            continue;
        }
        let kind = tool.at("type").text()?.unwrap_or_else(|| "custom".to_owned());
        let (family, _date) = kind.rsplit_once('_').unwrap_or((&kind, ""));
        match family {
            "custom" => tools.push(custom(&tool)?),
            "bash" | "text_editor" => tools.push(Tool {
                name: tool.at("name").needed_text()?,
                description: Some(description(family).to_owned()),
                parameters: parameters(family),
                strict: None,
            }),
            "web_search" | "web_fetch" => searches = true,
            // Anthropic's servers run these; a model that lacks them goes on without.
            "tool_search_tool_regex" | "tool_search_tool_bm25" | "code_execution" | "mcp" | "advisor" => {}
            _ if kind == "mcp_toolset" => {}
            _ => {
                let message =
                    format!("`{}`: a tool of type `{kind}` works with Anthropic's own models alone.", tool.path);
                return Err(ChatError::field(&tool.path, message));
            }
        }
    }
    Ok((tools, searches))
}

fn custom(tool: &Field) -> Result<Tool, ChatError> {
    let schema = tool.at("input_schema").needed_object()?;
    Ok(Tool {
        name: tool.at("name").needed_name()?,
        description: tool.at("description").text()?,
        parameters: schema.value.clone(),
        // OpenAI's `strict` refuses schemas that Anthropic's allows.
        strict: None,
    })
}

/// What Anthropic tells its models of the tools whose names they know.
fn description(family: &str) -> &'static str {
    match family {
        "bash" => "Runs a command in a persistent bash session.",
        _ => "Views, creates and edits text files.",
    }
}

fn parameters(family: &str) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    if family == "bash" {
        let restart = json!({"type": "boolean", "description": "Set to restart the session."});
        return json!({
            "type": "object", "properties": {"command": text("The command to run."), "restart": restart},
        });
    }
    json!({
        "type": "object", "required": ["command", "path"],
        "properties": {
            "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert"]},
            "path": text("The absolute path of a file or folder."),
            "view_range": {"type": "array", "items": {"type": "integer"}, "description": "The first and last line."},
            "file_text": text("For create: the file's text."),
            "old_str": text("For str_replace: the text to replace, which the file holds once."),
            "new_str": text("For str_replace: the text in its place."),
            "insert_line": {"type": "integer", "description": "For insert: the line after which the text goes."},
            "insert_text": text("For insert: the text."),
        },
    })
}

/// `tool_choice`. A search that was asked for by name is done, or not, by the service itself.
pub(super) fn choice(choice: &Field, tools: &[Tool], searches: bool) -> Result<ToolChoice, ChatError> {
    if !choice.is_there() {
        return Ok(ToolChoice::Auto);
    }
    match choice.at("type").needed_text()?.as_str() {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "any" if tools.is_empty() && searches => Ok(ToolChoice::Auto),
        "any" => Ok(ToolChoice::Required),
        "tool" => {
            let name = choice.at("name").needed_text()?;
            match tools.iter().any(|tool| tool.name == name) {
                true => Ok(ToolChoice::Named(name)),
                false if searches => Ok(ToolChoice::Auto),
                false => {
                    let message = format!("`tool_choice` names `{name}`, which is not in `tools`.");
                    Err(ChatError::field("tool_choice.name", message))
                }
            }
        }
        _ => Err(choice.at("type").wrong("one of auto, any, tool, none")),
    }
}

/// `output_config.format`.
pub(super) fn format(format: &Field) -> Result<Format, ChatError> {
    match format.at("type").needed_text()?.as_str() {
        "text" => Ok(Format::Text),
        "json_schema" => {
            let schema = format.at("schema").needed_object()?.value.clone();
            Ok(Format::Schema { schema, name: None, strict: None })
        }
        _ => Err(format.at("type").wrong("json_schema")),
    }
}
