//! The memory in the Durable Object's SQLite.
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

/// Makes the table.
pub(super) fn create(sql: &SqlStorage) -> Result<()> {
    sql.exec(
        "CREATE TABLE IF NOT EXISTS memory \
         (id TEXT PRIMARY KEY, previous TEXT, sealed TEXT, expires_ms INTEGER) WITHOUT ROWID",
        None,
    )
    .map(drop)
}

/// Whether a row can hold `sealed`.
pub(super) fn fits(sealed: &str) -> bool {
    sealed.len() <= TEXT_MAX
}

/// Stores one thing.
pub(super) fn save(sql: &SqlStorage, row: Row, expires_ms: u64) -> Result<()> {
    let previous = row.previous.map_or(SqlStorageValue::Null, Into::into);
    sql.exec(
        "INSERT OR REPLACE INTO memory (id, previous, sealed, expires_ms) VALUES (?, ?, ?, ?)",
        vec![row.id.into(), previous, row.sealed.into(), number(expires_ms)?],
    )
    .map(drop)
}

/// One thing, if its time is not over.
pub(super) fn load(sql: &SqlStorage, id: &str, now_ms: u64) -> Result<Option<Row>> {
    let rows = sql.exec(
        "SELECT id, previous, sealed FROM memory WHERE id = ? AND expires_ms > ?",
        vec![id.into(), number(now_ms)?],
    )?;
    Ok(rows.to_array::<Row>()?.into_iter().next())
}

/// Forgets one thing. Whether it was there.
pub(super) fn delete(sql: &SqlStorage, id: &str) -> Result<bool> {
    Ok(sql.exec("DELETE FROM memory WHERE id = ?", vec![id.into()])?.rows_written() > 0)
}

/// Forgets what is over, and the oldest of what is more than `max_bytes`; without a bound, only the former.
pub(super) fn tidy(sql: &SqlStorage, now_ms: u64, max_bytes: Option<u64>) -> Result<()> {
    sql.exec("DELETE FROM memory WHERE expires_ms <= ?", vec![number(now_ms)?])?;
    if let Some(max_bytes) = max_bytes {
        sql.exec(
            "DELETE FROM memory WHERE id IN (SELECT id FROM (SELECT id, \
             SUM(LENGTH(sealed)) OVER (ORDER BY expires_ms DESC, id) AS total FROM memory) WHERE total > ?)",
            vec![number(max_bytes)?],
        )?;
    }
    Ok(())
}

/// When the next thing is over.
pub(super) fn next_end(sql: &SqlStorage) -> Result<Option<u64>> {
    #[derive(Deserialize)]
    struct End {
        end: Option<f64>,
    }
    let rows = sql.exec("SELECT MIN(expires_ms) AS end FROM memory", None)?.to_array::<End>()?;
    Ok(rows.into_iter().next().and_then(|row| row.end).map(|end| end as u64))
}

fn number(value: u64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(value).unwrap_or(i64::MAX))
}
