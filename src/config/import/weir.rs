//! Weir's own document, from an export.
use serde_json::json;

use super::{Found, Part};
use crate::chat::ChatError;
use crate::dialect::fields::Field;

pub(super) fn read(root: &Field) -> Result<Found, ChatError> {
    let mut found = Found::new("weir");
    found.ignore_but("", root, &["keys", "upstreams", "accounts", "aliases", "settings"]);
    for part in [Part::Upstreams, Part::Accounts, Part::Keys] {
        for item in root.at(part.field()).items()? {
            let value = if item.value.is_string() { json!({"key": item.value}) } else { item.value.clone() };
            found.push(item.path, part, Ok(value));
        }
    }
    let aliases = root.at("aliases").object()?;
    for (name, _) in aliases.value.as_object().into_iter().flatten() {
        let target = aliases.at(name);
        found.pair(target.path.clone(), Part::Aliases, name, &target);
    }
    let settings = root.at("settings");
    if settings.is_there() {
        found.push(settings.path.clone(), Part::Settings, Ok(settings.value.clone()));
    }
    Ok(found)
}
