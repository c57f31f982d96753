//! Calls that are written as JSON, and JSON that is almost JSON.
use serde_json::{Map, Value};

use super::markup::Written;
use crate::json;

/// The calls in a text that begins with JSON: one, a list, or either under `tool_calls`; or several of these in a row.
pub(super) fn calls(text: &str) -> Vec<Written> {
    let mut values: Vec<Value> = serde_json::Deserializer::from_str(text).into_iter().map_while(Result::ok).collect();
    if values.is_empty() {
        values.extend(read(text));
    }
    values.iter().flat_map(listed).collect()
}

fn listed(value: &Value) -> Vec<Written> {
    match value.get("tool_calls").unwrap_or(value) {
        Value::Array(calls) => calls.iter().filter_map(call).collect(),
        value => call(value).into_iter().collect(),
    }
}

fn call(value: &Value) -> Option<Written> {
    let value = value.get("function").filter(|function| function.is_object()).unwrap_or(value);
    let name = value.get("name")?.as_str()?.to_owned();
    let arguments = ["arguments", "input", "parameters"].iter().find_map(|field| value.get(*field));
    let arguments = match arguments {
        Some(Value::String(text)) => read(text).unwrap_or_else(|| Value::Object(Map::new())),
        Some(arguments) => arguments.clone(),
        None => Value::Object(Map::new()),
    };
    Some(Written { name, arguments })
}

/// JSON, repaired where it is not: typographic quotes, commas before an end, ends that are missing.
pub(super) fn read(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(value) = json::parse(text) {
        return Some(value);
    }
    json::parse(repaired(text)).ok()
}

fn repaired(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut open = Vec::new();
    let (mut in_string, mut escaped, mut closes) = (false, false, '"');
    for letter in text.chars() {
        if in_string {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if letter == closes => {
                    in_string = false;
                    out.push('"');
                    continue;
                }
                // A line break inside a string is the commonest fault of all.
                '\n' => {
                    out.push_str("\\n");
                    continue;
                }
                _ => {}
            }
            out.push(letter);
            continue;
        }
        match letter {
            '“' | '”' | '"' => {
                in_string = true;
                closes = if letter == '"' { '"' } else { '”' };
                out.push('"');
                continue;
            }
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => {
                trim_comma(&mut out);
                if open.pop() != Some(letter) {
                    return out;
                }
            }
            _ => {}
        }
        out.push(letter);
    }
    if in_string {
        out.push('"');
    }
    trim_comma(&mut out);
    out.extend(open.iter().rev());
    out
}

fn trim_comma(out: &mut String) {
    let kept = out.trim_end().trim_end_matches(',').len();
    out.truncate(kept);
}
