//! The hashes of client keys that are none any more, in the Registry's SQLite: whoever still presents one is to be known
//! for it.
use std::collections::BTreeSet;

use serde::Deserialize;
use worker::{Result, SqlStorage};

use super::backups_store::number;
use super::document::Document;
use crate::storage;

/// How many are kept; the oldest go first.
const FORMER_MAX: u64 = 10_000;

#[derive(Deserialize)]
struct Row {}

/// Makes the table.
pub(super) fn create(sql: &SqlStorage) -> Result<()> {
    let table = "CREATE TABLE IF NOT EXISTS former (hash TEXT PRIMARY KEY, version INTEGER) WITHOUT ROWID";
    storage::run(sql, table, Vec::new()).map(drop)
}

/// Keeps the keys of `stored` that `next`, of `version`, does not have.
pub(super) fn keep(sql: &SqlStorage, stored: &Document, next: &Document, version: u64) -> Result<()> {
    let present: BTreeSet<&str> = next.keys.iter().map(|key| key.hash.as_str()).collect();
    let former: Vec<&str> =
        stored.keys.iter().map(|key| key.hash.as_str()).filter(|hash| !present.contains(*hash)).collect();
    if former.is_empty() {
        return Ok(());
    }
    for hash in former {
        let insert = "INSERT OR REPLACE INTO former (hash, version) VALUES (?, ?)";
        storage::run(sql, insert, vec![hash.into(), number(version)?])?;
    }
    let oldest = "DELETE FROM former WHERE hash IN \
                  (SELECT hash FROM former ORDER BY version DESC LIMIT -1 OFFSET ?)";
    storage::run(sql, oldest, vec![number(FORMER_MAX)?]).map(drop)
}

/// Whether the key of this hash was one.
pub(super) fn has(sql: &SqlStorage, hash: &str) -> Result<bool> {
    let rows: Vec<Row> = storage::rows(sql, "SELECT hash FROM former WHERE hash = ?", vec![hash.into()])?;
    Ok(!rows.is_empty())
}
