//! volcengine_deepseek2api's management of web ids, in its paths and bodies, on the accounts of kind
//! `volcengine-console`. Its README shows no answers (protocols: A.5), so those are Weir's own.
use std::collections::BTreeSet;

use serde_json::{Value, json};
use worker::Env;

use super::{AdminCall, AdminReply, allow, success};
use crate::chat::{ChatError, ErrorKind};
use crate::config::{Applied, Apply, Change, Kind, List, source};
use crate::dialect::fields::Field;
use crate::ledger::client;
use crate::ledger::{AccountStatus, Status};
use crate::upstream::volcengine_console::settings::is_web_id;

/// The built-in upstream of these accounts.
const BUILT_IN: &str = "volcengine-console";

/// One id.
struct WebId {
    id: String,
    account: String,
    enabled: bool,
}

/// `GET/POST/DELETE /api/webids`, `POST /api/webids/{batch,reset,config,save}`, `GET /api/webids/stats`
pub(super) async fn handle(call: &AdminCall<'_>, env: &Env, rest: &[&str]) -> Result<AdminReply, ChatError> {
    let allowed: &[&str] = match rest {
        [] => &["GET", "POST", "DELETE"],
        ["stats"] => &["GET"],
        ["batch" | "reset" | "config" | "save"] => &["POST"],
        _ => {
            let message = format!("Unknown request URL: {} /api/webids/{}.", call.method, rest.join("/"));
            return Err(ChatError::new(ErrorKind::UnknownUrl, message));
        }
    };
    allow(call, allowed)?;
    let body = if call.method == "GET" || rest == ["save"] { Value::Null } else { call.json()? };
    let body = Field::root(&body);
    let known = Known::read(env).await?;
    let answer = match rest {
        [] if call.method == "GET" => json!({"data": known.shown(&status(env).await?)}),
        [] if call.method == "POST" => {
            let id = body.at("id").needed_name()?;
            if !is_web_id(&id) {
                return Err(body.at("id").wrong("an id: ASCII without spaces"));
            }
            if known.find(&id).is_some() {
                return Err(ChatError::new(ErrorKind::Conflict, "This id is there already."));
            }
            let added = add(call, env, &known, &body, vec![id.clone()]).await?;
            json!({"data": {"id": id}, "version": added.version})
        }
        [] => {
            let (id, account) = known.needed(&body)?;
            let applied = apply(call, env, Change::Delete { list: List::Accounts, id: account }).await?;
            json!({"data": {"id": id}, "version": applied.version})
        }
        ["batch"] => batch(call, env, &known, &body).await?,
        ["reset"] => {
            let (id, account) = known.needed(&body)?;
            client::reset(env, &account, source::ledger_shards()).await?;
            json!({"data": {"id": id, "usageCount": 0}})
        }
        ["config"] => {
            let most = match body.at("maxUsage").value.as_i64() {
                Some(-1) => Value::Null,
                Some(most) if most > 0 => most.into(),
                _ => return Err(body.at("maxUsage").wrong("a positive integer, or -1 for no limit")),
            };
            let fields = json!({"volcengine_console": {"max_uses": most}});
            let applied = apply(call, env, Change::Settings { fields }).await?;
            json!({"data": {"maxUsage": most}, "version": applied.version})
        }
        ["stats"] => json!({"data": known.summary(&status(env).await?)}),
        _ => json!({"message": "Every change is stored as it is made."}),
    };
    Ok(AdminReply::ok(success(answer)))
}

/// `POST /admin/accounts/{id}/reset`: an account of any kind counts its uses from 0, and is taken for well.
pub(super) async fn reset_account(call: &AdminCall<'_>, env: &Env, id: &str) -> Result<AdminReply, ChatError> {
    allow(call, &["POST"])?;
    let shards = source::current(env).await?.settings.ledger_shards;
    if !client::reset(env, id, shards).await? {
        return Err(ChatError::new(ErrorKind::NotFound, format!("There is no `{id}` among the accounts.")));
    }
    Ok(AdminReply::ok(success(json!({"id": id}))))
}

async fn batch(call: &AdminCall<'_>, env: &Env, known: &Known, body: &Field<'_>) -> Result<Value, ChatError> {
    let asked = body.at("ids").texts()?;
    if asked.is_empty() {
        return Err(body.at("ids").wrong("an array of ids"));
    }
    let mut seen = BTreeSet::new();
    let mut new = Vec::new();
    let mut results = Vec::with_capacity(asked.len());
    for id in asked {
        let trouble = match id.trim() {
            id if !is_web_id(id) => Some("an id is ASCII without spaces"),
            id if known.find(id).is_some() => Some("it is there already"),
            id if !seen.insert(id.to_owned()) => Some("it is there twice"),
            id => {
                new.push(id.to_owned());
                None
            }
        };
        results.push(json!({"id": id, "success": trouble.is_none(), "message": trouble.unwrap_or("added")}));
    }
    let (added, skipped) = (new.len(), results.len().saturating_sub(new.len()));
    if !new.is_empty() {
        add(call, env, known, body, new).await?;
    }
    Ok(json!({"added": added, "skipped": skipped, "results": results}))
}

