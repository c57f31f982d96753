//! The statistics in the Durable Object's SQLite. Writes are billed by the row: so an hour is one row with all its names,
//! and one row of the log holds many calls.
use serde::Deserialize;
use serde_json::Value;
use worker::{Result, SqlStorage, SqlStorageValue};

use super::figures::Span;
use super::plan::{self, Counts};
use crate::json;
use crate::storage;

/// An hour and a day, in milliseconds.
pub(super) const HOUR_MS: u64 = 3_600_000;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;
/// JavaScript's largest whole number.
pub(super) const SEQ_MAX: u64 = (1 << 53) - 1;
/// A row of the log is full with as many calls, or bytes.
const CHUNK_CALLS: u64 = 50;
const CHUNK_BYTES: usize = 64 * 1024;
/// Rows of the log that are read at once.
const CHUNKS: u64 = 8;

/// The length of a span that is stored as one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    Hour,
    Day,
}

/// A log. What strangers cause has a table of its own, so that it pushes nothing else out; both count their entries
/// together, so that they are told in one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// Of calls.
    Calls,
    /// Of admin writes, and of logins that were refused.
    Audit,
}

/// One row of figures.
pub(super) struct Stored {
    pub(super) start_ms: u64,
    pub(super) span: Span,
    pub(super) counts: Counts,
}

/// A row of any table. Of figures, `body` has the total, the counts and the names, a line each.
#[derive(Deserialize)]
struct Row {
    id: f64,
    count: f64,
    body: String,
}

/// Makes the tables.
pub(super) fn create(sql: &SqlStorage) -> Result<()> {
    for table in [
        "span (grain TEXT, id INTEGER, figures TEXT, names TEXT, PRIMARY KEY (grain, id)) WITHOUT ROWID",
        // `id` is the number of the first call; the texts are lines.
        "log (id INTEGER PRIMARY KEY, count INTEGER, until_ms INTEGER, body TEXT)",
        "log_refused (id INTEGER PRIMARY KEY, count INTEGER, until_ms INTEGER, body TEXT)",
        "audit (id INTEGER PRIMARY KEY, count INTEGER, body TEXT)",
        "audit_refused (id INTEGER PRIMARY KEY, count INTEGER, body TEXT)",
    ] {
        storage::run(sql, &format!("CREATE TABLE IF NOT EXISTS {table}"), Vec::new())?;
    }
    Ok(())
}

/// The figures since `from_ms`, oldest first; without their names where those are not needed.
pub(super) fn spans(sql: &SqlStorage, grain: Grain, from_ms: u64, names: bool) -> Result<Vec<Stored>> {
    let names = if names { "|| names" } else { "" };
    let query =
        format!("SELECT id, 0 AS count, figures {names} AS body FROM span WHERE grain = ? AND id >= ? ORDER BY id");
    let rows = rows(sql, &query, vec![grain.name().into(), number(from_ms)?])?;
    Ok(rows.into_iter().map(Stored::of).collect())
}

/// The latest hour.
pub(super) fn last_hour(sql: &SqlStorage) -> Result<Option<Stored>> {
    let query =
        "SELECT id, 0 AS count, figures || names AS body FROM span WHERE grain = 'hour' ORDER BY id DESC LIMIT 1";
    Ok(rows(sql, query, Vec::new())?.into_iter().next().map(Stored::of))
}

/// Stores figures in the place of older ones.
pub(super) fn save(sql: &SqlStorage, grain: Grain, stored: &Stored) -> Result<()> {
    let Stored { start_ms, span, counts } = stored;
    let figures = format!("{}\n{}\n", span.total.pack(), plan::pack(*counts));
    let names = span.pack_names().to_string();
    storage::run(
        sql,
        "INSERT OR REPLACE INTO span (grain, id, figures, names) VALUES (?, ?, ?, ?)",
        vec![grain.name().into(), number(*start_ms)?, figures.into(), names.into()],
    )
    .map(drop)
}

/// Adds a closed hour to its day.
pub(super) fn close(sql: &SqlStorage, hour: &Stored, names_max: usize) -> Result<()> {
    let start_ms = hour.start_ms - hour.start_ms % DAY_MS;
    let day = spans(sql, Grain::Day, start_ms, true)?.into_iter().find(|day| day.start_ms == start_ms);
    let mut day = day.unwrap_or(Stored::empty(start_ms));
    day.span.merge(&hour.span, names_max);
    day.counts = plan::sum(day.counts, hour.counts);
    save(sql, Grain::Day, &day)
}

/// Forgets figures that are older than this.
pub(super) fn forget(sql: &SqlStorage, grain: Grain, before_ms: u64) -> Result<()> {
    storage::run(sql, "DELETE FROM span WHERE grain = ? AND id < ?", vec![grain.name().into(), number(before_ms)?])
        .map(drop)
}

