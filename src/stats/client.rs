//! The Worker's side: records wait for each other in the isolate, and go to the Durable Object together.
use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Value, json};
use worker::{Date, Delay, Env};

use super::plan::{self, Counts};
use super::record::Record;
use super::settings::Stats;
use super::waiting::{Counted, Next, Waiting};
use crate::chat::ChatError;
use crate::rpc;

const BINDING: &str = "STATS";
const OBJECT: &str = "main";
const DEADLINE: Duration = Duration::from_secs(10);

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
}

/// Stores a record, together with others that end at about the same time. To be awaited by a task that nobody waits for.
pub async fn record(env: &Env, settings: &Stats, record: &Record) {
    if !settings.enabled {
        return;
    }
    let now = Date::now().as_millis();
    let line = record.line(now);
    let next = WAITING.with_borrow_mut(|waiting| match record.stranger {
        true => waiting.add_stranger(now, settings, line),
        false => waiting.add(now, settings, line),
    });
    match next {
        Next::Nothing => return,
        Next::Send => {}
        Next::SendLater => {
            Delay::from(Duration::from_millis(settings.batch_ms)).await;
            WAITING.with_borrow_mut(Waiting::is_due);
        }
    }
    flush(env, settings).await;
}

/// Sends what waits in this isolate.
pub async fn flush(env: &Env, settings: &Stats) {
    let (records, counted) = WAITING.with_borrow_mut(Waiting::take);
    let counts: Counts = plan::take();
    if records.is_empty() && counted == Counted::default() && counts == Counts::default() {
        return;
    }
    let head = json!({"settings": settings, "counts": plan::pack(counts), "strangers": counted.strangers, "lost": counted.lost});
    let batch = format!("{head}\n{}", records.join("\n"));
    let sent =
        rpc::call_text(env, BINDING, OBJECT, "record", &batch, DEADLINE).await.is_ok_and(|done| !done.is_empty());
    if !sent {
        // The failure is in the log. An object that stored them and did not say so in time counts them twice then.
        WAITING.with_borrow_mut(|waiting| waiting.put_back(records, counted));
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
