//! Decodes a caller's OpenAI request into an [`Envelope`]: what Weir must know is checked, everything else passes through.
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::chat::{Body, ChatError, Endpoint, Envelope, Raw};
use crate::dialect::Form;
use crate::dialect::fields::bad_json;
use crate::json;
use crate::stream::splice::span_of;

/// OpenAI's default where a moderation names no model.
const MODERATION_MODEL: &str = "omni-moderation-latest";

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "even_null")]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    max_completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions<'a> {
    #[serde(borrow, default, deserialize_with = "even_null")]
    include_usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
}

/// Reads one request body.
///
/// # Errors
/// `InvalidRequest` that names the field, for bad JSON, a missing or empty `model`, `messages` or `input`, and wrong types.
pub fn decode(endpoint: Endpoint, body: Vec<u8>) -> Result<(Envelope, Form), ChatError> {
    let text = std::str::from_utf8(&body).map_err(|_| bad_json("it is not UTF-8"))?;
    let fields: Fields = match json::scan(&body) {
        Ok(fields) => fields,
        // The error would tell what stands there instead, and errors are logged where bodies are not.
        Err(error) if error.is_data() && !text.trim_start().starts_with('{') => {
            return Err(bad_json("a JSON object is needed"));
        }
        Err(error) => return Err(bad_json(&error.to_string())),
    };
    let model = match (typed::<String>("model", "a string", fields.model)?, endpoint) {
        (Some(model), _) if model.is_empty() => return Err(ChatError::field("model", "`model` must not be empty.")),
        (Some(model), _) => model,
        (None, Endpoint::Moderations) => MODERATION_MODEL.to_owned(),
        (None, _) => return Err(missing("model")),
    };
    let stream = typed::<bool>("stream", "a boolean", fields.stream)?.unwrap_or(false);
    let include_usage = include_usage(fields.stream_options)?;
    let usage_asked = typed::<bool>("stream_options.include_usage", "a boolean", include_usage)?.unwrap_or(false);
    let conversation = match endpoint {
        Endpoint::Chat => Some(conversation(fields.messages)?),
        Endpoint::Embeddings | Endpoint::Moderations if present(fields.input).is_none() => {
            return Err(missing("input"));
        }
        _ => None,
    };
    let max_tokens = typed::<u64>("max_tokens", "a non-negative integer", fields.max_tokens)?;
    let max_completion = typed("max_completion_tokens", "a non-negative integer", fields.max_completion_tokens)?;
    let most = match endpoint {
        Endpoint::Chat | Endpoint::Completions => max_completion.or(max_tokens),
        Endpoint::Embeddings | Endpoint::Moderations => Some(0),
    };
    let tokens = Envelope::estimate(text.len(), most);
    let span = |raw: Option<&RawValue>| raw.and_then(|raw| span_of(text.as_bytes(), raw.get()));
    let envelope = Envelope {
        endpoint,
        model,
        stream,
        conversation,
        tokens,
        body: Body::Openai(Raw {
            model_span: span(fields.model),
            usage_asked,
            stream_options_span: span(fields.stream_options),
            include_usage_span: span(include_usage),
            choices: typed::<NonZeroU64>("n", "a positive integer", fields.n)?.map_or(1, NonZeroU64::get),
            bytes: body,
        }),
    };
    Ok((envelope, Form::Openai { usage_asked }))
}

/// A null that stands in the body has a span, which an absent field has not.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// The value of a field that is there and not null.
fn present(raw: Option<&RawValue>) -> Option<&RawValue> {
    raw.filter(|raw| raw.get() != "null")
}

fn typed<'a, T: Deserialize<'a>>(field: &str, what: &str, raw: Option<&'a RawValue>) -> Result<Option<T>, ChatError> {
    present(raw)
        .map(|raw| json::scan(raw.get().as_bytes()))
        .transpose()
        .map_err(|_| ChatError::field(field, format!("`{field}` must be {what}.")))
}

fn include_usage(options: Option<&RawValue>) -> Result<Option<&RawValue>, ChatError> {
    let Some(options) = present(options) else { return Ok(None) };
    if !options.get().starts_with('{') {
        return Err(ChatError::field("stream_options", "`stream_options` must be an object."));
    }
    Ok(typed::<StreamOptions>("stream_options", "an object", Some(options))?.and_then(|options| options.include_usage))
}

/// Hashes the messages up to the first one of the user: every later turn of the conversation begins with them.
fn conversation(messages: Option<&RawValue>) -> Result<u64, ChatError> {
    let messages = typed::<Vec<&RawValue>>("messages", "an array", messages)?.ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        return Err(ChatError::field("messages", "`messages` must not be empty."));
    }
    let mut hasher = DefaultHasher::new();
    let mut opening = true;
    for (index, raw) in messages.iter().enumerate() {
        let role = role(index, raw)?;
        if opening {
            raw.get().hash(&mut hasher);
            opening = role != "user";
        }
    }
    Ok(hasher.finish())
}

