//! `webids.json` of volcengine_deepseek2api. Its shape is not documented, so every likely one is taken: a list of ids or of
//! objects, alone or below a name, or ids as names.
use serde_json::{Value, json};

use super::{Found, Part};
use crate::chat::ChatError;
use crate::dialect::fields::Field;

const LISTS: [&str; 5] = ["webids", "webIds", "web_ids", "ids", "data"];
const ID: [&str; 5] = ["id", "webId", "webid", "web_id", "x-web-id"];
const MAX_USES: [&str; 4] = ["maxUsage", "max_usage", "maxUses", "max_uses"];
const AUTHORIZATION: &str = "authorization";

/// `None` where it is none.
pub(super) fn read(root: &Field) -> Option<Found> {
    let mut found = Found::new("webids");
    let list = first(root, &LISTS).unwrap_or(Field { value: root.value, path: root.path.clone() });
    match list.value {
        Value::Array(_) => {
            for item in list.items().ok()? {
                let account = read_id(&item);
                found.ignore_but("[].", &item, &[&ID[..], &MAX_USES, &[AUTHORIZATION]].concat());
                found.push(item.path.clone(), Part::Accounts, account);
            }
        }
        Value::Object(ids) if ids.values().all(|value| value.is_object() || value.is_number()) => {
            for id in ids.keys().filter(|id| !MAX_USES.contains(&id.as_str())) {
                let item = list.at(id);
                found.ignore_but("*.", &item, &[&MAX_USES[..], &[AUTHORIZATION]].concat());
                found.push(item.path.clone(), Part::Accounts, read_fields(&item, id));
            }
        }
        _ => return None,
    }
    if !found.lines.iter().any(|line| line.item.is_ok()) {
        return None;
    }
    let of_all = first(root, &MAX_USES);
    if let Some((most, field)) = of_all.and_then(|field| Some((field.value.as_u64().filter(|most| *most > 0)?, field)))
    {
        found.push(field.path, Part::Settings, Ok(json!({"volcengine_console": {"max_uses": most}})));
    }
    found.notes.push("How often each id was used so far is not taken over: counts begin at 0.");
    Some(found)
}

fn read_id(item: &Field) -> Result<Value, ChatError> {
    if item.value.is_string() {
        return Ok(account(item.needed_name()?.trim(), None));
    }
    let id = first(item, &ID).map_or_else(|| Err(item.at("id").wrong("a non-empty string")), |id| id.needed_name())?;
    read_fields(item, id.trim())
}

/// What is said of an id.
fn read_fields(item: &Field, id: &str) -> Result<Value, ChatError> {
    let own = first(item, &MAX_USES).map(|field| field.number()).transpose()?.flatten();
    let mut account = account(id, own);
    if let (Some(secret), Some(fields)) = (item.at(AUTHORIZATION).text()?, account.as_object_mut()) {
        fields.insert(AUTHORIZATION.to_owned(), secret.into());
    }
    Ok(account)
}

fn account(id: &str, max_uses: Option<u64>) -> Value {
    match max_uses {
        Some(most) => json!({"upstream": "volcengine-console", "web_id": id, "limits": {"max_uses": most}}),
        None => json!({"upstream": "volcengine-console", "web_id": id}),
    }
}

fn first<'a>(field: &Field<'a>, names: &[&str]) -> Option<Field<'a>> {
    names.iter().map(|name| field.at(name)).find(Field::is_there)
}
