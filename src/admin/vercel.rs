//! Brings the accounts to a ds2api on Vercel, as ds2api did itself: into the variable that it is configured by, then deploys.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::*;
use worker::{Date, Env};

use super::{AdminCall, AdminReply, allow};
use crate::chat::{ChatError, ErrorKind};
use crate::config::source;
use crate::dialect::fields::Field;

/// The variable that holds a ds2api's `config.json`.
const VARIABLE: &str = "DS2API_CONFIG_JSON";
/// What ds2api's page sends for a token that is kept.
const KEPT: &str = "__USE_PRECONFIG__";
const CREDENTIALS: [&str; 3] = ["vercel_token", "project_id", "team_id"];
/// What an id must not bring into a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');
const DEADLINE_MS: f64 = 30_000.0;
const MESSAGE_MAX: usize = 300;

#[wasm_bindgen(module = "/src/admin/vercel.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = call)]
    async fn call_js(method: &str, url: &str, token: &str, body: &str, deadline_ms: f64) -> Result<JsValue, JsValue>;
}

/// `GET /admin/vercel/config` and `GET /admin/vercel/status`
pub(super) async fn state(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["GET"])?;
    let kept: Value = source::registry(env, "vercel", &()).await?;
    let get = |name: &str| kept.get(name).cloned().unwrap_or_default();
    Ok(AdminReply::ok(json!({
        "has_token": kept.get("vercel_token").is_some(), "project_id": get("project_id"), "team_id": get("team_id"),
        "has_synced_before": kept.get("version").is_some(), "last_sync_time": get("at"),
        "synced": kept.get("version").is_some() && get("version") == get("current"),
    })))
}

/// `POST /admin/vercel/sync`
pub(super) async fn sync(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["POST"])?;
    let body = if call.body.is_empty() { json!({}) } else { call.json()? };
    let body = Field::root(&body);
    let mut kept: Value = source::registry(env, "vercel", &()).await?;
    let current = kept.get("current").cloned().unwrap_or_default();
    let document: Value = source::registry(env, "export", &true).await?;
    let base = document.pointer("/settings/vercel_url").and_then(Value::as_str).unwrap_or_default();
    // What was kept for one address is not sent to another.
    let is_same = kept.get("url").and_then(Value::as_str) == Some(base);
    let mut given = Map::from_iter([("url".to_owned(), base.into())]);
    for name in CREDENTIALS {
        let text = body.at(name).text()?.filter(|text| !text.is_empty() && text != KEPT);
        let value = text.map(Value::from).or_else(|| kept.get(name).filter(|_| is_same).cloned());
        given.extend(value.map(|value| (name.to_owned(), value)));
    }
    let get = |name: &str| given.get(name).and_then(Value::as_str);
    let needed = |name: &str| {
        get(name).ok_or_else(|| ChatError::field(name, format!("`{name}` is needed; after a success it is kept.")))
    };
    let vercel = Vercel { base, token: needed("vercel_token")?, project: needed("project_id")?, team: get("team_id") };

    let variables = vercel.call("GET", "/v9/projects/{project}/env", None).await?;
    let variables = variables.get("envs").and_then(Value::as_array);
    let found =
        variables.into_iter().flatten().find(|entry| entry.get("key").and_then(Value::as_str) == Some(VARIABLE));
    let id = found.and_then(|entry| entry.get("id")).and_then(Value::as_str).map(encoded);
    let present = match &id {
        Some(id) => vercel.call("GET", &format!("/v1/projects/{{project}}/env/{id}"), None).await.ok(),
        None => None,
    };
    let present = present.and_then(|entry| decoded(entry.get("value")?.as_str()?));
    let config = config(&document, present, &body)?;
    let value = STANDARD.encode(config.to_string());
    match id {
        Some(id) => {
            let path = format!("/v9/projects/{{project}}/env/{id}");
            vercel.call("PATCH", &path, Some(json!({"value": value}))).await?;
        }
        None => {
            let targets = ["production", "preview"];
            let entry = json!({"key": VARIABLE, "value": value, "type": "encrypted", "target": targets});
            vercel.call("POST", "/v10/projects/{project}/env", Some(entry)).await?;
        }
    }
    let deployed = deploy(&vercel).await;

    let mut saved = Vec::new();
    if body.at("save_credentials").flag()? != Some(false) {
        saved = CREDENTIALS.into_iter().filter(|name| given.contains_key(*name)).collect();
        kept = given.into();
    }
    if let Some(fields) = kept.as_object_mut() {
        fields.insert("version".to_owned(), current);
        fields.insert("at".to_owned(), (Date::now().as_millis() / 1000).into());
    }
    let _: Value = source::registry(env, "vercel", &kept).await?;
    let message = match &deployed {
        Some(_) => "The accounts are with Vercel, and a new deployment is on its way.",
        None => "The accounts are with Vercel. Deploy the project there, so that it goes by them.",
    };
    let accounts = config.get("accounts").and_then(Value::as_array).map_or(0, Vec::len);
    Ok(AdminReply::ok(json!({
        "success": true, "message": message, "accounts": accounts, "deployment_url": deployed.as_ref(),
        "manual_deploy_required": deployed.is_none(), "validated_accounts": 0, "saved_credentials": saved,
    })))
}

