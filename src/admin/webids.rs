//! volcengine_deepseek2api's management of web ids, in its paths and bodies, on the accounts of kind
//! `volcengine-console`. Its README shows no answers (protocols: A.5), so those are Weir's own.
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use worker::Env;

use super::{AdminCall, AdminReply, allow, resources, success};
use crate::chat::{ChatError, ErrorKind};
use crate::config::{Change, Kind, List, source};
use crate::dialect::fields::Field;
use crate::ledger::client;
use crate::ledger::{AccountStatus, Status};
use crate::upstream::volcengine_console::settings::is_web_id;

/// The built-in upstream of these accounts.
const BUILT_IN: &str = "volcengine-console";

/// What may be said of an id.
const WORDS: [&str; 4] = ["active", "exhausted", "resting", "disabled"];

/// One id.
struct WebId {
    id: String,
    account: String,
    enabled: bool,
}

/// What a request does.
#[derive(Debug)]
enum Act {
    /// Nothing: what it asks for is done.
    Rest,
    Change(Change),
    /// Counts the uses of this account from 0.
    Reset(String),
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
    let known = Known::of(&resources::document(env).await?);
    if call.method == "GET" {
        let status = client::status(env, source::ledger_shards()).await?;
        let answer = if rest.is_empty() { known.shown(&status).into() } else { known.summary(&status) };
        return Ok(AdminReply::ok(done("data", answer)));
    }
    let body = if rest == ["save"] { Value::Null } else { call.object()? };
    let (act, answer) = known.act(call.method, rest, &Field::root(&body))?;
    match act {
        Act::Rest => {}
        Act::Change(change) => drop(resources::apply(call, env, change).await?),
        Act::Reset(account) => drop(client::reset(env, &account, source::ledger_shards()).await?),
    }
    Ok(AdminReply::ok(answer))
}

/// `POST /admin/accounts/{id}/reset`: an account of any kind counts its uses from 0, and is taken for well.
pub(super) async fn reset_account(call: &AdminCall<'_>, env: &Env, id: &str) -> Result<AdminReply, ChatError> {
    allow(call, &["POST"])?;
    if !client::reset(env, id, source::current(env).await?.settings.ledger_shards).await? {
        return Err(ChatError::new(ErrorKind::NotFound, format!("There is no `{id}` among the accounts.")));
    }
    Ok(AdminReply::ok(done("id", id.into())))
}

fn done(name: &str, value: Value) -> Value {
    success([(name.to_owned(), value)].into_iter().collect::<Map<_, _>>().into())
}

/// What the configuration says of ids.
struct Known {
    ids: Vec<WebId>,
    /// The upstream of new ones.
    upstream: String,
    max_uses: Value,
}

impl Known {
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

    /// What a request that changes something does, and its answer.
    fn act(&self, method: &str, rest: &[&str], body: &Field) -> Result<(Act, Value), ChatError> {
        let id = || body.at("id").needed_name();
        Ok(match rest {
            [] if method == "POST" => {
                let id = id()?;
                if !is_web_id(&id) {
                    return Err(body.at("id").wrong("an id: ASCII without spaces"));
                }
                if self.find(&id).is_some() {
                    return Err(ChatError::new(ErrorKind::Conflict, "This id is there already."));
                }
                (self.add(body, vec![id.clone()])?, done("id", id.into()))
            }
            [] => {
                let account = self.account(&id()?)?;
                (Act::Change(Change::Delete { list: List::Accounts, id: account }), done("id", id()?.into()))
            }
            ["reset"] => (Act::Reset(self.account(&id()?)?), done("id", id()?.into())),
            ["batch"] => return self.batch(body),
            ["config"] => {
                let most = match body.at("maxUsage").value.as_i64() {
                    Some(-1) => Value::Null,
                    Some(most) if most > 0 => most.into(),
                    _ => return Err(body.at("maxUsage").wrong("a positive integer, or -1 for no limit")),
                };
                let fields = json!({"volcengine_console": {"max_uses": most}});
                (Act::Change(Change::Settings { fields }), done("maxUsage", most))
            }
            _ => (Act::Rest, done("message", "Every change is stored as it is made.".into())),
        })
    }

    fn batch(&self, body: &Field) -> Result<(Act, Value), ChatError> {
        let asked = body.at("ids").texts()?;
        if asked.is_empty() {
            return Err(body.at("ids").wrong("an array of ids"));
        }
        let mut seen: BTreeSet<String> = self.ids.iter().map(|known| known.id.clone()).collect();
        let mut new = Vec::new();
        let mut results = Vec::with_capacity(asked.len());
        for id in asked {
            let message = match id.as_str() {
                text if !is_web_id(text) => "an id is ASCII without spaces",
                text if !seen.insert(text.to_owned()) => "it is there already",
                text => {
                    new.push(text.to_owned());
                    "added"
                }
            };
            results.push(json!({"id": id, "success": message == "added", "message": message}));
        }
        let (added, skipped) = (new.len(), results.len().saturating_sub(new.len()));
        let add = self.add(body, new)?;
        Ok((
            if added > 0 { add } else { Act::Rest },
            success(json!({"added": added, "skipped": skipped, "results": results})),
        ))
    }

    /// Adds ids, with the `authorization` of the body where it has one.
    fn add(&self, body: &Field, ids: Vec<String>) -> Result<Act, ChatError> {
        let authorization = body.at("authorization").text()?;
        let upstream = body.at("upstream").text()?.unwrap_or_else(|| self.upstream.clone());
        let account = |id: String| json!({"upstream": upstream, "web_id": id, "authorization": authorization});
        let items = ids.into_iter().map(account).collect();
        Ok(Act::Change(Change::AddAll { list: List::Accounts, items }))
    }

    /// The account of an id.
    fn account(&self, id: &str) -> Result<String, ChatError> {
        let known = self.find(id).map(|known| known.account.clone());
        known.ok_or_else(|| ChatError::new(ErrorKind::NotFound, "There is no such id."))
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
        let mut summary = json!({"total": shown.len(), "maxUsage": self.max_uses});
        let mut uses: u64 = 0;
        for word in WORDS {
            let is_so = |id: &&Value| id.get("status").is_some_and(|status| status == word);
            let count = shown.iter().filter(is_so).count();
            if let Some(fields) = summary.as_object_mut() {
                fields.insert(word.to_owned(), count.into());
            }
        }
        for id in &shown {
            uses = uses.saturating_add(id.get("usageCount").and_then(Value::as_u64).unwrap_or(0));
        }
        if let Some(fields) = summary.as_object_mut() {
            fields.insert("totalUsage".to_owned(), uses.into());
        }
        summary
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
