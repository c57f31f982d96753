//! Many accounts at once, files of other gateways, exports and backups.
use serde_json::{Value, json};
use worker::{Env, console_log};

use super::{AdminCall, AdminReply, allow, success};
use crate::chat::{ChatError, ErrorKind};
use crate::config::{Apply, Change, source};

/// `POST /admin/accounts/batch`
pub(super) async fn batch(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["POST"])?;
    let accounts = match call.json()? {
        Value::Array(accounts) => accounts,
        mut body => match body.get_mut("accounts").map(Value::take) {
            Some(Value::Array(accounts)) => accounts,
            _ => return Err(ChatError::field("accounts", "`accounts` must be an array.")),
        },
    };
    report(call, env, Change::Batch { accounts }, false).await
}

/// `POST /admin/import`
pub(super) async fn import(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["POST"])?;
    let text = std::str::from_utf8(&call.body).map_err(|error| {
        let line = call.body.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        ChatError::new(ErrorKind::InvalidRequest, format!("The file is not UTF-8: see line {line}."))
    })?;
    let dry_run = call.is_dry_run();
    report(call, env, Change::Import { text: text.to_owned(), dry_run }, dry_run).await
}

/// Makes the change, and says which backup undoes it.
async fn report(call: &AdminCall<'_>, env: &Env, change: Change, dry_run: bool) -> Result<AdminReply, ChatError> {
    let applied = source::apply(env, &Apply { actor: call.actor(), change }).await?;
    let mut report = applied.item;
    let count = |status: &str| report.pointer(&format!("/counts/{status}")).and_then(Value::as_u64).unwrap_or_default();
    let is_changed = !dry_run && count("added") + count("changed") > 0;
    if let Some(fields) = report.as_object_mut() {
        fields.insert("dry_run".to_owned(), dry_run.into());
        fields.insert("version".to_owned(), applied.version.into());
        let backup = is_changed.then(|| applied.version.saturating_sub(1));
        fields.insert("backup".to_owned(), json!(backup));
    }
    Ok(AdminReply::ok(report))
}

/// `GET /admin/export`
pub(super) async fn export(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["GET"])?;
    let secrets = call.asks("secrets")?;
    let document = source::registry(env, "export", &Value::Bool(secrets)).await?;
    console_log!("{}", json!({"event": "export", "actor": call.actor(), "secrets": secrets}));
    Ok(AdminReply::ok(document))
}

/// `GET /admin/backups`, `GET /admin/backups/{version}`, `POST /admin/backups/{version}/restore`
pub(super) async fn backups(call: &AdminCall<'_>, env: &Env, rest: &[&str]) -> Result<AdminReply, ChatError> {
    let number = |text: &str| {
        let message = || format!("`{text}` is no version.");
        text.parse::<u64>().map_err(|_| ChatError::new(ErrorKind::NotFound, message()))
    };
    match rest {
        [] | [_] => {
            allow(call, &["GET"])?;
            let version = rest.first().map(|version| number(version)).transpose()?;
            let query = json!({"version": version, "against": call.number("against")?});
            Ok(AdminReply::ok(source::registry(env, "backups", &query).await?))
        }
        [version, "restore"] => {
            allow(call, &["POST"])?;
            let restore = json!({"actor": call.actor(), "version": number(version)?});
            let restored: Value = source::registry(env, "restore", &restore).await?;
            let version = restored.get("version").and_then(Value::as_u64).unwrap_or_default();
            source::at_least(env, version).await?;
            Ok(AdminReply::ok(success(restored)))
        }
        _ => Err(ChatError::new(ErrorKind::NotFound, "There is nothing below a backup but `restore`.")),
    }
}