fn role(index: usize, raw: &RawValue) -> Result<String, ChatError> {
    let path = format!("messages[{index}]");
    if !raw.get().starts_with('{') {
        return Err(ChatError::field(&path, format!("`{path}` must be an object.")));
    }
    let message: Option<Message> = typed(&path, "an object", Some(raw))?;
    let path = format!("{path}.role");
    typed(&path, "a string", message.and_then(|message| message.role))?.ok_or_else(|| missing(&path))
}

fn missing(field: &str) -> ChatError {
    ChatError::field(field, format!("`{field}` is required."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ErrorKind;

    fn chat(body: &str) -> Result<Envelope, ChatError> {
        decode(Endpoint::Chat, body.as_bytes().to_vec()).map(|(envelope, _)| envelope)
    }

    fn raw(envelope: Envelope) -> Raw {
        match envelope.body {
            Body::Openai(raw) => raw,
            Body::Chat { .. } => panic!("not in OpenAI's format"),
        }
    }

    #[test]
    fn reads_what_routing_needs_and_keeps_the_body() {
        let body = r#"{ "messages":[{"role":"user","content":"hi"}], "model" : "m/1", "stream":true,
            "stream_options":{"include_usage":true,"x":1},"unknown":[1e400]}"#;
        let envelope = chat(body).unwrap();
        assert_eq!(envelope.model, "m/1");
        assert!(envelope.stream);
        let raw = raw(envelope);
        assert_eq!(&body[raw.model_span.unwrap()], "\"m/1\"");
        assert_eq!(&body[raw.include_usage_span.unwrap()], "true");
        assert!(raw.usage_asked);
        assert_eq!(raw.bytes, body.as_bytes());
    }

    #[test]
    fn null_is_absent() {
        let envelope =
            chat(r#"{"model":"m","messages":[{"role":"user"}],"stream":null,"stream_options":null,"max_tokens":null}"#)
                .unwrap();
        assert!(!envelope.stream);
        let raw = raw(envelope);
        assert!(!raw.usage_asked);
        assert_eq!(raw.include_usage_span, None);
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        let cases = [
            (r#"{"messages":[{"role":"user"}]}"#, Some("model")),
            (r#"{"model":"","messages":[{"role":"user"}]}"#, Some("model")),
            (r#"{"model":7,"messages":[{"role":"user"}]}"#, Some("model")),
            (r#"{"model":"m"}"#, Some("messages")),
            (r#"{"model":"m","messages":[]}"#, Some("messages")),
            (r#"{"model":"m","messages":"hi"}"#, Some("messages")),
            (r#"{"model":"m","messages":["hi"]}"#, Some("messages[0]")),
            (r#"{"model":"m","messages":[{"role":"user"},{"content":"x"}]}"#, Some("messages[1].role")),
            (r#"{"model":"m","messages":[{"role":["user"]}]}"#, Some("messages[0].role")),
            (r#"{"model":"m","messages":[{"role":"user"}],"stream":"yes"}"#, Some("stream")),
            (r#"{"model":"m","messages":[{"role":"user"}],"stream_options":[]}"#, Some("stream_options")),
            (
                r#"{"model":"m","messages":[{"role":"user"}],"stream_options":{"include_usage":1}}"#,
                Some("stream_options.include_usage"),
            ),
            (r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":-1}"#, Some("max_tokens")),
            (r#"{"model":"m","messages":[{"role":"user"}],"n":0}"#, Some("n")),
            (r#"{"model":"m""#, None),
            ("[]", None),
            (r#"["m",[{"role":"user"}],null,null,null,null,null,null]"#, None),
            ("", None),
            ("\u{0}", None),
        ];
        for (body, param) in cases {
            let error = chat(body).expect_err(body);
            assert_eq!(error.kind, ErrorKind::InvalidRequest, "{body}");
            assert_eq!(error.param.as_deref(), param, "{body}");
        }
        assert!(decode(Endpoint::Chat, vec![0xff, 0xfe]).is_err());
    }

    #[test]
    fn the_small_routes_need_their_own_fields() {
        assert!(decode(Endpoint::Embeddings, br#"{"model":"e","input":"x"}"#.to_vec()).is_ok());
        let error = decode(Endpoint::Embeddings, br#"{"model":"e"}"#.to_vec()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("input"));
        let (moderation, _) = decode(Endpoint::Moderations, br#"{"input":"x"}"#.to_vec()).unwrap();
        assert_eq!(moderation.model, MODERATION_MODEL);
        assert_eq!(raw(moderation).model_span, None);
    }

    #[test]
    fn every_turn_of_a_conversation_has_its_hash() {
        let hash = |messages: &str| chat(&format!(r#"{{"model":"m","messages":[{messages}]}}"#)).unwrap().conversation;
        let system = r#"{"role":"system","content":"s"}"#;
        let first = r#"{"role":"user","content":"one"}"#;
        let reply = r#"{"role":"assistant","content":"two"},{"role":"user","content":"three"}"#;
        assert_eq!(hash(&format!("{system},{first}")), hash(&format!("{system},{first},{reply}")));
        assert_ne!(hash(&format!("{system},{first}")), hash(&format!("{system},{reply}")));
    }
}
