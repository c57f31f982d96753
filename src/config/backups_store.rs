//! Earlier versions of the document in the Registry's SQLite. A version is kept as what the next one changed: the rows as
//! they were, with their secrets sealed as they were. So an edit costs two rows, however long the document is.
use serde_json::Value;
use worker::{Result, SqlStorage, SqlStorageValue};

use super::store::Row;
use crate::json;
use crate::storage;

/// What a version was made by.
pub(super) struct Made<'a> {
    pub(super) at_ms: u64,
    pub(super) actor: &'a str,
    pub(super) change: &'a str,
}

/// Makes the tables.
pub(super) fn create(sql: &SqlStorage) -> Result<()> {
    storage::run(
        sql,
        "CREATE TABLE IF NOT EXISTS made (version INTEGER PRIMARY KEY, at INTEGER, actor TEXT, change TEXT)",
        Vec::new(),
    )?;
    storage::run(
        sql,
        "CREATE TABLE IF NOT EXISTS earlier (list TEXT, id TEXT, version INTEGER, position INTEGER, body TEXT, \
         PRIMARY KEY (list, id, version)) WITHOUT ROWID",
        Vec::new(),
    )?;
    Ok(())
}

/// Keeps a row as it is before `version` changes it; without one, that there was none.
pub(super) fn keep(sql: &SqlStorage, version: u64, list: &str, id: &str) -> Result<()> {
    storage::run(
        sql,
        "INSERT INTO earlier (list, id, version, position, body) \
         SELECT ?1, ?2, ?3, max(position), max(body) FROM item WHERE list = ?1 AND id = ?2",
        vec![list.into(), id.into(), number(version)?],
    )?;
    Ok(())
}

/// Notes what made `version`, and forgets all but the last `kept` versions before it.
pub(super) fn made(sql: &SqlStorage, version: u64, made: &Made, kept: u32) -> Result<()> {
    let insert = "INSERT OR IGNORE INTO made (version, at, actor, change) VALUES (?, ?, ?, ?)";
    let before = if version == 1 { "nothing was stored yet" } else { "made by a Weir without backups" };
    for (version, actor, change) in [(version.saturating_sub(1), "", before), (version, made.actor, made.change)] {
        storage::run(sql, insert, vec![number(version)?, number(made.at_ms)?, actor.into(), change.into()])?;
    }
    if let Some(oldest) = version.checked_sub(u64::from(kept)) {
        storage::run(sql, "DELETE FROM earlier WHERE version <= ?", vec![number(oldest)?])?;
        storage::run(sql, "DELETE FROM made WHERE version < ?", vec![number(oldest)?])?;
    }
    Ok(())
}

/// The versions that there are, the newest first: each with its time and who made it by what.
pub(super) fn list(sql: &SqlStorage) -> Result<Vec<Value>> {
    let select = "SELECT '' AS list, '' AS id, \
                  json_object('version', version, 'at', at, 'actor', actor, 'change', change) AS body \
                  FROM made ORDER BY version DESC";
    let rows: Vec<Row> = storage::rows(sql, select, Vec::new())?;
    Ok(rows.into_iter().filter_map(|row| json::parse(row.body).ok()).collect())
}

/// Puts items back where they stood in `version`.
pub(super) fn put_back(sql: &SqlStorage, version: u64) -> Result<()> {
    storage::run(
        sql,
        "UPDATE item SET position = was.position FROM \
         (SELECT list, id, position, min(version) FROM earlier WHERE version > ? GROUP BY list, id) AS was \
         WHERE item.list = was.list AND item.id = was.id AND item.position <> was.position",
        vec![number(version)?],
    )?;
    Ok(())
}

/// A number as SQLite has it.
pub(super) fn number(value: u64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(value).unwrap_or(i64::MAX))
}
