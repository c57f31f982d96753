//! The memory in the Durable Object's SQLite.
use crate::storage;
use serde::Deserialize;
use worker::{Result, SqlStorage, SqlStorageValue};

/// The longest text of a row: SQLite in a Durable Object takes 2 MB.
const TEXT_MAX: usize = 1_900_000;

/// One remembered thing.
#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) previous: Option<String>,
    pub(super) sealed: String,
}

/// Makes the table. The long column is the last: what is counted and sorted by stands before it, else every row would be
/// read as a whole for that.
pub(super) fn create(sql: &SqlStorage) -> Result<()> {
    storage::run(
        sql,
        "CREATE TABLE IF NOT EXISTS remembered \
         (id TEXT PRIMARY KEY, kept_ms INTEGER, expires_ms INTEGER, bytes INTEGER, previous TEXT, sealed TEXT) \
         WITHOUT ROWID",
        Vec::new(),
    )
    .map(drop)
}

/// Whether there is a table: who merely asks gets none, else every made-up credential of a direct caller would leave one.
pub(super) fn exists(sql: &SqlStorage) -> Result<bool> {
    Ok(one_number(sql, "SELECT COUNT(*) AS number FROM sqlite_master WHERE name = 'remembered'")? == Some(1))
}

/// Whether a row can hold `sealed`.
pub(super) fn fits(sealed: &str) -> bool {
    sealed.len() <= TEXT_MAX
}

/// Stores one thing.
pub(super) fn save(sql: &SqlStorage, row: Row, now_ms: u64, expires_ms: u64) -> Result<()> {
    let previous = row.previous.map_or(SqlStorageValue::Null, Into::into);
    let bytes = number(row.sealed.len() as u64)?;
    storage::run(sql, "INSERT OR REPLACE INTO remembered (id, kept_ms, expires_ms, bytes, previous, sealed) VALUES (?, ?, ?, ?, ?, ?)",
        vec![row.id.into(), number(now_ms)?, number(expires_ms)?, bytes, previous, row.sealed.into()],
    )
    .map(drop)
}

/// One thing, if its time is not over.
pub(super) fn load(sql: &SqlStorage, id: &str, now_ms: u64) -> Result<Option<Row>> {
    let rows = storage::rows::<Row>(
        sql,
        "SELECT id, previous, sealed FROM remembered WHERE id = ? AND expires_ms > ?",
        vec![id.into(), number(now_ms)?],
    )?;
    Ok(rows.into_iter().next())
}

/// Forgets one thing. Whether it was there.
pub(super) fn delete(sql: &SqlStorage, id: &str) -> Result<bool> {
    Ok(storage::run(sql, "DELETE FROM remembered WHERE id = ?", vec![id.into()])? > 0)
}

/// Forgets what is over, and the oldest of what is more than `max_bytes`; without a bound, only the former.
pub(super) fn tidy(sql: &SqlStorage, now_ms: u64, max_bytes: Option<u64>) -> Result<()> {
    storage::run(sql, "DELETE FROM remembered WHERE expires_ms <= ?", vec![number(now_ms)?])?;
    if let Some(max_bytes) = max_bytes {
        storage::run(
            sql,
            "DELETE FROM remembered WHERE id IN (SELECT id FROM (SELECT id, \
             SUM(bytes) OVER (ORDER BY kept_ms DESC, id) AS total FROM remembered) WHERE total > ?)",
            vec![number(max_bytes)?],
        )?;
    }
    Ok(())
}

/// When the next thing is over.
pub(super) fn next_end(sql: &SqlStorage) -> Result<Option<u64>> {
    one_number(sql, "SELECT MIN(expires_ms) AS number FROM remembered")
}

fn one_number(sql: &SqlStorage, query: &str) -> Result<Option<u64>> {
    #[derive(Deserialize)]
    struct One {
        number: Option<f64>,
    }
    let rows = storage::rows::<One>(sql, query, Vec::new())?;
    Ok(rows.into_iter().next().and_then(|row| row.number).map(|number| number as u64))
}

fn number(value: u64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(value).unwrap_or(i64::MAX))
}
