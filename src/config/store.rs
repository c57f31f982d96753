//! The document in the Registry's SQLite: a row per item, since a row holds at most 2 MB, and only changed rows are written.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use worker::{Result, SqlStorage};

use super::backups_store::{self, Made, number};
use super::document::Document;
use super::former_store;
use crate::json;
use crate::storage;

const LISTS: [&str; 3] = ["keys", "upstreams", "accounts"];

/// Between a list and an id; no list's name holds it.
const BETWEEN: char = '/';

/// The rows of one document: `list/id` → JSON. Fields without items have the id "".
type Rows = Vec<(String, String)>;

/// The rows of a version: those that no later one changed, and the others as the first one after it found them.
const ROWS_AT: &str = "SELECT list, id, position, body FROM item WHERE NOT EXISTS \
     (SELECT 1 FROM earlier WHERE list = item.list AND id = item.id AND version > ?1) \
     UNION ALL SELECT list, id, position, body FROM \
     (SELECT list, id, position, body, min(version) FROM earlier WHERE version > ?1 GROUP BY list, id) \
     WHERE body IS NOT NULL ORDER BY list, position";

/// A row of one of the tables, as JSON where it is not of `item`.
#[derive(Deserialize)]
pub(super) struct Row {
    list: String,
    id: String,
    pub(super) body: String,
}

#[derive(Deserialize)]
struct Version {
    version: f64,
}

/// Makes the tables.
pub(super) fn create(sql: &SqlStorage) -> Result<()> {
    storage::run(
        sql,
        "CREATE TABLE IF NOT EXISTS item (list TEXT, id TEXT, position INTEGER, body TEXT, PRIMARY KEY (list, id)) WITHOUT ROWID",
        Vec::new(),
    )?;
    storage::run(sql, "CREATE TABLE IF NOT EXISTS version (one INTEGER PRIMARY KEY, version INTEGER)", Vec::new())?;
    storage::run(sql, "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID", Vec::new())?;
    former_store::create(sql)?;
    backups_store::create(sql)
}

/// The stored document with its version, or `None` before the first one.
pub(super) fn load(sql: &SqlStorage) -> Result<Option<(Document, u64)>> {
    let versions: Vec<Version> = storage::rows(sql, "SELECT version FROM version", Vec::new())?;
    let Some(version) = versions.first() else { return Ok(None) };
    // A cast from float saturates; versions stay far below 2^53.
    let version = version.version as u64;
    Ok(Some((load_at(sql, version)?, version)))
}

/// The document as it was in `version`, which is one of those that are kept.
pub(super) fn load_at(sql: &SqlStorage, version: u64) -> Result<Document> {
    let rows: Vec<Row> = storage::rows(sql, ROWS_AT, vec![number(version)?])?;
    if rows.is_empty() {
        return Ok(Document::default());
    }
    let mut document = serde_json::json!({"keys": [], "upstreams": [], "accounts": []});
    for row in rows {
        let body = json::parse(&row.body).map_err(|error| broken(&row.list, &error))?;
        if let (true, Some(items)) = (!row.id.is_empty(), document.get_mut(&row.list).and_then(Value::as_array_mut)) {
            items.push(body);
        } else if let Some(fields) = document.as_object_mut() {
            fields.insert(row.list, body);
        }
    }
    json::read_value(&document).map_err(|error| broken("document", &error))
}

/// Stores `next` over `stored`, which stays as a backup. The object's writes of one turn are atomic.
pub(super) fn save(sql: &SqlStorage, stored: &Document, next: &Document, version: u64, made: &Made) -> Result<()> {
    let mut before = BTreeMap::<String, String>::new();
    // Before the first version nothing is stored, not even an empty document.
    for (name, body) in if version > 1 { rows(stored)? } else { Rows::new() } {
        before.insert(name, body);
    }
    let last: Vec<Version> = storage::rows(sql, "SELECT coalesce(max(position), 0) AS version FROM item", Vec::new())?;
    let last = last.first().map_or(0, |last| last.version as u64);
    for (position, (name, body)) in (last.saturating_add(1)..).zip(&rows(next)?) {
        if before.remove(name).as_ref() == Some(body) {
            continue;
        }
        let (list, id) = parts(name);
        backups_store::keep(sql, version, list, id)?;
        // A changed item keeps its place, a new one comes last.
        storage::run(
            sql,
            "INSERT INTO item (list, id, position, body) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (list, id) DO UPDATE SET body = ?4",
            vec![list.into(), id.into(), number(position)?, body.as_str().into()],
        )?;
    }
    for name in before.keys() {
        let (list, id) = parts(name);
        backups_store::keep(sql, version, list, id)?;
        storage::run(sql, "DELETE FROM item WHERE list = ? AND id = ?", vec![list.into(), id.into()])?;
    }
    former_store::keep(sql, stored, next, version)?;
    storage::run(sql, "INSERT OR REPLACE INTO version (one, version) VALUES (1, ?)", vec![number(version)?])?;
    backups_store::made(sql, version, made, next.settings.backups)
}

/// A sealed text that is no part of the document.
pub(super) fn kept(sql: &SqlStorage, name: &str) -> Result<Option<String>> {
    let select = "SELECT '' AS list, name AS id, body FROM kept WHERE name = ?";
    let rows: Vec<Row> = storage::rows(sql, select, vec![name.into()])?;
    Ok(rows.into_iter().next().map(|row| row.body))
}

/// Keeps a sealed text that is no part of the document.
pub(super) fn keep(sql: &SqlStorage, name: &str, body: &str) -> Result<()> {
    storage::run(sql, "INSERT OR REPLACE INTO kept (name, body) VALUES (?, ?)", vec![name.into(), body.into()])?;
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
                    rows.push((format!("{field}{BETWEEN}{id}"), item.to_string()));
                }
            }
            value => rows.push((format!("{field}{BETWEEN}"), value.to_string())),
        }
    }
    Ok(rows)
}
