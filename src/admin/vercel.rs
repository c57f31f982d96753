//! Brings the accounts to a ds2api on Vercel, as ds2api did itself: into the variable that it is configured by, then deploys.
//! The calls are in `vercel.js`.
use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::*;
use worker::{Date, Env};

use super::{AdminCall, AdminReply, allow};
use crate::chat::{ChatError, ErrorKind};
use crate::config::source;
use crate::dialect::fields::Field;
use crate::json;

/// What ds2api's page sends for a token that is kept.
const KEPT: &str = "__USE_PRECONFIG__";
const CREDENTIALS: [&str; 3] = ["vercel_token", "project_id", "team_id"];
const DEADLINE_MS: u32 = 30_000;

#[wasm_bindgen(module = "/src/admin/vercel.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = sync)]
    async fn sync_js(request: &str) -> Result<JsValue, JsValue>;
}

/// `GET /admin/vercel/config` and `GET /admin/vercel/status`
pub(super) async fn state(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["GET"])?;
    let kept: Value = source::registry(env, "vercel", &Value::Null).await?;
    let get = |name: &str| kept.get(name).cloned().unwrap_or_default();
    let has_synced = kept.get("version").is_some();
    Ok(AdminReply::ok(json!({
        "has_token": kept.get("vercel_token").is_some(), "project_id": get("project_id"), "team_id": get("team_id"),
        "has_synced_before": has_synced, "last_sync_time": get("at"),
        "synced": has_synced && get("version") == get("current"),
    })))
}

/// `POST /admin/vercel/sync`
pub(super) async fn sync(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["POST"])?;
    let body = if call.body.is_empty() { json!({}) } else { call.object()? };
    let kept: Value = source::registry(env, "vercel", &Value::Null).await?;
    let document: Value = source::registry(env, "export", &Value::Bool(true)).await?;
    let (credentials, request) = request(&Field::root(&body), &kept, &document)?;
    let failed = |message: &str| ChatError::new(ErrorKind::Upstream, message);
    let answer = sync_js(&Value::from(request).to_string()).await.ok().and_then(|answer| answer.as_string());
    let answer = json::parse(answer.unwrap_or_default()).unwrap_or_default();
    let Some(url) = answer.get("deployment_url") else {
        let message = answer.get("message").and_then(Value::as_str).unwrap_or("Vercel did not answer as it should.");
        return Err(ChatError {
            kind: if answer.get("field").is_some_and(Value::is_string) {
                ErrorKind::InvalidRequest
            } else {
                ErrorKind::Upstream
            },
            param: answer.get("field").and_then(Value::as_str).map(str::to_owned),
            ..failed(message)
        });
    };
    let saves = body.get("save_credentials") != Some(&Value::Bool(false));
    let saved: Vec<&String> = credentials.keys().filter(|_| saves).collect();
    let shown = json!({
        "success": true, "deployment_url": url, "manual_deploy_required": url.is_null(), "saved_credentials": saved,
        "message": match url.is_null() {
            false => "The accounts are with Vercel, and a new deployment is on its way.",
            true => "The accounts are with Vercel. Deploy the project there, so that it goes by them.",
        },
    });
    let mut next = if saves { credentials } else { kept.as_object().cloned().unwrap_or_default() };
    next.insert("url".to_owned(), document.pointer("/settings/vercel_url").cloned().unwrap_or_default());
    next.insert("version".to_owned(), kept.get("current").cloned().unwrap_or_default());
    next.insert("at".to_owned(), (Date::now().as_millis() / 1000).into());
    let _: Value = source::registry(env, "vercel", &Value::from(next)).await?;
    Ok(AdminReply::ok(shown))
}

type Fields = Map<String, Value>;

/// The credentials, given or kept, and all that the calls need.
fn request(body: &Field, kept: &Value, document: &Value) -> Result<(Fields, Fields), ChatError> {
    let base = document.pointer("/settings/vercel_url").cloned().unwrap_or_default();
    // What was kept for one address is not sent to another.
    let is_same = kept.get("url") == Some(&base);
    let mut credentials = Map::new();
    for name in CREDENTIALS {
        let text = body.at(name).text()?.filter(|text| !text.is_empty() && text != KEPT);
        let value = text.map(Value::from).or_else(|| kept.get(name).filter(|_| is_same).cloned());
        match value {
            // Else the call could not even be made.
            Some(Value::String(token))
                if name == "vercel_token" && !token.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                return Err(ChatError::field(name, format!("`{name}` must be ASCII without spaces.")));
            }
            Some(value) => drop(credentials.insert(name.to_owned(), value)),
            None if name == "team_id" => {}
            None => return Err(ChatError::field(name, format!("`{name}` is needed; after a success it is kept."))),
        }
    }
    let keys = body.at("keys");
    let keys = if keys.is_there() { json!(keys.texts()?) } else { Value::Null };
    let accounts = document.get("accounts").and_then(Value::as_array).into_iter().flatten();
    let accounts = accounts
        .filter(|account| account.get("enabled") == Some(&Value::Bool(true)) && account.get("password").is_some());
    let login = |account: &Value| {
        let fields = ["email", "mobile", "password", "token"].into_iter();
        let fields = fields.filter_map(|name| Some((name.to_owned(), account.get(name)?.clone())));
        Value::Object(fields.collect())
    };
    let accounts: Vec<Value> = accounts.map(login).collect();
    let mut aliases = document.get("aliases").cloned().unwrap_or_default();
    if let Some(aliases) = aliases.as_object_mut() {
        aliases.retain(|name, _| !name.contains('*'));
    }
    let mut request = credentials.clone();
    let parts = [
        ("base", base),
        ("keys", keys),
        ("accounts", accounts.into()),
        ("aliases", aliases),
        ("deadline_ms", DEADLINE_MS.into()),
    ];
    request.extend(parts.map(|(name, value)| (name.to_owned(), value)));
    Ok((credentials, request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_enabled_web_accounts_and_plain_aliases_go_and_a_kept_token_stays_with_its_address() {
        let document = json!({
            "accounts": [
                {"id": "a", "email": "a@b.c", "password": "p", "enabled": true, "upstream": "deepseek-web"},
                {"id": "b", "email": "b@b.c", "password": "q", "enabled": false},
                {"id": "k", "api_key": "k", "enabled": true},
            ],
            "aliases": {"gpt-4o": "deepseek-chat", "claude-*": "deepseek-chat"},
            "settings": {"vercel_url": "https://one"},
        });
        let mut kept = json!({"url": "https://one", "vercel_token": "kept", "project_id": "p"});
        let body = json!({"vercel_token": KEPT, "project_id": "other"});
        let (credentials, request) = request(&Field::root(&body), &kept, &document).unwrap();
        assert_eq!(Value::from(credentials), json!({"vercel_token": "kept", "project_id": "other"}));
        assert_eq!(request["accounts"], json!([{"email": "a@b.c", "password": "p"}]));
        assert_eq!((&request["aliases"], &request["keys"]), (&json!({"gpt-4o": "deepseek-chat"}), &Value::Null));
        kept["url"] = json!("https://two");
        let refused = super::request(&Field::root(&body), &kept, &document).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some("vercel_token"));
    }
}