/// Adds ids, with the `authorization` of the body where it has one.
async fn add(
    call: &AdminCall<'_>,
    env: &Env,
    known: &Known,
    body: &Field<'_>,
    ids: Vec<String>,
) -> Result<Applied, ChatError> {
    let authorization = body.at("authorization").text()?;
    let upstream = body.at("upstream").text()?.unwrap_or_else(|| known.upstream.clone());
    let account = |id: &String| json!({"upstream": upstream, "web_id": id, "authorization": authorization});
    apply(call, env, Change::AddAll { list: List::Accounts, items: ids.iter().map(account).collect() }).await
}

async fn apply(call: &AdminCall<'_>, env: &Env, change: Change) -> Result<Applied, ChatError> {
    source::apply(env, &Apply { actor: call.actor(), change }).await
}

async fn status(env: &Env) -> Result<Status, ChatError> {
    client::status(env, source::ledger_shards()).await
}

/// What the configuration says of ids.
struct Known {
    ids: Vec<WebId>,
    /// The upstream of new ones.
    upstream: String,
    max_uses: Value,
}

impl Known {
    async fn read(env: &Env) -> Result<Known, ChatError> {
        Ok(Known::of(&source::registry(env, "document", &()).await?))
    }

    fn of(document: &Value) -> Known {
        let items = |list: &str| document.get(list).and_then(Value::as_array).into_iter().flatten();
        let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = json!(Kind::VolcengineConsole);
        let own: Vec<String> = items("upstreams")
            .filter(|upstream| upstream.get("kind") == Some(&kind))
            .map(|item| text(item, "id"))
            .collect();
        let has_web_id = |account: &&Value| {
            let upstream = text(account, "upstream");
            (upstream == BUILT_IN || own.contains(&upstream)) && account.get("web_id").is_some()
        };
        let ids = items("accounts").filter(has_web_id).map(|account| WebId {
            id: text(account, "web_id"),
            account: text(account, "id"),
            enabled: account.get("enabled") != Some(&Value::Bool(false)),
        });
        Known {
            ids: ids.collect(),
            upstream: own.first().cloned().unwrap_or_else(|| BUILT_IN.to_owned()),
            max_uses: document.pointer("/settings/volcengine_console/max_uses").cloned().unwrap_or_default(),
        }
    }

    fn find(&self, id: &str) -> Option<&WebId> {
        self.ids.iter().find(|known| known.id == id)
    }

    /// The id in a body, and its account.
    fn needed(&self, body: &Field<'_>) -> Result<(String, String), ChatError> {
        let id = body.at("id").needed_name()?;
        match self.find(&id) {
            Some(known) => Ok((id, known.account.clone())),
            None => Err(ChatError::new(ErrorKind::NotFound, "There is no such id.")),
        }
    }

    fn shown(&self, status: &Status) -> Vec<Value> {
        let show = |web_id: &WebId| {
            let account = status.accounts.iter().find(|account| account.id == web_id.account);
            json!({
                "id": web_id.id,
                "account": web_id.account,
                "usageCount": account.map_or(0, |account| account.usage.uses),
                "maxUsage": account.and_then(|account| account.limits.max_uses),
                "status": word(web_id, account),
                "reason": account.and_then(|account| account.reason.clone()),
                "until": account.and_then(|account| account.until_ms),
                "lastUsed": account.and_then(|account| account.last_used_ms),
            })
        };
        self.ids.iter().map(show).collect()
    }

    fn summary(&self, status: &Status) -> Value {
        let shown = self.shown(status);
        let count =
            |word: &str| shown.iter().filter(|id| id.get("status").is_some_and(|status| status == word)).count();
        let uses =
            shown.iter().filter_map(|id| id.get("usageCount").and_then(Value::as_u64)).fold(0, u64::saturating_add);
        json!({
            "total": shown.len(), "active": count("active"), "exhausted": count("exhausted"),
            "resting": count("resting"), "disabled": count("disabled"), "totalUsage": uses, "maxUsage": self.max_uses,
        })
    }
}

/// `active`, `exhausted` (by its count or by the service's word), `resting` for a while, or `disabled`.
fn word(web_id: &WebId, account: Option<&AccountStatus>) -> &'static str {
    let Some(account) = account.filter(|_| web_id.enabled) else {
        return if web_id.enabled { "active" } else { "disabled" };
    };
    match account.state.as_str() {
        _ if account.limits.max_uses.is_some_and(|most| account.usage.uses >= most) => "exhausted",
        "parked" => "exhausted",
        "cooling" => "resting",
        "needs_login" | "disabled" | "off" => "disabled",
        _ => "active",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_ids_of_every_console() {
        let document = json!({
            "upstreams": [{"id": "ark", "kind": "openai"}, {"id": "c", "kind": "volcengine-console"}],
            "accounts": [
                {"id": "1", "upstream": "ark", "web_id": "w1"}, {"id": "2", "upstream": "c", "web_id": "w2", "enabled": false},
                {"id": "3", "upstream": BUILT_IN, "web_id": "w3", "enabled": true}, {"id": "4", "upstream": "c"},
            ],
            "settings": {"volcengine_console": {"max_uses": 20}},
        });
        let known = Known::of(&document);
        let found: Vec<_> = known.ids.iter().map(|id| (id.id.as_str(), id.account.as_str(), id.enabled)).collect();
        assert_eq!(found, [("w2", "2", false), ("w3", "3", true)]);
        assert_eq!((known.upstream.as_str(), &known.max_uses), ("c", &json!(20)));
        assert_eq!(Known::of(&json!({})).upstream, BUILT_IN);
    }
}
