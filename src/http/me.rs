//! `GET /v1/me`: what a key holder may do, what of it is used, and what is left.
use serde_json::{Map, Value, json};
use worker::{Date, Env};

use super::caller::Caller;
use crate::chat::{ChatError, ErrorKind};
use crate::ledger::{self, client};
use crate::stats;

/// The answer. Names no account, and no other key.
pub(super) async fn body(env: &Env, caller: &Caller) -> Result<Value, ChatError> {
    let no_key = || ChatError::new(ErrorKind::NotFound, "Only the holder of a key of this gateway has limits here.");
    let key = caller.key().ok_or_else(no_key)?;
    let settings = &caller.hot().settings;
    let today = ledger::day_of(&settings.timezone, Date::now().as_millis());
    let question = json!({"key": key.id, "from_ms": today.start});
    let status = client::key_status(env, settings.ledger_shards, &key.id).await?;
    let used = stats::client::ask(env, &settings.stats, "used", &question).await;
    let (limits, usage, in_flight) = match status {
        Some(status) => (json!(status.limits), json!(status.usage), status.in_flight),
        None => (json!({}), json!({}), 0),
    };
    let number = |fields: &Value, name: &str| fields.get(name).and_then(Value::as_u64);
    let left = |name: &str, used: Option<u64>| {
        let left = number(&limits, name)?.saturating_sub(used.unwrap_or(0));
        Some((name.to_owned(), Value::from(left)))
    };
    let counted = ["rpm", "rpd", "tpm"].into_iter().filter_map(|name| left(name, number(&usage, name)));
    let others = [left("concurrency", Some(in_flight)), left("max_uses", number(&usage, "uses"))];
    let left: Map<String, Value> = counted.chain(others.into_iter().flatten()).collect();
    let models: Vec<String> = caller.models().into_iter().map(|(model, _)| model).collect();
    Ok(json!({
        "object": "key", "id": key.id, "name": key.name, "expires_at": key.expires_at_ms.map(iso_time),
        "models": models, "limits": limits, "usage": usage, "left": left, "in_flight": in_flight,
        // Without the statistics the rest is still true.
        "today": used.unwrap_or_default(), "day_ends_at": iso_time(today.end), "timezone": settings.timezone,
    }))
}

fn iso_time(ms: u64) -> String {
    let time = js_sys::Date::new(&(ms as f64).into());
    time.to_iso_string().into()
}
