//! A Durable Object's storage; what is used of it is counted as it is billed.
use std::time::Duration;

use serde::de::DeserializeOwned;
use worker::{Result, SqlCursor, SqlStorage, SqlStorageValue, Storage};

use crate::stats::plan;

/// Runs a statement that answers nothing; how many rows it wrote.
pub fn run(sql: &SqlStorage, statement: &str, bindings: Vec<SqlStorageValue>) -> Result<u64> {
    Ok(counted(&sql.exec(statement, bindings)?))
}

/// The rows that a query finds.
pub fn rows<T: DeserializeOwned>(sql: &SqlStorage, query: &str, bindings: Vec<SqlStorageValue>) -> Result<Vec<T>> {
    let cursor = sql.exec(query, bindings)?;
    let rows = cursor.to_array();
    counted(&cursor);
    rows
}

/// Wakes the object after a while, which is billed as a row.
pub async fn set_alarm(storage: &Storage, wait: Duration) -> Result<()> {
    plan::count_rows(0, 1);
    storage.set_alarm(wait).await
}

fn counted(cursor: &SqlCursor) -> u64 {
    let written = cursor.rows_written() as u64;
    plan::count_rows(cursor.rows_read() as u64, written);
    written
}
