//! The document in the Registry's SQLite: a row per item, since a row holds at most 2 MB, and only changed rows are written.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use worker::{Result, SqlStorage, SqlStorageValue};

use super::document::Document;

const LISTS: [&str; 3] = ["keys", "upstreams", "accounts"];

/// Between a list and an id; no list's name holds it.
const BETWEEN: char = '/';

/// The rows of one document: `list/id` → JSON. Fields without items have the id "".
type Rows = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Row {
    list: String,
    id: String,
    body: String,
}

#[derive(Deserialize)]
struct Version {
    version: f64,
}

/// Makes the tables.
pub(super) fn create(sql: &SqlStorage) -> Result<()> {
    sql.exec(
        "CREATE TABLE IF NOT EXISTS item (list TEXT, id TEXT, position INTEGER, body TEXT, PRIMARY KEY (list, id)) WITHOUT ROWID",
        None,
    )?;
    sql.exec("CREATE TABLE IF NOT EXISTS version (one INTEGER PRIMARY KEY, version INTEGER)", None)?;
    Ok(())
}

/// The stored document with its version, or `None` before the first one.
pub(super) fn load(sql: &SqlStorage) -> Result<Option<(Document, u64)>> {
    let versions: Vec<Version> = sql.exec("SELECT version FROM version", None)?.to_array()?;
    let Some(version) = versions.first() else { return Ok(None) };
    let rows: Vec<Row> = sql.exec("SELECT list, id, body FROM item ORDER BY list, position", None)?.to_array()?;
    let mut document = serde_json::json!({"keys": [], "upstreams": [], "accounts": []});
    for row in rows {
        let body: Value = serde_json::from_str(&row.body).map_err(|error| broken(&row.list, &error))?;
        if let (true, Some(items)) = (!row.id.is_empty(), document.get_mut(&row.list).and_then(Value::as_array_mut)) {
            items.push(body);
        } else if let Some(fields) = document.as_object_mut() {
            fields.insert(row.list, body);
        }
    }
    // A cast from float saturates; versions stay far below 2^53.
    let document = Document::deserialize(&document).map_err(|error| broken("document", &error))?;
    Ok(Some((document, version.version as u64)))
}

/// Stores `next` over `stored`. The object's writes of one turn are atomic.
pub(super) fn save(sql: &SqlStorage, stored: &Document, next: &Document, version: u64) -> Result<()> {
    // Before the first version nothing is stored, not even an empty document.
    let before = if version > 1 { rows(stored)? } else { Rows::new() };
    let after = rows(next)?;
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        let (list, id) = parts(name);
        sql.exec("DELETE FROM item WHERE list = ? AND id = ?", vec![list.into(), id.into()])?;
    }
    for (name, body) in &after {
        if before.get(name) == Some(body) {
            continue;
        }
        let (list, id) = parts(name);
        // A changed item keeps its place, a new one comes last.
        sql.exec(
            "INSERT INTO item (list, id, position, body) \
             VALUES (?1, ?2, (SELECT coalesce(max(position), 0) + 1 FROM item WHERE list = ?1), ?3) \
             ON CONFLICT (list, id) DO UPDATE SET body = ?3",
            vec![list.into(), id.into(), body.as_str().into()],
        )?;
    }
    let version = SqlStorageValue::try_from_i64(i64::try_from(version).unwrap_or(i64::MAX))?;
    sql.exec("INSERT OR REPLACE INTO version (one, version) VALUES (1, ?)", vec![version])?;
    Ok(())
}

fn parts(name: &str) -> (&str, &str) {
    name.split_once(BETWEEN).unwrap_or((name, ""))
}

fn broken(what: &str, error: &serde_json::Error) -> worker::Error {
    worker::Error::RustError(format!("the stored {what} cannot be read: {error}"))
}

fn rows(document: &Document) -> Result<Rows> {
    let Value::Object(fields) = serde_json::to_value(document)? else { return Ok(Rows::new()) };
    let mut rows = Rows::new();
    for (field, value) in fields {
        match value {
            Value::Array(items) if LISTS.contains(&field.as_str()) => {
                for item in items {
                    let id = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                    rows.insert(format!("{field}{BETWEEN}{id}"), item.to_string());
                }
            }
            value => drop(rows.insert(format!("{field}{BETWEEN}"), value.to_string())),
        }
    }
    Ok(rows)
}
