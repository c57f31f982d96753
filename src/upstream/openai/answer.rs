//! Reads a plain answer: is it one, what did it use, and the model's name as the caller knows it.
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::meter::Fault;
use crate::chat::{Endpoint, Usage};
use crate::json;
use crate::stream::splice::{Edit, span_of, splice};

/// `usage` as OpenAI, Ark and DeepSeek write it (protocols: B1.3, B2.3).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_cache_hit_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl From<&WireUsage> for Usage {
    fn from(wire: &WireUsage) -> Usage {
        let cached = wire.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens);
        let reasoning = wire.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens);
        Usage {
            prompt: wire.prompt_tokens.unwrap_or(0),
            completion: wire.completion_tokens.unwrap_or(0),
            reasoning: reasoning.unwrap_or(0),
            cached: cached.or(wire.prompt_cache_hit_tokens).unwrap_or(0),
        }
    }
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    results: Option<&'a RawValue>,
    usage: Option<WireUsage>,
}

/// Checks a 200 answer and gives it back with `asked_model` in place of the upstream's name, and its usage.
///
/// # Errors
/// `Fault::Error` for an error object in a 200; `Fault::Garbage` for an empty answer and for what is no answer of `endpoint`;
/// `Fault::GaveUp` for one that the service did not bring to its end.
pub fn read(endpoint: Endpoint, body: Vec<u8>, asked_model: &str) -> Result<(Vec<u8>, Option<Usage>), Fault> {
    let fields: Fields = json::scan(&body).map_err(|_| Fault::Garbage)?;
    if let Some(error) = fields.error.filter(|error| error.get() != "null") {
        return Err(Fault::Error(error.get().to_owned()));
    }
    let results = match endpoint {
        Endpoint::Chat | Endpoint::Completions => fields.choices,
        Endpoint::Embeddings => fields.data,
        Endpoint::Moderations => fields.results,
    };
    if !results.is_some_and(|results| holds_something(results.get())) {
        return Err(Fault::Garbage);
    }
    if let Some(fault) = fields.choices.and_then(|choices| given_up(choices.get().as_bytes())) {
        return Err(fault);
    }
    let usage = fields.usage.as_ref().map(Usage::from);
    let asked = serde_json::Value::from(asked_model).to_string();
    let renamed = fields.model.filter(|model| model.get() != asked);
    let edit = renamed.and_then(|model| Some(Edit::new(span_of(&body, model.get())?, asked)));
    let Some(edit) = edit else { return Ok((body, usage)) };
    let mut out = Vec::with_capacity(body.len() + edit.with.len());
    splice(&body, vec![edit], &mut out);
    Ok((out, usage))
}

/// Why a body is no event stream that has this line before its first event: its service answered in another way than it was
/// asked to. `None` for a line that an event stream may have.
pub fn instead_of_events(line: &[u8]) -> Option<Fault> {
    let field = line.split(|byte| *byte == b':').next().unwrap_or_default();
    if field.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)) {
        return None;
    }
    Some(read(Endpoint::Chat, line.to_vec(), "").err().unwrap_or(Fault::Garbage))
}

/// The fault of the first choice that the service gave up.
fn given_up(choices: &[u8]) -> Option<Fault> {
    const KEY: &[u8] = b"\"finish_reason\"";
    memmem::find_iter(choices, KEY).find_map(|at| {
        let value = choices.get(at + KEY.len()..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let reason = value.strip_prefix(b"\"")?.split(|byte| *byte == b'"').next()?;
        Fault::of_finish(str::from_utf8(reason).ok()?)
    })
}

fn holds_something(array: &str) -> bool {
    array.strip_prefix('[').is_some_and(|rest| !rest.trim_start().starts_with(']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(body: &str, asked: &str) -> Result<(String, Option<Usage>), Fault> {
        read(Endpoint::Chat, body.as_bytes().to_vec(), asked)
            .map(|(body, usage)| (String::from_utf8(body).unwrap(), usage))
    }

    #[test]
    fn maps_the_model_and_reads_usage() {
        let body = "\n\n{\"model\":\"ep-1\",\"choices\":[{\"model\":\"x\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7,\"prompt_cache_hit_tokens\":2,\"completion_tokens_details\":{\"reasoning_tokens\":1}}}";
        let (out, usage) = chat(body, "my \"model\"").unwrap();
        assert_eq!(out, body.replace("\"ep-1\"", "\"my \\\"model\\\"\""));
        assert_eq!(usage, Some(Usage { prompt: 3, completion: 4, reasoning: 1, cached: 2 }));
    }

    #[test]
    fn an_answer_that_needs_no_change_is_the_same_bytes() {
        let body = r#"{"choices":[1],"unknown":1e999,"usage":null}"#;
        assert_eq!(chat(body, "m").unwrap(), (body.to_owned(), None));
    }

    #[test]
    fn what_its_service_gave_up_is_no_answer() {
        let of = |reason: &str| {
            format!(
                r#"{{"choices":[{{"message":{{"content":"\"finish_reason\":\"error\""}},"finish_reason" : {reason}}}]}}"#
            )
        };
        for whole in ["\"stop\"", "\"length\"", "null", "\"errors\""] {
            assert!(chat(&of(whole), "m").is_ok(), "{whole}");
        }
        for given_up in ["error", "network_error", "abort", "insufficient_system_resource"] {
            let fault = chat(&of(&format!("{given_up:?}")), "m").unwrap_err();
            assert_eq!(fault, Fault::GaveUp(given_up.to_owned()));
        }
        let second = r#"{"choices":[{"finish_reason":"stop"},{"finish_reason":"abort"}]}"#;
        assert!(chat(second, "m").is_err());
    }

    #[test]
    fn tells_what_comes_instead_of_events() {
        for line in ["data", "event: x", "id:1", "retry: 5", ": note", "x-own_field: 1"] {
            assert_eq!(instead_of_events(line.as_bytes()), None, "{line}");
        }
        let whole = r#"{"choices":[{"message":{"content":"hi"}}]}"#;
        for line in ["<!doctype html>", "no healthy upstream", "服务不可用", "{", "{\"a\":", "[1]", whole] {
            assert_eq!(instead_of_events(line.as_bytes()), Some(Fault::Garbage), "{line}");
        }
        assert_eq!(instead_of_events(br#"{"error":"no"}"#), Some(Fault::Error(r#""no""#.to_owned())));
    }

    #[test]
    fn finds_what_is_no_answer() {
        for body in [
            "",
            "  \n",
            "null",
            "[]",
            "{}",
            "\"x\"",
            r#"{"choices":[]}"#,
            r#"{"choices":[ ]}"#,
            r#"{"data":[1]}"#,
            "<html>",
        ] {
            assert_eq!(chat(body, "m").unwrap_err(), Fault::Garbage, "{body}");
        }
        let error = chat(r#"{"error":{"message":"no"},"choices":[1]}"#, "m").unwrap_err();
        assert_eq!(error, Fault::Error(r#"{"message":"no"}"#.to_owned()));
        assert!(
            read(Endpoint::Embeddings, br#"{"data":[1],"usage":{"prompt_tokens":1,"total_tokens":1}}"#.to_vec(), "m")
                .is_ok()
        );
    }
}
