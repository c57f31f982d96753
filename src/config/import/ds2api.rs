//! `config.json` of ds2api and of deepseek2api.
use serde_json::{Map, Value, json};

use super::{Found, Part};
use crate::chat::ChatError;
use crate::dialect::fields::Field;

/// What shows that a file is one of theirs.
pub(super) const MARKS: [&str; 6] =
    ["keys", "api_keys", "accounts", "model_aliases", "claude_mapping", "claude_model_mapping"];
const ACCOUNT: [&str; 4] = ["email", "mobile", "password", "token"];
/// Claude's names that stand for `slow`; all others stand for `fast`. Both are what Weir has of itself.
const SLOW: [&str; 3] = ["claude-*opus*", "claude-*slow*", "claude-*reasoner*"];
const DEFAULT: [(&str, &str, &[&str]); 2] =
    [("slow", "deepseek-reasoner", &SLOW), ("fast", "deepseek-chat", &["claude-*"])];

/// Whether an item of a bare list is an account.
pub(super) fn is_account(item: &Value) -> bool {
    item.get("email").or_else(|| item.get("mobile")).is_some()
}

pub(super) fn read(root: &Field) -> Result<Found, ChatError> {
    let mut found = Found::new("ds2api");
    found.ignore_but("", root, &MARKS);
    for account in root.at("accounts").items()? {
        found.ignore_but("accounts[].", &account, &ACCOUNT);
        found.push(account.path.clone(), Part::Accounts, read_account(&account));
    }
    for key in root.at("keys").items()?.into_iter().chain(root.at("api_keys").items()?) {
        found.ignore_but(&format!("{}[].", key.path.split('[').next().unwrap_or_default()), &key, &["key", "name"]);
        found.push(key.path.clone(), Part::Keys, read_key(&key));
    }
    let aliases = root.at("model_aliases").object()?;
    for (name, _) in aliases.value.as_object().into_iter().flatten() {
        let target = aliases.at(name);
        found.pair(target.path.clone(), Part::Aliases, name, &target);
    }
    for mapping in ["claude_mapping", "claude_model_mapping"] {
        let mapping = root.at(mapping).object()?;
        for (speed, default, names) in DEFAULT {
            let target = mapping.at(speed);
            if !target.is_there() || target.value == default {
                continue;
            }
            for name in names {
                found.pair(target.path.clone(), Part::Aliases, name, &target);
            }
        }
    }
    if found.ignored.iter().any(|field| field == "runtime") {
        found.notes.push("An account of DeepSeek's web chat serves one call at a time, whatever the file says.");
    }
    Ok(found)
}

fn read_account(account: &Field) -> Result<Value, ChatError> {
    if !account.value.is_object() {
        return Err(account.wrong("an object"));
    }
    let mut item = Map::from_iter([("upstream".to_owned(), json!("deepseek-web"))]);
    for name in ACCOUNT {
        let field = account.at(name);
        let text = match field.value {
            // A mobile number may stand there as one.
            Value::Number(number) => Some(number.to_string()),
            _ => field.text()?,
        };
        if let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
            item.insert(name.to_owned(), text.into());
        }
    }
    Ok(Value::Object(item))
}

fn read_key(key: &Field) -> Result<Value, ChatError> {
    if key.value.is_object() {
        let (text, name) = (key.at("key").needed_name()?, key.at("name").text()?);
        let mut item = json!({"key": text});
        if let (Some(name), Some(fields)) = (name.filter(|name| !name.is_empty()), item.as_object_mut()) {
            fields.insert("name".to_owned(), name.into());
        }
        return Ok(item);
    }
    Ok(json!({"key": key.needed_name()?}))
}
