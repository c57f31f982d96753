//! Calls that are written as tags.
use serde_json::{Map, Value};

use super::json;

/// One call as a model wrote it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// A tag of ours, whatever noise is in it.
#[derive(Debug, PartialEq)]
pub(super) struct Tag<'a> {
    pub(super) closes: bool,
    pub(super) name: &'static str,
    /// The value of its attribute `name`.
    pub(super) attribute: Option<&'a str>,
    /// Bytes.
    pub(super) length: usize,
}

/// What stands at a `<`.
#[derive(Debug, PartialEq)]
pub(super) enum At<'a> {
    Tag(Tag<'a>),
    /// It may become a tag with more text.
    Partial,
    Text,
}

/// Names of tags, and what they mean.
const NAMES: [(&str, &str); 8] = [
    ("tool▁calls▁begin", "json_calls"),
    ("tool▁calls▁end", "json_calls_end"),
    ("tool_calls", "tool_calls"),
    ("function_calls", "tool_calls"),
    ("tool_call", "tool_call"),
    ("invoke", "invoke"),
    ("parameter", "parameter"),
    ("item", "item"),
];
/// The longest tag, in bytes.
const TAG_MAX: usize = 300;

/// Looks at a text that begins with `<`.
pub(super) fn at(text: &str) -> At<'_> {
    let given_up = text.len() > TAG_MAX;
    // What is longer is none, however the text is split.
    let text = text.get(..text.floor_char_boundary(TAG_MAX)).unwrap_or_default();
    let Some(inner) = text.strip_prefix('<') else { return At::Text };
    let mut rest = without_noise(inner);
    let closes = rest.starts_with('/');
    if closes {
        rest = without_noise(rest.get(1..).unwrap_or_default());
    }
    let Some((word, name)) = NAMES.iter().find(|(word, _)| rest.starts_with(word)) else {
        // Noise alone, or the beginning of a name, may go on.
        let may_go_on = NAMES.iter().any(|(word, _)| word.starts_with(rest)) || noise_may_go_on(rest);
        return if may_go_on && !given_up { At::Partial } else { At::Text };
    };
    let rest = rest.get(word.len()..).unwrap_or_default();
    let Some(end) = rest.find('>') else {
        // Nothing but attributes and noise may stand before the end.
        let fine = rest.is_empty() || rest.starts_with([' ', '|', '｜', '\n', '\t', '/']);
        return if fine && !given_up { At::Partial } else { At::Text };
    };
    let inside = rest.get(..end).unwrap_or_default();
    if inside.starts_with(|letter: char| letter.is_alphanumeric() || "_-▁".contains(letter)) {
        return At::Text;
    }
    let length = text.len() - rest.len() + end + 1;
    At::Tag(Tag { closes, name, attribute: attribute(inside), length })
}

/// Bars, spaces and marks that some models write inside of tags.
fn without_noise(text: &str) -> &str {
    let mut rest = text;
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches(['|', '｜', ' ', '<']);
        for mark in ["DSML", "EPSE", "dsml-"] {
            rest = rest.strip_prefix(mark).unwrap_or(rest);
        }
        if rest.len() == before {
            return rest;
        }
    }
}

fn noise_may_go_on(rest: &str) -> bool {
    ["DSML", "EPSE", "dsml-"].iter().any(|mark| mark.starts_with(rest))
}

fn attribute(inside: &str) -> Option<&str> {
    let after = inside.split_once("name")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|quote| "\"'“”".contains(*quote))?;
    let value = after.get(quote.len_utf8()..)?;
    let end = value.find(['"', '\'', '“', '”'])?;
    value.get(..end)
}

/// Whether a parameter of a tool that reads as a value was meant as a text.
pub(super) type MeansText<'a> = &'a dyn Fn(&str, &str, &Value) -> bool;

/// The calls in a block of tags. A block that breaks off gives what can be read.
pub(super) fn calls(block: &str, means_text: MeansText) -> Vec<Written> {
    let mut calls = Vec::new();
    let mut rest = block;
    while let Some((tag, after)) = next_tag(rest, &["invoke"]) {
        let Some(name) = tag.attribute.filter(|_| !tag.closes) else {
            rest = after;
            continue;
        };
        let (body, behind) = up_to(after, "invoke");
        let arguments = parameters(body, &|parameter, value| means_text(name, parameter, value));
        calls.push(Written { name: name.to_owned(), arguments: Value::Object(arguments) });
        rest = behind;
    }
    calls
}

/// The calls in the marks that the models were trained on: `<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>ARGUMENTS`, or with
/// `function` before the separator, the name in the line after it and the arguments in a code fence.
pub(super) fn native_calls(block: &str) -> Vec<Written> {
    block.split("tool▁call▁begin").skip(1).filter_map(native_call).collect()
}

