//! `GET /admin/upstreams/{id}/models`: what a service itself lists, asked with the credential of one of its accounts. The
//! call is in `models.js`.
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use worker::Env;

use super::{AdminCall, AdminReply, allow};
use crate::chat::{ChatError, Endpoint, ErrorKind};
use crate::config::source;
use crate::json;
use crate::upstream::openai::request;

const DEADLINE_MS: u32 = 15_000;

#[wasm_bindgen(module = "/src/admin/models.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = list)]
    async fn list_js(url: &str, key: &str, deadline_ms: u32) -> Result<JsValue, JsValue>;
}

pub(super) async fn of_upstream(call: &AdminCall<'_>, env: &Env, id: &str) -> Result<AdminReply, ChatError> {
    allow(call, &["GET"])?;
    let hot = source::newest(env).await?;
    let document: Value = source::registry(env, "document", &()).await?;
    let is = |account: &Value, name: &str, value: Value| account.get(name) == Some(&value);
    let mut accounts = document.get("accounts").and_then(Value::as_array).into_iter().flatten();
    let account = accounts.find(|account| is(account, "upstream", id.into()) && is(account, "enabled", true.into()));
    let account = account.and_then(|account| account.get("id")).and_then(Value::as_str).ok_or_else(|| {
        ChatError::new(ErrorKind::NotFound, format!("`{id}` has no account that is switched on, to ask with."))
    })?;
    let sealed: Value = source::registry(env, "account", &account).await?;
    let sealed = sealed.get("sealed").and_then(Value::as_str).unwrap_or_default();
    let secrets = source::vault(env)?.open(account, sealed)?;
    let service = hot.upstreams.iter().find(|upstream| upstream.id == id);
    let (Some(service), Some(key)) = (service, secrets.get("api_key")) else {
        return Err(ChatError::field(
            "id",
            format!("`{id}` does not list its models: only services in OpenAI's format do."),
        ));
    };
    let url = request::url(&service.base_url, Endpoint::Chat).replace(Endpoint::Chat.path(), "/models");
    let answer = list_js(&url, key, DEADLINE_MS).await.ok().and_then(|answer| answer.as_string());
    let mut answer = json::parse(answer.unwrap_or_default()).unwrap_or_default();
    match answer.get_mut("models").map(Value::take) {
        Some(models) => Ok(AdminReply::ok(json!({"models": models}))),
        None => {
            let message = answer.get("message").and_then(Value::as_str).unwrap_or("The service did not answer.");
            Err(ChatError::new(ErrorKind::Upstream, message))
        }
    }
}
