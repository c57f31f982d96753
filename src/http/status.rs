//! `GET /v1/status`, in api-together's shape: which accounts there are, and what they have left.
use serde_json::{Value, json};
use worker::Env;

use crate::chat::ChatError;
use crate::config::source;
use crate::ledger::client;

/// The status of every account, by id; no secret, no model, no URL.
pub(super) async fn body(env: &Env) -> Result<Value, ChatError> {
    let status = client::status(env, source::ledger_shards()).await?;
    let apis: Vec<Value> = status
        .accounts
        .iter()
        .map(|account| {
            json!({
                "id": account.id, "name": account.id, "enabled": account.enabled, "available": account.available,
                "temporarilyDisabled": account.enabled && account.until_ms.is_some(),
                "errorCount": account.error_count, "limits": account.limits, "usage": account.usage,
            })
        })
        .collect();
    let timestamp = String::from(js_sys::Date::new_0().to_iso_string());
    Ok(json!({"service": "weir", "timestamp": timestamp, "waiting": status.waiting, "apis": apis}))
}
