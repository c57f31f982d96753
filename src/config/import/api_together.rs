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
    let (mut services, mut accounts) = (Vec::new(), Vec::new());
    for endpoint in root.at("apis").items()? {
        found.ignore_but("apis[].", &endpoint, &ENDPOINT);
        let from = endpoint.path.clone();
        let account = read_endpoint(&endpoint).map(|(upstream, mut account)| {
            let offers = |known: &Value| {
                ["base_url", "models", "model_mapping"].iter().all(|name| known.get(name) == upstream.get(name))
            };
            let id = match upstreams.iter().find(|known| offers(known)) {
                Some(known) => known.get("id").cloned(),
                None => {
                    let is_taken = |id: &str| upstreams.iter().any(|known| known.get("id") == Some(&json!(id)));
                    let id = free(&host(&upstream), 2, is_taken);
                    let mut upstream = upstream;
                    put(&mut upstream, "id", id.clone().into());
                    upstreams.push(upstream.clone());
                    services.push((from.clone(), upstream));
                    Some(id.into())
                }
            };
            put(&mut account, "upstream", id.unwrap_or_default());
            account
        });
        accounts.push((from, account));
    }
    for (from, upstream) in services {
        found.push(from, Part::Upstreams, Ok(upstream));
    }
    for (from, account) in accounts {
        found.push(from, Part::Accounts, account);
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
    let id = endpoint.at("id").text()?.filter(|id| !id.is_empty());
    let account = json!({
        "id": id.map_or_else(|| endpoint.at("name").needed_name(), Ok)?,
        "api_key": endpoint.at("apiKey").needed_name()?, "limits": limits,
        // An endpoint that does not say so is off.
        "enabled": endpoint.at("enabled").flag()?.unwrap_or(false),
    });
    Ok((upstream, account))
}

fn host(upstream: &Value) -> String {
    let url = upstream.get("base_url").and_then(Value::as_str).unwrap_or_default();
    let host = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default();
    if host.is_empty() { "api".to_owned() } else { host.to_owned() }
}
