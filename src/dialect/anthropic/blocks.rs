//! Content blocks, and the messages that they make (api-conformance A11–A16).
use serde_json::Value;

use super::request::is_billing;
use crate::chat::{ChatError, Message, Part, Role, ToolCall};
use crate::dialect::fields::Field;

/// The texts of a system prompt.
pub(super) fn system(content: &Field) -> Result<Vec<Part>, ChatError> {
    let texts = match content.value {
        Value::String(text) => vec![text.clone()],
        _ => content.items()?.iter().map(system_text).collect::<Result<_, _>>()?,
    };
    Ok(texts.into_iter().filter(|text| !text.is_empty() && !is_billing(text)).map(Part::Text).collect())
}

/// A block of a system text; some say only which tools come or go.
fn system_text(block: &Field) -> Result<String, ChatError> {
    match block.at("type").value.as_str() {
        Some("tool_addition" | "tool_removal") => Ok(String::new()),
        _ => block.at("text").needed_text(),
    }
}

/// Adds what a user's message says. Results of tools come first, right after their calls: OpenAI-format services take
/// them nowhere else.
pub(super) fn user(content: &Field, out: &mut Vec<Message>) -> Result<(), ChatError> {
    if !content.is_there() {
        return Err(content.wrong("a string or an array of blocks"));
    }
    let mut parts = Vec::new();
    for block in blocks(content)? {
        if block.at("type").value == "tool_result" {
            let result = tool_result(&block)?;
            match result.place(out) {
                Some(place) => out.insert(place, result),
                None => parts.append(&mut result.as_users().parts),
            }
        } else {
            parts.extend(part(&block)?);
        }
    }
    match out.last_mut() {
        _ if parts.is_empty() => {}
        Some(last) if last.role == Role::User => last.parts.append(&mut parts),
        _ => out.push(Message { parts, ..Message::empty(Role::User) }),
    }
    Ok(())
}

/// Adds what an assistant's message says, thinks and calls.
pub(super) fn assistant(content: &Field, out: &mut Vec<Message>) -> Result<(), ChatError> {
    let mut message = Message::empty(Role::Assistant);
    for block in blocks(content)? {
        match block.at("type").value.as_str() {
            Some("thinking") => {
                let text = block.at("thinking").text()?.unwrap_or_default();
                message.reasoning.get_or_insert_default().push_str(&text);
            }
            Some("tool_use") => {
                let input = block.at("input");
                let arguments = if input.is_there() { input.value.to_string() } else { "{}".to_owned() };
                let (id, name) = (block.at("id").needed_text()?, block.at("name").needed_text()?);
                message.tool_calls.push(ToolCall { id, name, arguments });
            }
            _ => message.parts.extend(part(&block)?),
        }
    }
    message.reasoning.take_if(|text| text.is_empty());
    match out.last_mut() {
        Some(last) if last.role == Role::Assistant => {
            last.parts.append(&mut message.parts);
            last.tool_calls.append(&mut message.tool_calls);
            if let Some(reasoning) = message.reasoning {
                last.reasoning.get_or_insert_default().push_str(&reasoning);
            }
        }
        _ => out.push(message),
    }
    Ok(())
}

fn tool_result(block: &Field) -> Result<Message, ChatError> {
    let mut parts = Vec::new();
    for inner in blocks(&block.at("content"))? {
        match inner.at("type").value.as_str() {
            Some("tool_reference") => {
                let name = inner.at("tool_name").text()?.or(inner.at("name").text()?).unwrap_or_default();
                parts.push(Part::Text(format!("loaded: {name}")));
            }
            // An agent whose tool once gave such a thing could never go on (A16).
            Some(kind @ ("image" | "document")) => {
                let note = || Some(Part::Text(format!("[{kind}: cannot be shown to this model]")));
                parts.extend(part(&inner).unwrap_or_else(|_| note()));
            }
            _ => parts.extend(part(&inner)?),
        }
    }
    Ok(Message {
        parts,
        tool_call_id: Some(block.at("tool_use_id").needed_text()?),
        failed: block.at("is_error").flag()?.unwrap_or(false),
        ..Message::empty(Role::Tool)
    })
}

/// A text alone counts as one block.
fn blocks<'a>(content: &Field<'a>) -> Result<Vec<Field<'a>>, ChatError> {
    match content.value {
        Value::String(_) => Ok(vec![Field { value: content.value, path: content.path.clone() }]),
        Value::Null | Value::Array(_) => content.items(),
        _ => Err(content.wrong("a string or an array of blocks")),
    }
}

/// What a block shows; nothing where it is for Anthropic's own servers.
fn part(block: &Field) -> Result<Option<Part>, ChatError> {
    if let Value::String(text) = block.value {
        return Ok(Some(Part::Text(text.clone())));
    }
    let source = block.at("source");
    Ok(match block.at("type").needed_text()?.as_str() {
        "text" => Some(Part::Text(block.at("text").needed_text()?)),
        "image" => Some(Part::Image { url: url(&source)?, detail: None, at: block.path.clone() }),
        "document" => Some(document(block, &source)?),
        "search_result" => {
            let heading = [block.at("title").text()?, block.at("source").text()?];
            let texts = texts(&block.at("content"))?;
            Some(Part::Text(heading.into_iter().flatten().chain(texts).collect::<Vec<_>>().join("\n")))
        }
        "web_search_tool_result" => Some(Part::Text(pages(&block.at("content")))),
        // What Anthropic's servers did or keep, and thoughts that nobody can read.
        _ => None,
    })
}

fn document(block: &Field, source: &Field) -> Result<Part, ChatError> {
    let title = block.at("title").text()?;
    let texts = match source.at("type").needed_text()?.as_str() {
        "text" => vec![source.at("data").needed_text()?],
        "content" => texts(&source.at("content"))?,
        "base64" => return Ok(Part::File { name: title, data: url(source)?, at: block.path.clone() }),
        kind => {
            let message =
                format!("`{}`: documents by `{kind}` cannot be fetched here. Send their content.", block.path);
            return Err(ChatError::field(&block.path, message));
        }
    };
    let context = block.at("context").text()?;
    Ok(Part::Text(title.into_iter().chain(context).chain(texts).collect::<Vec<_>>().join("\n")))
}

/// A `source` as a URL.
fn url(source: &Field) -> Result<String, ChatError> {
    match source.at("type").needed_text()?.as_str() {
        "base64" => {
            let (kind, data) = (source.at("media_type").needed_text()?, source.at("data").needed_text()?);
            Ok(format!("data:{kind};base64,{data}"))
        }
        "url" => source.at("url").needed_text(),
        _ => Err(source.at("type").wrong("base64 or url")),
    }
}

fn texts(content: &Field) -> Result<Vec<String>, ChatError> {
    blocks(content)?
        .iter()
        .filter_map(|block| match block.value {
            Value::String(text) => Some(Ok(text.clone())),
            _ => block.at("text").text().transpose(),
        })
        .collect()
}

/// What an earlier search of Anthropic's found.
fn pages(content: &Field) -> String {
    let page = |page: &Value| Some(format!("{}: {}", page.get("title")?.as_str()?, page.get("url")?.as_str()?));
    let pages: Vec<String> = content.value.as_array().into_iter().flatten().filter_map(page).collect();
    format!("[Web search]\n{}", pages.join("\n"))
}
