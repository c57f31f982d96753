//! Decodes a call of Anthropic's Messages API (api-conformance A10–A22). What is not known is ignored; what would change
//! the answer and cannot be done is refused by name.
use super::answer::Form;
use super::{blocks, tools};
use crate::chat::{Body, ChatError, ChatRequest, Endpoint, Envelope, Message, Role};
use crate::dialect;
use crate::dialect::fields::{Field, parse};
use crate::tokens;

/// Claude Code's first block of the system text: it changes from session to session, and says nothing to a model.
const BILLING: &str = "x-anthropic-billing-header:";

/// Reads one call.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub fn decode(body: &[u8]) -> Result<(Envelope, dialect::Form), ChatError> {
    let value = parse(body)?;
    let body_field = Field::root(&value);
    let model = body_field.at("model").needed_name()?;
    let chat = chat(&body_field)?;
    let prompt_tokens = tokens::of_request(&chat);
    let form = Form { thinks: chat.reasoning == Some(true), input_tokens: prompt_tokens };
    let envelope = Envelope {
        endpoint: Endpoint::Chat,
        model,
        stream: body_field.at("stream").flag()?.unwrap_or(false),
        conversation: Some(chat.conversation()),
        tokens: Envelope::estimate(body.len(), chat.max_tokens),
        body: Body::Chat { chat: Box::new(chat), prompt_tokens },
    };
    Ok((envelope, dialect::Form::Anthropic(form)))
}

/// Reads a body whose tokens are to be counted, and counts them.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub fn count(body: &[u8]) -> Result<u64, ChatError> {
    let value = parse(body)?;
    let body = Field::root(&value);
    body.at("model").needed_name()?;
    Ok(tokens::of_request(&chat(&body)?).max(1))
}

fn chat(body: &Field) -> Result<ChatRequest, ChatError> {
    for (field, why) in [
        ("thread", "threads are not kept here. Send the whole conversation."),
        ("compaction", "only Anthropic can make a compaction block."),
    ] {
        if body.at(field).is_there() {
            return Err(ChatError::field(field, format!("`{field}`: {why}")));
        }
    }
    let (tools, searches) = tools::decode(&body.at("tools"))?;
    let choice = body.at("tool_choice").object()?;
    let output = body.at("output_config").object()?;
    let format = [output.at("format"), body.at("output_format")].into_iter().find(Field::is_there);
    let thinking = body.at("thinking").object()?;
    Ok(ChatRequest {
        messages: messages(body)?,
        tool_choice: tools::choice(&choice, &tools, searches)?,
        parallel_tool_calls: !choice.at("disable_parallel_tool_use").flag()?.unwrap_or(false),
        tools,
        format: format.map_or(Ok(Default::default()), |format| tools::format(&format))?,
        reasoning: Some(thinking.at("type").text()?.is_some_and(|kind| kind != "disabled")),
        effort: output.at("effort").text()?,
        search: searches.then_some(true),
        stop: body.at("stop_sequences").texts()?.into_iter().filter(|text| !text.is_empty()).collect(),
        max_tokens: body.at("max_tokens").number()?,
        temperature: body.at("temperature").fraction()?,
        top_p: body.at("top_p").fraction()?,
    })
}

fn messages(body: &Field) -> Result<Vec<Message>, ChatError> {
    let mut out = Vec::new();
    let parts = blocks::system(&body.at("system"))?;
    if !parts.is_empty() {
        out.push(Message { parts, ..Message::empty(Role::System) });
    }
    let list = body.at("messages");
    let items = list.items()?;
    if items.is_empty() {
        return Err(list.wrong("a non-empty array"));
    }
    for message in &items {
        let (role, content) = (message.at("role"), message.at("content"));
        match role.needed_text()?.as_str() {
            "user" => blocks::user(&content, &mut out)?,
            "assistant" => blocks::assistant(&content, &mut out)?,
            "system" => {
                let parts = blocks::system(&content)?;
                // What says only which tools come or go says nothing to another model.
                out.extend((!parts.is_empty()).then(|| Message { parts, ..Message::empty(Role::System) }));
            }
            _ => return Err(role.wrong("one of user, assistant, system")),
        }
    }
    if out.iter().all(|message| message.role == Role::System) {
        return Err(list.wrong("messages that say something"));
    }
    Ok(out)
}

/// Whether a block of the system text is for Anthropic alone.
pub(super) fn is_billing(text: &str) -> bool {
    text.starts_with(BILLING)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
