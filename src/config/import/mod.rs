//! Files of other gateways, and of Weir itself, read into lines that each become a part of the document. What a file is
//! shows in its content; which line is new is for [`plan`] to say.
mod api_together;
mod ds2api;
mod model_map;
mod plan;
mod table;
mod webids;
mod weir;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::chat::{ChatError, ErrorKind};
use crate::dialect::fields::Field;
use crate::json;
pub(super) use plan::plan;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Found {
    /// What kind of file it is.
    pub(super) format: &'static str,
    /// What becomes a part of the document.
    pub(super) lines: Vec<Line>,
    /// Fields that Weir has no use for.
    pub(super) ignored: Vec<String>,
    /// What an operator should know besides.
    pub(super) notes: Vec<&'static str>,
    /// Whether an id that is taken by something else is replaced by a free one.
    pub(super) renames: bool,
}

/// One part.
#[derive(Debug)]
pub(super) struct Line {
    /// Where it stands in the file.
    pub(super) from: String,
    /// What it belongs to.
    pub(super) list: Part,
    /// As the document has it, or what is wrong with it.
    pub(super) item: Result<Value, ChatError>,
}

/// What a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Upstreams,
    Accounts,
    Keys,
    /// `{"name", "target"}`
    Aliases,
    /// `{"name", "target", "upstream"}`
    ModelMapping,
    Settings,
}

impl Part {
    pub(super) fn field(self) -> &'static str {
        match self {
            Part::Upstreams => "upstreams",
            Part::Accounts => "accounts",
            Part::Keys => "keys",
            Part::Aliases => "aliases",
            Part::ModelMapping => "model_mapping",
            Part::Settings => "settings",
        }
    }
}

impl Found {
    fn new(format: &'static str) -> Found {
        Found { format, lines: Vec::new(), ignored: Vec::new(), notes: Vec::new(), renames: true }
    }

    fn push(&mut self, from: impl Into<String>, list: Part, item: Result<Value, ChatError>) {
        self.lines.push(Line { from: from.into(), list, item });
    }

    fn pair(&mut self, from: impl Into<String>, list: Part, name: &str, target: &Field) {
        let item = target.needed_name().map(|target| json!({"name": name, "target": target}));
        self.push(from, list, item);
    }

    /// Notes the fields of `field` that are not `known`. What begins with `_` is a comment.
    fn ignore_but(&mut self, shown: &str, field: &Field, known: &[&str]) {
        for name in field.value.as_object().into_iter().flat_map(|fields| fields.keys()) {
            let path = format!("{shown}{name}");
            if !name.starts_with('_') && !known.contains(&name.as_str()) && !self.ignored.contains(&path) {
                self.ignored.push(path);
            }
        }
    }
}

/// Accounts as the document has them, for a batch.
pub(super) fn batch(accounts: Vec<Value>) -> Found {
    let mut found = Found { renames: false, ..Found::new("batch") };
    for (index, account) in accounts.into_iter().enumerate() {
        found.push(format!("accounts[{index}]"), Part::Accounts, Ok(account));
    }
    found
}

/// Reads any file that is known.
///
/// # Errors
/// `InvalidRequest` where it is none of them, with the line where it is broken JSON.
pub(super) fn read(text: &str) -> Result<Found, ChatError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let broken = match json::parse(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => return of_json(&value),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if let Some(found) = model_map::of_code(text) {
        return Ok(found);
    }
    if let (Some(error), true) = (broken, text.starts_with(['{', '['])) {
        return Err(ChatError::new(ErrorKind::InvalidRequest, format!("The file is not valid JSON: {error}.")));
    }
    // ds2api keeps its file in a variable in this form.
    let packed: String = text.strip_prefix("base64:").unwrap_or(text).split_whitespace().collect();
    let decoded = STANDARD.decode(packed).ok();
    match decoded.and_then(|bytes| json::parse(bytes).ok()) {
        Some(value @ Value::Object(_)) => of_json(&value),
        _ => table::read(text).ok_or_else(unknown),
    }
}

fn of_json(value: &Value) -> Result<Found, ChatError> {
    let root = Field::root(value);
    // ds2api's own export wraps its file.
    for wrapped in ["config", "json"] {
        let inner = root.at(wrapped);
        match inner.value {
            Value::Object(_) => return of_json(inner.value),
            Value::String(text) => return read(text),
            _ => {}
        }
    }
    let has = |names: &[&str]| names.iter().any(|name| root.at(name).is_there());
    let of_weir =
        |account: &Value| ["upstream", "api_key", "web_id", "id"].iter().any(|name| account.get(name).is_some());
    let accounts = root.at("accounts");
    let accounts = accounts.value.as_array();
    match value {
        _ if root.at("apis").value.is_array() => api_together::read(&root),
        _ if has(&["upstreams", "aliases", "settings"]) || accounts.is_some_and(|list| list.iter().any(of_weir)) => {
            weir::read(&root)
        }
        _ if has(&ds2api::MARKS) => ds2api::read(&root),
        Value::Array(items) if items.iter().any(ds2api::is_account) => {
            ds2api::read(&Field::root(&json!({"accounts": items})))
        }
        _ if ds2api::is_account(value) => ds2api::read(&Field::root(&json!({"accounts": [value]}))),
        _ => webids::read(&root).or_else(|| model_map::of_json(&root)).ok_or_else(unknown),
    }
}

/// The name, or the first free one of the name with a number.
fn free(name: &str, from: u64, is_taken: impl Fn(&str) -> bool) -> String {
    let more = (from..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(more).find(|id| !is_taken(id)).unwrap_or_default()
}

fn put(item: &mut Value, name: &str, value: Value) {
    if let Some(fields) = item.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn unknown() -> ChatError {
    let message = "This is no file that Weir knows: a config.json of ds2api or deepseek2api, an apis.json of api-together, \
                   a webids.json, a map of model names, lines of `user:password`, a CSV table with a header, or a \
                   document of Weir.";
    ChatError::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
