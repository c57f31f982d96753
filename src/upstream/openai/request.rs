//! A call as an OpenAI-format service wants it: where it goes, and the caller's body with the upstream's model name.
use crate::chat::{Endpoint, Raw};
use crate::stream::splice::{Edit, splice};

/// The URL of `endpoint` below `base_url`, which may or may not end in a version such as `/v1` or `/api/v3`.
///
/// A base URL that names no version gets `/v1`: OpenAI's own clients want it there, people often leave it out.
pub fn url(base_url: &str, endpoint: Endpoint) -> String {
    let base = base_url.trim_end_matches('/');
    let base = base.strip_suffix(endpoint.path()).unwrap_or(base);
    let path = base.split_once("://").map_or(base, |(_, rest)| rest).split('/').skip(1);
    let version = if path.into_iter().any(is_version) { "" } else { "/v1" };
    format!("{base}{version}{}", endpoint.path())
}

/// `v1`, `v3`, `v1beta`.
fn is_version(segment: &str) -> bool {
    let mut letters = segment.chars();
    letters.next() == Some('v') && letters.next().is_some_and(|letter| letter.is_ascii_digit())
}

/// The caller's body, which asks for the model `asked`, for `model` and with further `edits`. A `stream` asks for usage, so
/// that it can be counted; every other byte is the caller's.
pub fn body(raw: &Raw, asked: &str, model: &str, stream: bool, mut edits: Vec<Edit>) -> Vec<u8> {
    match &raw.model_span {
        Some(span) if model != asked => edits.push(Edit::new(span.clone(), json_text(model))),
        Some(_) => {}
        None => edits.extend(insert(&raw.bytes, &format!("\"model\":{}", json_text(model)))),
    }
    if stream && !raw.usage_asked {
        edits.extend(ask_for_usage(raw));
    }
    let mut out = Vec::with_capacity(raw.bytes.len() + 64);
    splice(&raw.bytes, edits, &mut out);
    out
}

fn ask_for_usage(raw: &Raw) -> Option<Edit> {
    const OPTIONS: &str = "{\"include_usage\":true}";
    if let Some(span) = &raw.include_usage_span {
        return Some(Edit::new(span.clone(), "true"));
    }
    let Some(span) = &raw.stream_options_span else {
        return insert(&raw.bytes, &format!("\"stream_options\":{OPTIONS}"));
    };
    let options = raw.bytes.get(span.clone())?;
    if options == b"null" {
        return Some(Edit::new(span.clone(), OPTIONS));
    }
    let mut edit = insert(options, "\"include_usage\":true")?;
    edit.span = edit.span.start + span.start..edit.span.end + span.start;
    Some(edit)
}

/// Makes `field` the first one of a JSON object.
fn insert(object: &[u8], field: &str) -> Option<Edit> {
    let after = memchr::memchr(b'{', object)? + 1;
    let is_empty = object.get(after..)?.trim_ascii_start().starts_with(b"}");
    Some(Edit::new(after..after, if is_empty { field.to_owned() } else { format!("{field},") }))
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Body;
    use crate::dialect::openai::request::decode;

    #[test]
    fn finds_the_version_or_adds_it() {
        let cases = [
            ("https://api.openai.com", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            ("https://ark.cn-beijing.volces.com/api/v3/", "https://ark.cn-beijing.volces.com/api/v3/chat/completions"),
            (
                "https://ark.cn-beijing.volces.com/api/v3/bots",
                "https://ark.cn-beijing.volces.com/api/v3/bots/chat/completions",
            ),
            ("https://x.example/v1beta/openai", "https://x.example/v1beta/openai/chat/completions"),
            ("https://x.example/openai", "https://x.example/openai/v1/chat/completions"),
            ("https://x.example/v1/chat/completions", "https://x.example/v1/chat/completions"),
            ("http://127.0.0.1:8788", "http://127.0.0.1:8788/v1/chat/completions"),
        ];
        for (base, expected) in cases {
            assert_eq!(url(base, Endpoint::Chat), expected);
        }
    }

    fn sent(fields: &str, model: &str) -> String {
        let caller = format!(r#"{{"model": "m", "messages":[{{"role":"user","content":"\"model\""}}]{fields}}}"#);
        let (envelope, _) = decode(Endpoint::Chat, caller.into_bytes()).unwrap();
        let Body::Openai(raw) = envelope.body else { panic!("not in OpenAI's format") };
        String::from_utf8(body(&raw, &envelope.model, model, envelope.stream, Vec::new())).unwrap()
    }

    #[test]
    fn a_plain_call_is_the_callers_bytes_but_for_the_model() {
        let same = r#"{"model": "m", "messages":[{"role":"user","content":"\"model\""}],"x":1e999}"#;
        assert_eq!(sent(r#","x":1e999"#, "m"), same);
        assert_eq!(sent(r#","x":1e999"#, "up\"1"), same.replace("\"m\"", r#""up\"1""#));
    }

    #[test]
    fn a_stream_asks_for_usage_once() {
        let tail = |options: &str| sent(&format!(r#","stream":true{options}"#), "m");
        assert!(tail("").starts_with(r#"{"stream_options":{"include_usage":true},"model": "m""#));
        assert!(tail(r#","stream_options":null"#).ends_with(r#""stream_options":{"include_usage":true}}"#));
        assert!(tail(r#","stream_options":{}"#).ends_with(r#""stream_options":{"include_usage":true}}"#));
        assert!(tail(r#","stream_options":{"a":1}"#).ends_with(r#""stream_options":{"include_usage":true,"a":1}}"#));
        assert!(tail(r#","stream_options":{"include_usage":false}"#).ends_with(r#"{"include_usage":true}}"#));
        assert!(
            tail(r#","stream_options":{"include_usage":true,"a":1}"#).ends_with(r#"{"include_usage":true,"a":1}}"#)
        );
        for options in
            ["", r#","stream_options":null"#, r#","stream_options":{}"#, r#","stream_options":{"include_usage":null}"#]
        {
            let value: serde_json::Value = serde_json::from_str(&tail(options)).unwrap();
            assert_eq!(value["stream_options"]["include_usage"], true, "{options}");
        }
    }

    #[test]
    fn a_moderation_without_a_model_gets_one() {
        let (envelope, _) = decode(Endpoint::Moderations, br#"{"input":"x"}"#.to_vec()).unwrap();
        let Body::Openai(raw) = &envelope.body else { panic!("not in OpenAI's format") };
        assert_eq!(body(raw, &envelope.model, "mod-1", false, Vec::new()), br#"{"model":"mod-1","input":"x"}"#);
    }
}
