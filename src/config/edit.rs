//! One change of the document, all of it or nothing. Every change is made on the masked document, and the whole is read
//! again: so there is one validation, and a masked secret stays what it was.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::Document;
use super::import;
use super::read::Reader;
use crate::chat::{ChatError, ErrorKind};

/// The lists of the document that have items with an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// Client keys.
    Keys,
    /// Accounts.
    Accounts,
    /// Upstreams.
    Upstreams,
}

/// What an operator asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Replaces the top-level fields that `document` has.
    Merge {
        /// A part of the document.
        document: Value,
    },
    /// Replaces everything.
    Replace {
        /// The document.
        document: Value,
    },
    /// Adds an item.
    Add {
        /// Where.
        list: List,
        /// The item, or for keys the text alone.
        item: Value,
    },
    /// Adds several items, all or none.
    AddAll {
        /// Where.
        list: List,
        /// The items.
        items: Vec<Value>,
    },
    /// Changes fields of the settings, as a JSON merge patch (RFC 7396).
    Settings {
        /// The fields.
        fields: Value,
    },
    /// Changes fields of an item, as a JSON merge patch (RFC 7396).
    Patch {
        /// Where.
        list: List,
        /// Which.
        id: String,
        /// The fields.
        fields: Value,
    },
    /// Removes an item.
    Delete {
        /// Where.
        list: List,
        /// Which.
        id: String,
    },
    /// Adds the good ones of these accounts.
    Batch {
        /// The accounts.
        accounts: Vec<Value>,
    },
    /// Adds what a file holds.
    Import {
        /// The file.
        text: String,
        /// Whether only the report is wanted.
        dry_run: bool,
    },
}

impl List {
    /// The field of the document.
    pub fn field(self) -> &'static str {
        match self {
            List::Keys => "keys",
            List::Accounts => "accounts",
            List::Upstreams => "upstreams",
        }
    }
}

/// The document after `change`, and the masked item that it made or changed, or the report of an import.
///
/// # Errors
/// `InvalidRequest` that names the path (below the item, where the change is of one item), `NotFound`, `Conflict`.
pub fn apply(reader: &Reader, change: Change) -> Result<(Document, Value), ChatError> {
    let mut next = reader.stored.masked();
    let touched = match change {
        Change::Replace { document } => {
            next = document;
            None
        }
        Change::Merge { document } => {
            let Value::Object(fields) = document else { return Err(not_an_object()) };
            for (field, value) in fields {
                put(&mut next, field, value);
            }
            None
        }
        Change::Add { list, item } => {
            let items = items(&mut next, list)?;
            let path = format!("{}[{}]", list.field(), items.len());
            items.push(item);
            Some((list, items.len() - 1, path))
        }
        Change::AddAll { list, items: more } => {
            items(&mut next, list)?.extend(more);
            None
        }
        Change::Settings { fields } => {
            let (Value::Object(fields), Some(settings)) = (fields, next.get_mut("settings")) else {
                return Err(not_an_object());
            };
            merge(settings, fields);
            None
        }
        Change::Patch { list, id, fields } => {
            let Value::Object(fields) = fields else { return Err(not_an_object()) };
            let (index, item) = find(&mut next, list, &id)?;
            merge(item, fields);
            Some((list, index, format!("{}[{index}]", list.field())))
        }
        Change::Batch { accounts } => return import::plan(reader, import::batch(accounts)),
        Change::Import { text, dry_run } => {
            let (document, report) = import::plan(reader, import::read(&text)?)?;
            return Ok((if dry_run { reader.stored.clone() } else { document }, report));
        }
        Change::Delete { list, id } => {
            let (index, _) = find(&mut next, list, &id)?;
            let in_use = list == List::Upstreams && reader.stored.accounts.iter().any(|account| account.upstream == id);
            if in_use {
                let message = format!("The upstream `{id}` has accounts. Delete them, or move them, first.");
                return Err(ChatError::new(ErrorKind::Conflict, message));
            }
            items(&mut next, list)?.remove(index);
            None
        }
    };
    match touched {
        None => Ok((reader.read(next)?, Value::Null)),
        Some((list, index, path)) => {
            let document = reader.read(next).map_err(|error| below(error, &path))?;
            let item = document.masked().get(list.field()).and_then(|items| items.get(index)).cloned();
            Ok((document, item.unwrap_or_default()))
        }
    }
}

fn items(document: &mut Value, list: List) -> Result<&mut Vec<Value>, ChatError> {
    document.get_mut(list.field()).and_then(Value::as_array_mut).ok_or_else(not_an_object)
}

fn find<'a>(document: &'a mut Value, list: List, id: &str) -> Result<(usize, &'a mut Value), ChatError> {
    let found = items(document, list)?
        .iter_mut()
        .enumerate()
        .find(|(_, item)| item.get("id").and_then(Value::as_str) == Some(id));
    found.ok_or_else(|| ChatError::new(ErrorKind::NotFound, format!("There is no `{id}` among the {}.", list.field())))
}

fn put(document: &mut Value, field: String, value: Value) {
    if let Some(fields) = document.as_object_mut() {
        fields.insert(field, value);
    }
}

/// RFC 7396: null removes, an object merges, all else replaces.
fn merge(target: &mut Value, fields: Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(object) = target.as_object_mut() else { return };
    for (name, value) in fields {
        match value {
            Value::Null => drop(object.remove(&name)),
            Value::Object(fields) => merge(object.entry(name).or_insert(Value::Null), fields),
            value => drop(object.insert(name, value)),
        }
    }
}

/// The caller sent one item, so its paths begin there.
fn below(mut error: ChatError, path: &str) -> ChatError {
    if let Some(param) = error.param.as_deref().and_then(|param| param.strip_prefix(path)) {
        let param = param.trim_start_matches('.').to_owned();
        error.message = error.message.replace(&format!("{path}."), "").replace(path, "item");
        error.param = (!param.is_empty()).then_some(param);
    }
    error
}

fn not_an_object() -> ChatError {
    ChatError::new(ErrorKind::InvalidRequest, "A JSON object is needed.")
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