/// Adds calls, or refusals, to the log, and forgets the oldest of them: more than `max`, and what ended before `since_ms`.
pub(super) fn log(
    sql: &SqlStorage,
    refused: bool,
    lines: &[&str],
    until_ms: u64,
    max: u64,
    since_ms: u64,
) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let table = Log::Calls.table(refused);
    // A row goes as a whole: so it holds the calls of one day at most, lest new ones keep the old.
    let last = format!("SELECT id, count, body FROM {table} WHERE until_ms >= ? ORDER BY id DESC LIMIT 1");
    let last = rows(sql, &last, vec![number(until_ms - until_ms % DAY_MS)?])?;
    let next = Log::Calls.next(sql)?;
    // Only the row that holds the newest entry of all has room for the next number.
    let last = last.into_iter().next().filter(|row| (row.id + row.count) as u64 == next);
    let (mut id, mut count, mut body) =
        last.map_or((next, 0, String::new()), |row| (row.id as u64, row.count as u64, row.body));
    for line in lines {
        if count >= CHUNK_CALLS || body.len() >= CHUNK_BYTES {
            save_chunk(sql, table, (id, count), until_ms, std::mem::take(&mut body))?;
            (id, count) = (id.saturating_add(count), 0);
        }
        body.push_str(line.split_once('\t').map_or(line, |(_, entry)| entry));
        body.push('\n');
        count = count.saturating_add(1);
    }
    save_chunk(sql, table, (id, count), until_ms, body)?;
    let newer = format!("SELECT id, until_ms, SUM(count) OVER (ORDER BY id DESC) - count AS newer FROM {table}");
    storage::run(
        sql,
        &format!("DELETE FROM {table} WHERE id IN (SELECT id FROM ({newer}) WHERE newer >= ? OR until_ms < ?)"),
        vec![number(max)?, number(since_ms)?],
    )
    .map(drop)
}

fn save_chunk(sql: &SqlStorage, table: &str, (id, count): (u64, u64), until_ms: u64, body: String) -> Result<()> {
    storage::run(
        sql,
        &format!("INSERT OR REPLACE INTO {table} (id, count, until_ms, body) VALUES (?, ?, ?, ?)"),
        vec![number(id)?, number(count)?, number(until_ms)?, body.into()],
    )
    .map(drop)
}

/// The latest entries before the one of this number that are `wanted`, newest first, each with its number in `seq`.
pub(super) fn entries(
    sql: &SqlStorage,
    log: Log,
    before: u64,
    limit: usize,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Vec<Value>> {
    let (mut found, mut before) = (Vec::new(), before);
    let query = log.latest();
    loop {
        let rows = rows(sql, &query, vec![number(before)?, number(CHUNKS)?])?;
        if rows.is_empty() {
            return Ok(found);
        }
        for row in rows {
            let first = row.id as u64;
            let lines: Vec<(u64, &str)> = (first..before).zip(row.body.lines()).collect();
            for (seq, line) in lines.into_iter().rev() {
                let Ok(mut entry) = json::parse(line) else { continue };
                if !wanted(&entry) {
                    continue;
                }
                if let Some(fields) = entry.as_object_mut() {
                    fields.insert("seq".to_owned(), seq.into());
                }
                found.push(entry);
                if found.len() >= limit {
                    return Ok(found);
                }
            }
            before = first;
        }
    }
}

/// Adds to the log of admin writes, or to that of refused logins, which keeps the newest `max`.
pub(super) fn note(sql: &SqlStorage, refused: bool, entry: &Value, max: u64) -> Result<()> {
    let table = Log::Audit.table(refused);
    let next = Log::Audit.next(sql)?;
    storage::run(
        sql,
        &format!("INSERT INTO {table} (id, count, body) VALUES (?, 1, ?)"),
        vec![number(next)?, entry.to_string().into()],
    )?;
    let last = format!("SELECT id FROM {table} ORDER BY id DESC LIMIT 1 OFFSET ?");
    storage::run(sql, &format!("DELETE FROM {table} WHERE id <= ({last})"), vec![number(max)?]).map(drop)
}

impl Log {
    fn table(self, refused: bool) -> &'static str {
        match (self, refused) {
            (Log::Calls, false) => "log",
            (Log::Calls, true) => "log_refused",
            (Log::Audit, false) => "audit",
            (Log::Audit, true) => "audit_refused",
        }
    }

    /// The number of its next entry.
    fn next(self, sql: &SqlStorage) -> Result<u64> {
        let last = rows(sql, &self.latest(), vec![number(SEQ_MAX)?, number(1)?])?;
        Ok(last.first().map_or(1, |last| (last.id + last.count) as u64))
    }

    /// The latest rows below a number, at most so many.
    fn latest(self) -> String {
        let [mine, strangers] = [false, true].map(|refused| self.table(refused));
        format!(
            "SELECT id, count, body FROM {mine} WHERE id < ?1 UNION ALL \
             SELECT id, count, body FROM {strangers} WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
        )
    }
}

impl Grain {
    fn name(self) -> &'static str {
        match self {
            Grain::Hour => "hour",
            Grain::Day => "day",
        }
    }
}

impl Stored {
    /// Figures of nothing.
    pub(super) fn empty(start_ms: u64) -> Stored {
        Stored { start_ms, span: Span::default(), counts: Counts::default() }
    }

    fn of(row: Row) -> Stored {
        let mut lines = row.body.lines().map(|line| json::parse(line).unwrap_or_default());
        let mut next = || lines.next().unwrap_or_default();
        let (total, counts, names) = (next(), next(), next());
        Stored { start_ms: row.id as u64, span: Span::unpack(&total, &names), counts: plan::unpack(&counts) }
    }
}

fn rows(sql: &SqlStorage, query: &str, bindings: Vec<SqlStorageValue>) -> Result<Vec<Row>> {
    storage::rows(sql, query, bindings)
}

fn number(value: u64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(value).unwrap_or(i64::MAX))
}