/// Deploys what the project is linked to; the new deployment's URL, or `None` where that is for the operator to do.
async fn deploy(vercel: &Vercel<'_>) -> Option<String> {
    let project = vercel.call("GET", "/v9/projects/{project}", None).await.ok()?;
    let link = project.get("link")?;
    if link.get("type").and_then(Value::as_str) != Some("github") {
        return None;
    }
    let branch = link.get("productionBranch").and_then(Value::as_str).unwrap_or("main");
    let body = json!({
        "name": vercel.project, "project": vercel.project, "target": "production",
        "gitSource": {"type": "github", "repoId": link.get("repoId"), "ref": branch},
    });
    let deployment = vercel.call("POST", "/v13/deployments", Some(body)).await.ok()?;
    Some(deployment.get("url").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// The deployment's `config.json`: its own, with Weir's web accounts and aliases.
fn config(document: &Value, present: Option<Value>, body: &Field) -> Result<Value, ChatError> {
    let mut config = present.unwrap_or_else(|| json!({}));
    let keys = body.at("keys");
    let keys = if keys.is_there() { Some(json!(keys.texts()?)) } else { config.get("keys").cloned() };
    let keys = keys.ok_or_else(|| {
        let message = "`keys` is needed: the keys that the deployment shall accept. Weir has its own only as hashes, and \
                       the deployment names none that can be read.";
        ChatError::field("keys", message)
    })?;
    let accounts = document.get("accounts").and_then(Value::as_array).into_iter().flatten();
    let accounts: Vec<Value> = accounts
        .filter(|account| account.get("enabled") == Some(&json!(true)) && account.get("password").is_some())
        .map(|account| {
            let fields = ["email", "mobile", "password", "token"].into_iter();
            let fields = fields.filter_map(|name| Some((name.to_owned(), account.get(name)?.clone())));
            Value::Object(fields.collect())
        })
        .collect();
    let mut aliases = config.get("model_aliases").cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
    let own = document.get("aliases").and_then(Value::as_object).into_iter().flatten();
    if let Some(aliases) = aliases.as_object_mut() {
        aliases
            .extend(own.filter(|(name, _)| !name.contains('*')).map(|(name, target)| (name.clone(), target.clone())));
    }
    if let Some(fields) = config.as_object_mut() {
        let parts = [("keys", keys), ("accounts", accounts.into()), ("model_aliases", aliases)];
        fields.extend(parts.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(config)
}

/// A variable's value: a JSON object, or one in Base64.
fn decoded(value: &str) -> Option<Value> {
    let bytes = STANDARD.decode(value.trim()).unwrap_or_else(|_| value.into());
    serde_json::from_slice(&bytes).ok().filter(Value::is_object)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

struct Vercel<'a> {
    base: &'a str,
    token: &'a str,
    project: &'a str,
    team: Option<&'a str>,
}

impl Vercel<'_> {
    /// Calls a path of the API; `{project}` in it stands for the project.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, ChatError> {
        let path = path.replace("{project}", &encoded(self.project));
        let team = self.team.map(|team| format!("?teamId={}", encoded(team))).unwrap_or_default();
        let url = format!("{}{path}{team}", self.base.trim_end_matches('/'));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let failed = |message: &str| ChatError::new(ErrorKind::Upstream, message);
        let answer = call_js(method, &url, self.token, &body, DEADLINE_MS).await;
        let answer =
            answer.ok().and_then(|answer| answer.as_string()).ok_or_else(|| failed("Vercel did not answer."))?;
        let answer: Value = serde_json::from_str(&answer).map_err(|_| failed("Vercel did not answer."))?;
        let status = answer.get("status").and_then(Value::as_u64).unwrap_or_default();
        let text = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(value);
        }
        let said = value.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        let said: String = said.replace(self.token, "***").chars().take(MESSAGE_MAX).collect();
        Err(failed(format!("Vercel answered {status}. {said}").trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployments_own_fields_stay_and_only_its_accounts_and_aliases_change() {
        let document = json!({
            "accounts": [
                {"id": "a", "email": "a@b.c", "password": "p", "enabled": true, "upstream": "deepseek-web"},
                {"id": "b", "email": "b@b.c", "password": "q", "enabled": false},
                {"id": "k", "api_key": "k", "enabled": true},
            ],
            "aliases": {"gpt-4o": "deepseek-chat", "claude-*": "deepseek-chat"},
        });
        let present = json!({"keys": ["theirs"], "accounts": [{"email": "old@b.c"}], "proxies": [], "model_aliases": {"o3": "x"}});
        let made = config(&document, decoded(&STANDARD.encode(present.to_string())), &Field::root(&json!({}))).unwrap();
        let expected = json!({
            "keys": ["theirs"], "accounts": [{"email": "a@b.c", "password": "p"}], "proxies": [],
            "model_aliases": {"o3": "x", "gpt-4o": "deepseek-chat"},
        });
        assert_eq!(made, expected);
        let given = json!({"keys": ["mine"]});
        assert_eq!(config(&document, None, &Field::root(&given)).unwrap()["keys"], json!(["mine"]));
        let error = config(&document, decoded("sensitive"), &Field::root(&json!({}))).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("keys"));
    }
}
