//! `apis.json` of api-together: every endpoint is an account, and endpoints that offer the same are one upstream.
use serde_json::{Map, Value, json};

use super::{Found, Part, free, put};
use crate::chat::ChatError;
use crate::dialect::fields::Field;

const ENDPOINT: [&str; 9] = ["id", "name", "baseUrl", "apiKey", "rpm", "rpd", "enabled", "models", "modelMapping"];

pub(super) fn read(root: &Field) -> Result<Found, ChatError> {
    let mut found = Found::new("api-together");
    found.ignore_but("", root, &["server", "apis"]);
    let server = root.at("server").object()?;
    found.ignore_but("server.", &server, &["apiKey"]);
    let mut upstreams: Vec<Value> = Vec::new();
    for endpoint in root.at("apis").items()? {
        found.ignore_but("apis[].", &endpoint, &ENDPOINT);
        let from = endpoint.path.clone();
        let (mut upstream, mut account) = match read_endpoint(&endpoint) {
            Ok(parts) => parts,
            Err(error) => {
                found.push(from, Part::Accounts, Err(error));
                continue;
            }
        };
        let offers = |known: &&Value| {
            ["base_url", "models", "model_mapping"].iter().all(|name| known.get(name) == upstream.get(name))
        };
        let id = match upstreams.iter().find(offers) {
            Some(known) => known.get("id").cloned().unwrap_or_default(),
            None => {
                let is_taken =
                    |id: &str| upstreams.iter().any(|known| known.get("id").is_some_and(|known| known == id));
                let id = Value::from(free(&host(&upstream), 2, is_taken));
                put(&mut upstream, "id", id.clone());
                upstreams.push(upstream.clone());
                found.push(from.clone(), Part::Upstreams, Ok(upstream));
                id
            }
        };
        put(&mut account, "upstream", id);
        found.push(from, Part::Accounts, Ok(account));
    }
    let key = server.at("apiKey");
    if key.is_there() {
        found.push(key.path.clone(), Part::Keys, key.needed_name().map(|key| json!({"key": key})));
    }
    Ok(found)
}

fn read_endpoint(endpoint: &Field) -> Result<(Value, Value), ChatError> {
    if !endpoint.value.is_object() {
        return Err(endpoint.wrong("an object"));
    }
    let base_url = endpoint.at("baseUrl").needed_name()?;
    let mapping = endpoint.at("modelMapping").object()?;
    for name in mapping.value.as_object().into_iter().flat_map(|names| names.keys()) {
        mapping.at(name).needed_name()?;
    }
    let mapping = if mapping.is_there() { mapping.value.clone() } else { json!({}) };
    let upstream = json!({
        "kind": "openai", "base_url": base_url.trim_end_matches('/'), "models": endpoint.at("models").texts()?,
        "model_mapping": mapping,
    });
    let mut limits = Map::new();
    for name in ["rpm", "rpd"] {
        let limit = endpoint.at(name);
        if limit.is_there() {
            let value = limit.value.as_i64().filter(|value| *value >= -1);
            limits.insert(name.to_owned(), value.ok_or_else(|| limit.wrong("an integer of -1 or more"))?.into());
        }
    }
    let id = match endpoint.at("id") {
        Field { value: Value::Number(number), .. } => Some(number.to_string()),
        id => id.text()?.filter(|id| !id.is_empty()),
    };
    let account = json!({
        "id": id.map_or_else(|| endpoint.at("name").needed_name(), Ok)?,
        "api_key": endpoint.at("apiKey").needed_name()?, "limits": limits,
        // An endpoint that does not say so is off.
        "enabled": is_truthy(endpoint.at("enabled").value),
    });
    Ok((upstream, account))
}

/// As JavaScript has it, in which api-together is written.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn host(upstream: &Value) -> String {
    let url = upstream.get("base_url").and_then(Value::as_str).and_then(|url| worker::Url::parse(url).ok());
    url.and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_else(|| "api".to_owned())
}
