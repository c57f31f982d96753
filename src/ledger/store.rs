//! The journal in the Durable Object's SQLite. Writes are billed by the row: one at admission, one at settlement, one
//! when a call is forgotten; no index beside the primary keys.
use serde::Deserialize;
use worker::{Result, SqlStorage, SqlStorageValue};

use super::journal::{CallRow, Owner, Record, Stored};
use crate::json;
use crate::storage;

#[derive(Deserialize)]
struct Body {
    body: String,
}

#[derive(Deserialize)]
struct Call {
    body: String,
    expires_ms: Option<f64>,
    settled_ms: Option<f64>,
    tokens: Option<f64>,
}

/// Makes the tables.
pub(super) fn create(sql: &SqlStorage) -> Result<()> {
    storage::run(
        sql,
        "CREATE TABLE IF NOT EXISTS call \
         (seq INTEGER PRIMARY KEY, body TEXT, expires_ms INTEGER, settled_ms INTEGER, tokens INTEGER)",
        Vec::new(),
    )?;
    storage::run(sql, "CREATE TABLE IF NOT EXISTS shard (number INTEGER PRIMARY KEY)", Vec::new())?;
    storage::run(sql, "CREATE TABLE IF NOT EXISTS totals (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID", Vec::new())?;
    Ok(())
}

/// Stores which part of a split ledger this is.
pub(super) fn save_shard(sql: &SqlStorage, shard: u32) -> Result<()> {
    storage::run(sql, "INSERT OR IGNORE INTO shard (number) VALUES (?)", vec![number(u64::from(shard))?]).map(drop)
}

/// Which part of a split ledger this is, where it was stored.
pub(super) fn load_shard(sql: &SqlStorage) -> Option<u32> {
    #[derive(Deserialize)]
    struct Row {
        number: f64,
    }
    let rows = storage::rows::<Row>(sql, "SELECT number FROM shard", Vec::new()).ok()?;
    Some(rows.first()?.number as u32)
}

/// Everything stored.
pub(super) fn load(sql: &SqlStorage) -> Result<Stored> {
    let calls =
        storage::rows::<Call>(sql, "SELECT body, expires_ms, settled_ms, tokens FROM call ORDER BY seq", Vec::new())?;
    let totals = storage::rows::<Body>(sql, "SELECT body FROM totals", Vec::new())?;
    let call = |row: Call| {
        let mut call: CallRow = json::read(&row.body).ok()?;
        if let Some(expires) = row.expires_ms {
            call.unconfirmed = false;
            call.expires_ms = expires as u64;
        }
        call.settled_ms = row.settled_ms.map(|at| at as u64);
        call.tokens = row.tokens.map_or(0, |tokens| tokens as u64);
        Some(call)
    };
    Ok(Stored {
        calls: calls.into_iter().filter_map(call).collect(),
        totals: totals.into_iter().filter_map(|row| json::read(&row.body).ok()).collect(),
    })
}

/// Stores what happened. The object's writes of one turn are atomic.
pub(super) fn save(sql: &SqlStorage, records: &[Record]) -> Result<()> {
    for record in records {
        match record {
            Record::Call(row) => {
                let body = serde_json::to_string(row)?;
                storage::run(
                    sql,
                    "INSERT OR REPLACE INTO call (seq, body) VALUES (?, ?)",
                    vec![number(row.seq)?, body.into()],
                )?;
            }
            Record::Renewed { seq, expires_ms } => {
                let bindings = vec![number(*expires_ms)?, number(*seq)?];
                storage::run(sql, "UPDATE call SET expires_ms = ? WHERE seq = ?", bindings)?;
            }
            Record::Settled { seq, settled_ms, tokens } => {
                let bindings = vec![number(*settled_ms)?, number(*tokens)?, number(*seq)?];
                storage::run(sql, "UPDATE call SET settled_ms = ?, tokens = ? WHERE seq = ?", bindings)?;
            }
            Record::Withdrawn { seq } => {
                storage::run(sql, "DELETE FROM call WHERE seq = ?", vec![number(*seq)?])?;
            }
            Record::Totals(row) => {
                let body = serde_json::to_string(row)?;
                storage::run(
                    sql,
                    "INSERT OR REPLACE INTO totals (id, body) VALUES (?, ?)",
                    vec![name(row.owner, &row.id).into(), body.into()],
                )?;
            }
            Record::Gone { owner, id } => {
                storage::run(sql, "DELETE FROM totals WHERE id = ?", vec![name(*owner, id).into()])?;
            }
            Record::Forget { settled_before_ms } => {
                storage::run(sql, "DELETE FROM call WHERE settled_ms < ?", vec![number(*settled_before_ms)?])?;
            }
        }
    }
    Ok(())
}

fn name(owner: Owner, id: &str) -> String {
    match owner {
        Owner::Account => format!("account {id}"),
        Owner::Key => format!("key {id}"),
    }
}

fn number(value: u64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(value).unwrap_or(i64::MAX))
}
