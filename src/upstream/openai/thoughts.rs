//! Puts back the thoughts behind tool calls where a client did not send them: DeepSeek refuses a conversation without
//! (api-conformance C4, protocols: B2.3).
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::Raw;
use crate::json;
use crate::stream::splice::{Edit, span_of};

/// An assistant's message that calls tools and does not say with what thoughts.
#[derive(Debug, PartialEq, Eq)]
pub struct Silent {
    /// The first of its calls.
    pub call: String,
    /// Where the field goes: an empty range behind the message's brace, or the range of an empty value.
    at: Range<usize>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    tool_calls: Option<Vec<Call>>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
}

/// The messages of a body that lack their thoughts.
pub fn silent(raw: &Raw) -> Vec<Silent> {
    if memmem::find(&raw.bytes, b"\"tool_calls\"").is_none() {
        return Vec::new();
    }
    let body: Option<Body> = json::scan(&raw.bytes).ok();
    let messages = body.and_then(|body| body.messages).unwrap_or_default();
    messages.into_iter().filter_map(|message| read(&raw.bytes, message)).collect()
}

fn read(body: &[u8], raw: &RawValue) -> Option<Silent> {
    let message: Message = json::scan(raw.get().as_bytes()).ok().filter(|message: &Message| {
        // A null reads as absent, and an empty text says nothing.
        message.role.as_deref() == Some("assistant")
            && message.reasoning_content.is_none_or(|value| value.get() == "\"\"")
    })?;
    let call = message.tool_calls?.into_iter().next()?.id?;
    let at = match message.reasoning_content {
        Some(value) => span_of(body, value.get())?,
        None => {
            let start = span_of(body, raw.get())?.start.checked_add(1)?;
            start..start
        }
    };
    Some(Silent { call, at })
}

/// Puts these thoughts, by the id of the first call, where they lack. What nobody remembers is the empty text, which is
/// taken too.
pub fn edits(silent: &[Silent], thoughts: &BTreeMap<String, String>) -> Vec<Edit> {
    let edit = |silent: &Silent| {
        let text = thoughts.get(&silent.call).map_or("", String::as_str);
        let value = serde_json::Value::from(text);
        let with = if silent.at.is_empty() { format!("\"reasoning_content\":{value},") } else { value.to_string() };
        Edit::new(silent.at.clone(), with)
    };
    silent.iter().map(edit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Body, Endpoint};
    use crate::dialect::openai::request::decode;
    use crate::stream::splice::splice;

    #[test]
    fn thoughts_go_where_they_lack() {
        let calls = |id: &str| format!(r#""tool_calls":[{{"id":"{id}","function":{{}}}}]"#);
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{{ "role":"assistant",{}}},{{"role":"assistant",{},"reasoning_content":"own"}},{{"role":"assistant","reasoning_content":"",{}}},{{"role":"assistant",{}}},{{"role":"assistant","content":"y"}}]}}"#,
            calls("a"),
            calls("b"),
            calls("c"),
            calls("d"),
        );
        let (envelope, _) = decode(Endpoint::Chat, body.into_bytes()).unwrap();
        let Body::Openai(raw) = envelope.body else { panic!("not in OpenAI's format") };
        let silent = silent(&raw);
        assert_eq!(silent.iter().map(|silent| silent.call.as_str()).collect::<Vec<_>>(), ["a", "c", "d"]);
        let thoughts = [("a".to_owned(), "one \"1\"".to_owned()), ("c".to_owned(), "three".to_owned())].into();
        let mut out = Vec::new();
        splice(&raw.bytes, edits(&silent, &thoughts), &mut out);
        let sent: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let thoughts: Vec<_> = sent["messages"].as_array().unwrap()[1..5]
            .iter()
            .map(|message| message["reasoning_content"].as_str().unwrap())
            .collect();
        assert_eq!(thoughts, ["one \"1\"", "own", "three", ""]);
    }
}
