//! What the calls of the past came to: figures, the log, the plan meter, and the log of admin writes.
use serde_json::{Map, Value, json};
use worker::{Date, Env};

use super::{AdminCall, AdminReply, allow};
use crate::chat::ChatError;
use crate::config::source;
use crate::json;
use crate::stats::client::{self, Noted};

/// The windows that `GET /admin/stats` knows, in days.
const WINDOWS: [(&str, u64); 3] = [("24h", 1), ("7d", 7), ("30d", 30)];
/// Admin requests that change nothing, whatever their method.
const READING: [&str; 1] = ["explain"];
const DAY_MS: u64 = 86_400_000;
/// The most of a body's field names that the audit log keeps.
const FIELDS_MAX: usize = 20;

/// `GET /admin/stats?window=24h|7d|30d`
pub(super) async fn stats(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["GET"])?;
    let window = call.query("window").unwrap_or("24h");
    let days = WINDOWS.iter().find(|(name, _)| *name == window).map(|(_, days)| *days);
    let days = days.ok_or_else(|| ChatError::field("window", "`window` must be 24h, 7d or 30d."))?;
    let hot = source::current(env).await?;
    let mut stats = client::ask(env, &hot.settings.stats, "stats", &json!({"days": days})).await?;
    for item in stats.get_mut("keys").and_then(Value::as_array_mut).into_iter().flatten() {
        let id = item.get("name").and_then(Value::as_str).unwrap_or_default();
        let key = hot.keys.values().find(|key| key.id == id);
        if let (Some(key), Some(fields)) = (key, item.as_object_mut()) {
            fields.insert("display_name".to_owned(), key.name.as_str().into());
        }
    }
    if let Some(fields) = stats.as_object_mut() {
        fields.insert("window".to_owned(), window.into());
        fields.insert("enabled".to_owned(), hot.settings.stats.enabled.into());
    }
    Ok(AdminReply::ok(stats))
}

/// `GET /admin/logs` and `GET /admin/audit`: a page, newest first.
pub(super) async fn page(call: &AdminCall<'_>, env: &Env, log: &str) -> Result<AdminReply, ChatError> {
    allow(call, &["GET"])?;
    let mut question = Map::new();
    for name in ["limit", "before"] {
        if let Some(number) = call.number(name)? {
            question.insert(name.to_owned(), number.into());
        }
    }
    for name in ["key", "account", "status"] {
        if let Some(text) = call.query(name).filter(|text| !text.is_empty()) {
            question.insert(name.to_owned(), text.into());
        }
    }
    let hot = source::current(env).await?;
    let settings = &hot.settings.stats;
    if log == "logs" {
        let since_ms = Date::now().as_millis().saturating_sub(settings.log_days.saturating_mul(DAY_MS));
        question.insert("since_ms".to_owned(), since_ms.into());
    }
    Ok(AdminReply::ok(client::ask(env, settings, log, &question.into()).await?))
}

/// `GET /admin/plan`
pub(super) async fn plan(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["GET"])?;
    let hot = source::current(env).await?;
    let meters = client::ask(env, &hot.settings.stats, "plan", &Value::Null).await?;
    let now = Date::now().as_millis();
    Ok(AdminReply::ok(json!({
        "meters": meters, "resets_at": now - now % DAY_MS + DAY_MS,
        "note": "Weir's own count, an estimate. The free plan's days begin at 00:00 UTC; a month is the last 31 days.",
    })))
}

/// What the audit log keeps of a request that changes something, or has every secret told: who, when and what; no value
/// of its body.
pub(super) fn write_of(call: &AdminCall<'_>, session: Option<String>) -> Option<Value> {
    let reads = call.method == "GET" || call.path.first().is_some_and(|first| READING.contains(first));
    let tells_secrets = call.path == ["export"] && call.asks("secrets").unwrap_or(false);
    if (reads && !tells_secrets) || (call.path == ["import"] && call.is_dry_run()) {
        return None;
    }
    let body = json::parse(&call.body).unwrap_or_default();
    let fields: Vec<&String> = body.as_object().into_iter().flatten().map(|(name, _)| name).take(FIELDS_MAX).collect();
    Some(json!({
        "time": Date::now().as_millis(), "address": call.actor(), "session": session, "method": call.method,
        "path": format!("/admin/{}", call.path.join("/")), "fields": fields, "outcome": "ok",
    }))
}

/// Writes it down, with what it came to.
pub(super) async fn note(env: &Env, mut entry: Value, reply: &AdminReply) {
    let parts = reply.body.as_object().into_iter().flatten();
    let id = parts.filter_map(|(_, part)| part.get("id")).next().cloned();
    if let Some(fields) = entry.as_object_mut() {
        fields.insert("id".to_owned(), id.unwrap_or_default());
        fields.insert("version".to_owned(), reply.body.get("version").cloned().unwrap_or_default());
    }
    // The call logs its own failure; what was changed stays changed.
    drop(client::note(env, &source::stats(), Noted::Write, entry).await);
}

/// Writes a refused login down, which nobody waits for; `unnoted` ones before it were not.
pub(super) fn note_refused(call: &AdminCall<'_>, env: &Env, outcome: &str, unnoted: u64) {
    let entry = json!({
        "time": Date::now().as_millis(), "address": call.actor(), "session": null, "method": call.method,
        "path": "/admin/login", "fields": [], "id": null, "version": null, "outcome": outcome, "unnoted": unnoted,
    });
    let env = env.clone();
    call.context.wait_until(async move {
        drop(client::note(&env, &source::stats(), Noted::Refused, entry).await);
    });
}
