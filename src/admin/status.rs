//! What the pool is doing: `queue/status` in ds2api's shape, and `explain`.
use std::collections::BTreeSet;

use serde_json::{Value, json};
use worker::Env;

use super::{AdminCall, AdminReply};
use crate::chat::{ChatError, Endpoint, ErrorKind};
use crate::config::{route, source};
use crate::dialect::openai::request;
use crate::ledger::client;
use crate::ledger::protocol::AdmitRequest;

/// `GET /admin/queue/status`
pub(super) async fn queue(env: &Env) -> Result<AdminReply, ChatError> {
    let status = client::status(env, source::current(env).await?.settings.ledger_shards).await?;
    let document: Value = source::registry(env, "document", &()).await?;
    let emails = document.get("accounts").and_then(Value::as_array);
    let email = |id: &str| {
        let account =
            emails.into_iter().flatten().find(|account| account.get("id").and_then(Value::as_str) == Some(id));
        account.and_then(|account| account.get("email").or_else(|| account.get("mobile"))).cloned()
    };
    let healthy = status.accounts.iter().filter(|account| account.available).count();
    let accounts: Vec<Value> = status
        .accounts
        .iter()
        .map(|account| {
            let mut shown = json!(account);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("email".to_owned(), email(&account.id).unwrap_or_else(|| account.id.clone().into()));
                fields.insert("status".to_owned(), json!(account.state));
                fields.insert("until".to_owned(), json!(account.until_ms));
                fields.insert("last_used".to_owned(), json!(account.last_used_ms));
            }
            shown
        })
        .collect();
    Ok(AdminReply::ok(json!({
        "total_accounts": accounts.len(), "healthy_accounts": healthy, "queue_size": status.waiting,
        "accounts": accounts, "keys": status.keys,
    })))
}

/// `POST /admin/explain`: a chat body, and the id of a client key in `key` where its limits matter.
pub(super) async fn explain(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    let key = call.json()?.get("key").and_then(Value::as_str).map(str::to_owned);
    let (envelope, _) = request::decode(Endpoint::Chat, call.body.clone())?;
    let hot = source::current(env).await?;
    let view = key.as_deref().map(|id| hot.keys.values().find(|view| view.id == id));
    let view = match view {
        Some(None) => return Err(ChatError::field("key", "There is no key of this id.")),
        Some(Some(view)) => Some(view),
        None => None,
    };
    let allowed = view.is_none_or(|view| route::is_allowed(&hot, view.models.as_deref(), &envelope.model));
    let candidates = route::candidates(&hot, &envelope.model, Endpoint::Chat);
    if candidates.is_empty() {
        let message = format!("No upstream has the model `{}`.", envelope.model);
        return Err(ChatError { param: Some("model".into()), ..ChatError::new(ErrorKind::ModelNotFound, message) });
    }
    let route: Vec<Value> =
        candidates.iter().map(|(upstream, model)| json!({"upstream": upstream, "model": model})).collect();
    let request = AdmitRequest {
        version: hot.version,
        key: key.unwrap_or_default(),
        upstreams: candidates.into_iter().map(|(upstream, _)| upstream).collect(),
        conversation: envelope.conversation.map(|hash| hash.to_string()),
        tokens: envelope.tokens,
        ..AdmitRequest::default()
    };
    let owners = request.upstreams.iter().filter_map(|id| hot.shards.get(id)).flatten().copied();
    let shards: BTreeSet<u32> = if hot.shards.is_empty() { [0].into() } else { owners.collect() };
    let place = client::Route { shards: shards.into_iter().collect(), home: None };
    let explanation = client::explain(env, &request, &place).await?;
    Ok(AdminReply::ok(json!({
        "model": envelope.model, "allowed": allowed, "tokens": envelope.tokens, "route": route,
        "explanation": explanation,
    })))
}