fn native_call(text: &str) -> Option<Written> {
    let bare = |text: &'_ str| -> String { text.trim_matches(['<', '>', '|', '｜', '`', ' ', '\n', '\r']).to_owned() };
    let text = text.split_once("tool▁call▁end").map_or(text, |(text, _)| text);
    let (kind, rest) = text.split_once("tool▁sep")?;
    let (before, _) = rest.split_once('{')?;
    let arguments = bare(rest.get(before.len()..)?);
    let line = bare(bare(before).lines().next().unwrap_or_default());
    let name = if bare(kind) == "function" && !line.is_empty() { line } else { bare(kind) };
    Some(Written { name, arguments: json::read(&arguments)? })
}

fn parameters(body: &str, means_text: &dyn Fn(&str, &Value) -> bool) -> Map<String, Value> {
    let mut parameters = Map::new();
    let mut rest = body;
    while let Some((tag, after)) = next_tag(rest, &["parameter"]) {
        let Some(name) = tag.attribute.filter(|_| !tag.closes) else {
            rest = after;
            continue;
        };
        let (value, behind) = up_to(after, "parameter");
        parameters.insert(name.to_owned(), read_value(value, &|value| means_text(name, value)));
        rest = behind;
    }
    if parameters.is_empty()
        && let Some(Value::Object(arguments)) = json::read(body)
    {
        return arguments;
    }
    parameters
}

/// The next tag of one of these names outside of CDATA, and what follows it.
fn next_tag<'a>(text: &'a str, names: &[&str]) -> Option<(Tag<'a>, &'a str)> {
    let mut from = 0;
    loop {
        let here = from + text.get(from..)?.find('<')?;
        let tail = text.get(here..)?;
        if let Some(inside) = tail.strip_prefix("<![CDATA[") {
            from = here + 9 + inside.find("]]>")? + 3;
            continue;
        }
        match at(tail) {
            At::Tag(tag) if names.contains(&tag.name) => {
                let after = tail.get(tag.length..)?;
                return Some((tag, after));
            }
            _ => from = here + 1,
        }
    }
}

/// What stands before the closing tag, and what follows it; all of it where there is none.
fn up_to<'a>(text: &'a str, name: &str) -> (&'a str, &'a str) {
    let mut rest = text;
    while let Some((tag, after)) = next_tag(rest, &[name]) {
        if tag.closes {
            let end = text.len() - after.len() - tag.length;
            return (text.get(..end).unwrap_or_default(), after);
        }
        rest = after;
    }
    (text, "")
}

/// A parameter's value: CDATA is text, all else JSON, elements or text. Text stays to the letter: `1.10` is no 1.1.
fn read_value(text: &str, means_text: &dyn Fn(&Value) -> bool) -> Value {
    let trimmed = text.trim();
    if let Some(section) = trimmed.strip_prefix("<![CDATA[") {
        // A section that never ends is whole all the same: the stream broke off. One in another is part of its text.
        let text = section.rsplit_once("]]>").map_or(section, |(text, _)| text);
        return text.replace("]]><![CDATA[", "").into();
    }
    if let Some(items) = items(trimmed) {
        return Value::Array(items);
    }
    match json::read(trimmed) {
        Some(value) if means_text(&value) => unescaped(trimmed).into(),
        Some(value) if !trimmed.is_empty() => value,
        _ => unescaped(text).into(),
    }
}

fn items(text: &str) -> Option<Vec<Value>> {
    let mut items = Vec::new();
    let mut rest = text;
    while !rest.trim().is_empty() {
        let At::Tag(tag) = at(rest.trim_start()) else { return None };
        if tag.closes || tag.name != "item" {
            return None;
        }
        let (item, behind) = up_to(rest.trim_start().get(tag.length..)?, "item");
        items.push(read_value(item, &|_| false));
        rest = behind;
    }
    (!items.is_empty()).then_some(items)
}

fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Where a block ends that one of these tags closes: the end of the tag, in bytes.
pub(super) fn end_of(block: &str, name: &str) -> Option<usize> {
    let mut rest = block;
    while let Some((tag, after)) = next_tag(rest, &[name]) {
        if tag.closes || tag.name == "json_calls_end" {
            return Some(block.len() - after.len());
        }
        rest = after;
    }
    None
}

/// What is inside of a block's first tag and before its last. Tags in between are part of a text.
pub(super) fn inside(block: &str) -> &str {
    let from = match at(block) {
        At::Tag(tag) => tag.length,
        At::Partial | At::Text => 0,
    };
    let body = block.get(from..).unwrap_or_default().trim_end();
    let ends = |(here, _): &(usize, &str)| matches!(at(body.get(*here..).unwrap_or_default()), At::Tag(tag) if (tag.closes || tag.name == "json_calls_end") && here + tag.length == body.len());
    let end = body.rmatch_indices('<').take(TAG_MAX).find(ends).map_or(body.len(), |(here, _)| here);
    body.get(..end).unwrap_or_default()
}
