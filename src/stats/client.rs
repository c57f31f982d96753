//! The Worker's side: records wait for each other in the isolate, and go to the Durable Object together.
use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Value, json};
use worker::{Date, Delay, Env};

use super::plan::{self, Counts};
use super::settings::Stats;
use crate::chat::ChatError;
use crate::rpc;

const BINDING: &str = "STATS";
const OBJECT: &str = "main";
const DEADLINE: Duration = Duration::from_secs(10);
/// When the task that was to send the waiting records is this late, it is gone: another one does.
const LATE_MS: u64 = 2_000;

#[derive(Default)]
struct Waiting {
    records: Vec<String>,
    /// When they are sent; 0 where no task waits to do so.
    due_ms: u64,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
}

/// Stores a record, together with others that end at about the same time. To be awaited by a task that nobody waits for.
pub async fn record(env: &Env, settings: &Stats, record: String) {
    let now = Date::now().as_millis();
    let (is_full, waits) = WAITING.with_borrow_mut(|waiting| {
        waiting.records.push(record);
        let is_full = waiting.records.len() >= settings.batch_max.max(1);
        let waits = !is_full && waiting.due_ms.saturating_add(LATE_MS) < now;
        if waits {
            waiting.due_ms = now.saturating_add(settings.batch_ms);
        }
        (is_full, waits)
    });
    if waits {
        Delay::from(Duration::from_millis(settings.batch_ms)).await;
        WAITING.with_borrow_mut(|waiting| waiting.due_ms = 0);
    }
    if waits || is_full {
        flush(env, settings).await;
    }
}

/// Sends what waits in this isolate.
pub async fn flush(env: &Env, settings: &Stats) {
    let records = WAITING.with_borrow_mut(|waiting| std::mem::take(&mut waiting.records));
    let counts: Counts = plan::take();
    if records.is_empty() && counts == Counts::default() {
        return;
    }
    let head = json!({"settings": settings, "counts": plan::pack(counts)});
    let batch = format!("{head}\n{}", records.join("\n"));
    let sent =
        rpc::call_text(env, BINDING, OBJECT, "record", &batch, DEADLINE).await.is_ok_and(|done| !done.is_empty());
    if !sent {
        // The failure is in the log. Records are not kept for a second try, lest they pile up; counts take no room.
        plan::count(counts);
    }
}

/// Asks for something; what has not been sent yet is part of the answer.
///
/// # Errors
/// `Internal` when the object does not answer.
pub async fn ask(env: &Env, settings: &Stats, method: &str, question: &Value) -> Result<Value, ChatError> {
    flush(env, settings).await;
    rpc::call(env, BINDING, OBJECT, method, question, DEADLINE).await
}

/// What the audit log is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The operator changed something.
    Write,
    /// Somebody did not get in.
    Refused,
}

/// Adds to the audit log.
///
/// # Errors
/// `Internal` when the object does not answer.
pub async fn note(env: &Env, settings: &Stats, what: Noted, entry: Value) -> Result<(), ChatError> {
    let refused = what == Noted::Refused;
    let max = if refused { settings.refused_max } else { settings.audit_max };
    let note = json!({"entry": entry, "refused": refused, "max": max});
    rpc::call::<_, Value>(env, BINDING, OBJECT, "note", &note, DEADLINE).await.map(drop)
}
