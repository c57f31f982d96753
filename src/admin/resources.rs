//! The document and its lists: read masked, changed through the Registry.
use serde_json::{Value, json};
use worker::Env;

use super::{AdminCall, AdminReply, allow, success};
use crate::chat::{ChatError, ErrorKind};
use crate::config::{Applied, Apply, Change, List, client_key, source};

/// `GET/POST /admin/config`
pub(super) async fn config(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["GET", "POST"])?;
    if call.method == "GET" {
        return Ok(AdminReply::ok(document(env).await?));
    }
    let document = call.json()?;
    let change = if call.asks("replace")? { Change::Replace { document } } else { Change::Merge { document } };
    let applied = apply(call, env, change).await?;
    Ok(AdminReply::ok(success(json!({"version": applied.version}))))
}

/// `GET/POST /admin/{list}`, `GET/PATCH/DELETE /admin/{list}/{id}`
pub(super) async fn list(call: &AdminCall<'_>, env: &Env, list: List, rest: &[&str]) -> Result<AdminReply, ChatError> {
    let singular = list.field().trim_end_matches('s');
    let [id] = rest else {
        if !rest.is_empty() {
            return Err(ChatError::new(ErrorKind::NotFound, format!("There is nothing below a {singular}.")));
        }
        allow(call, &["GET", "POST"])?;
        if call.method == "GET" {
            let items = document(env).await?.get(list.field()).cloned();
            return Ok(AdminReply::ok(json!({list.field(): items})));
        }
        let (item, made) = with_key(list, call.json()?)?;
        let mut applied = apply(call, env, Change::Add { list, item }).await?;
        if let (Some(key), Some(fields)) = (made, applied.item.as_object_mut()) {
            fields.insert("key".to_owned(), key.into());
        }
        return Ok(AdminReply::created(success(json!({singular: applied.item, "version": applied.version}))));
    };
    allow(call, &["GET", "PATCH", "DELETE"])?;
    let id = (*id).to_owned();
    match call.method {
        "GET" => {
            let document = document(env).await?;
            let items = document.get(list.field()).and_then(Value::as_array);
            let found = items.into_iter().flatten().find(|item| item.get("id").and_then(Value::as_str) == Some(&id));
            let found = found.cloned().ok_or_else(|| {
                ChatError::new(ErrorKind::NotFound, format!("There is no `{id}` among the {}.", list.field()))
            })?;
            Ok(AdminReply::ok(json!({singular: found})))
        }
        "PATCH" => {
            let applied = apply(call, env, Change::Patch { list, id, fields: call.json()? }).await?;
            Ok(AdminReply::ok(success(json!({singular: applied.item, "version": applied.version}))))
        }
        _ => {
            let applied = apply(call, env, Change::Delete { list, id }).await?;
            Ok(AdminReply::ok(success(json!({"version": applied.version}))))
        }
    }
}

pub(super) async fn document(env: &Env) -> Result<Value, ChatError> {
    source::registry(env, "document", &()).await
}

pub(super) async fn apply(call: &AdminCall<'_>, env: &Env, change: Change) -> Result<Applied, ChatError> {
    source::apply(env, &Apply { actor: call.actor(), change }).await
}

/// A new client key has a text: the operator's, or one that is made here. Either is shown this once.
fn with_key(list: List, mut item: Value) -> Result<(Value, Option<String>), ChatError> {
    if list != List::Keys {
        return Ok((item, None));
    }
    let Some(fields) = item.as_object_mut() else { return Ok((item, None)) };
    let given = fields.get("key").and_then(Value::as_str).map(str::to_owned);
    let key = match given {
        Some(key) => key,
        None if fields.contains_key("key") => return Ok((item, None)),
        None => {
            let key = client_key::make()?;
            fields.insert("key".to_owned(), key.clone().into());
            key
        }
    };
    Ok((item, Some(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_key_only_where_none_is_given() {
        let (item, made) = with_key(List::Keys, json!({"name": "n"})).unwrap();
        let made = made.unwrap();
        assert!(client_key::has_form(&made));
        assert_eq!(item["key"].as_str(), Some(made.as_str()));
        assert_eq!(with_key(List::Keys, json!({"key": "mine"})).unwrap().1.as_deref(), Some("mine"));
        assert_eq!(with_key(List::Accounts, json!({})).unwrap(), (json!({}), None));
    }
}
