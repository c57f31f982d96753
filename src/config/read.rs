//! Reads a document as people write it: shorthand, defaults, masked secrets; every error names its JSON path.
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::document::{Account, Document, KEY_OWNER, Key, Kind, MASK, Upstream};
use super::limits::Limits;
use super::locate;
use super::presets;
use super::seal::{Secrets, Vault};
use super::settings::Settings;
use crate::chat::{ChatError, ErrorKind};
use crate::json;
use crate::moment;
use crate::stats;
use crate::upstream::openai::encode::Reasoning;
use crate::upstream::volcengine_console::settings::is_web_id;

/// The gentle pace of a web account that names none.
const WEB_MIN_GAP_MS: u64 = 2_000;
/// The longest id, name, model or alias, in characters.
const NAME_MAX: usize = 256;
/// Objects that the ledger may be split into.
const SHARDS_MAX: u32 = 16;
const SECRETS: [&str; 4] = ["password", "token", "api_key", "authorization"];

/// What reading needs besides the text.
pub struct Reader<'a> {
    /// Seals secrets and hashes keys.
    pub vault: &'a Vault,
    /// The document that masked secrets refer to.
    pub stored: &'a Document,
    /// Knows the names of time zones.
    pub is_timezone: &'a dyn Fn(&str) -> bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    keys: Vec<KeyInput>,
    #[serde(default)]
    upstreams: Vec<UpstreamInput>,
    #[serde(default)]
    accounts: Vec<AccountInput>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    #[serde(default)]
    settings: Settings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyInput {
    id: Option<String>,
    name: Option<String>,
    key: Option<String>,
    sealed: Option<String>,
    models: Option<Vec<String>>,
    #[serde(default)]
    limits: Limits,
    expires_at: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpstreamInput {
    id: String,
    kind: Option<Kind>,
    base_url: Option<String>,
    #[serde(default)]
    direct: bool,
    models: Option<Vec<String>>,
    #[serde(default)]
    model_mapping: BTreeMap<String, String>,
    default_model: Option<String>,
    timeout_s: Option<u64>,
    reasoning: Option<Reasoning>,
    max_tokens: Option<u64>,
    #[serde(default = "yes")]
    images: bool,
    #[serde(default = "yes")]
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountInput {
    id: Option<String>,
    upstream: Option<String>,
    email: Option<String>,
    mobile: Option<String>,
    web_id: Option<String>,
    password: Option<String>,
    token: Option<String>,
    api_key: Option<String>,
    authorization: Option<String>,
    #[serde(default)]
    limits: Limits,
    #[serde(default = "one")]
    weight: u32,
    #[serde(default)]
    priority: i32,
    #[serde(default = "yes")]
    enabled: bool,
}

impl Reader<'_> {
    /// Reads a whole document.
    ///
    /// # Errors
    /// `InvalidRequest` with the JSON path in `param`.
    pub fn read(&self, mut document: Value) -> Result<Document, ChatError> {
        if !document.is_object() {
            return Err(wrong("", "a JSON object is needed"));
        }
        expand_keys(&mut document);
        let input: Input = json::read_value(&document).map_err(|error| {
            let message = error.to_string();
            let error_of = |part: &Value| json::read_value::<Input>(part).err().map(|error| error.to_string());
            wrong(&locate::path(&document, &message, &error_of), &without_value(&message))
        })?;
        let upstreams = read_upstreams(input.upstreams)?;
        let keys = self.read_keys(input.keys)?;
        let accounts = self.read_accounts(input.accounts, &upstreams)?;
        check_aliases(&input.aliases)?;
        self.check_settings(&input.settings)?;
        Ok(Document { keys, upstreams, accounts, aliases: input.aliases, settings: input.settings })
    }

    fn read_keys(&self, inputs: Vec<KeyInput>) -> Result<Vec<Key>, ChatError> {
        let (mut ids, mut hashes) = (BTreeSet::new(), BTreeSet::new());
        let mut keys = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.into_iter().enumerate() {
            let path = |field: &str| format!("keys[{index}].{field}");
            let mut stored = self.stored.keys.iter();
            let hash = match (input.key.as_deref().map(str::trim), &input.sealed) {
                (None, Some(sealed)) => self.vault.open_text(KEY_OWNER, sealed).ok_or_else(|| {
                    wrong(&path("sealed"), "this key was exported under another MASTER_KEY: its text is needed")
                })?,
                (None | Some(""), _) => return Err(wrong(&path("key"), "a key must not be empty")),
                (Some(MASK), _) => {
                    let named = input.id.as_ref().or(input.name.as_ref());
                    let known = stored.clone().find(|key| named == Some(&key.id));
                    known.ok_or_else(|| wrong(&path("key"), "there is no stored key of this id to keep"))?.hash.clone()
                }
                (Some(text), _) => self.vault.hash_key(text),
            };
            let known = stored.find(|key| key.hash == hash);
            let short = hash.get(..8).unwrap_or_default();
            let id = input.id.or_else(|| known.map(|key| key.id.clone())).unwrap_or_else(|| format!("key-{short}"));
            check_name(&path("id"), &id)?;
            if let Some(time) = input.expires_at.as_deref().filter(|time| moment::of_rfc3339(time).is_none()) {
                let message = format!("`{time}` is no RFC 3339 time such as 2027-01-01T00:00:00Z");
                return Err(wrong(&path("expires_at"), &message));
            }
            if !hashes.insert(hash.clone()) {
                return Err(wrong(&path("key"), "this key is there twice"));
            }
            if !ids.insert(id.clone()) {
                return Err(wrong(&path("id"), &format!("the id `{id}` is there twice")));
            }
            keys.push(Key {
                name: input.name.unwrap_or_else(|| id.clone()),
                id,
                hash,
                models: input.models,
                limits: input.limits,
                expires_at: input.expires_at,
                enabled: input.enabled,
            });
        }
        Ok(keys)
    }

    fn read_accounts(&self, inputs: Vec<AccountInput>, upstreams: &[Upstream]) -> Result<Vec<Account>, ChatError> {
        let mut ids: BTreeSet<String> = inputs.iter().filter_map(|input| input.id.clone()).collect();
        let mut seen = BTreeSet::new();
        let mut accounts = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.into_iter().enumerate() {
            let path = |field: &str| format!("accounts[{index}].{field}");
            let [email, mobile, web_id] =
                [&input.email, &input.mobile, &input.web_id].map(|field| field.clone().filter(|text| !text.is_empty()));
            let upstream = match &input.upstream {
                Some(upstream) => upstream.clone(),
                None if email.is_some() || mobile.is_some() => "deepseek-web".to_owned(),
                None => return Err(wrong(&path("upstream"), "which upstream is this account of?")),
            };
            let service = upstreams.iter().find(|known| known.id == upstream).cloned();
            let Some(service) = service.or_else(|| presets::upstream(&upstream)) else {
                return Err(wrong(&path("upstream"), &format!("there is no upstream `{upstream}`")));
            };
            // Who has a key may see the ids of accounts: not what the console knows a browser by.
            let of_web_id =
                |web_id: &String| format!("web-{}", self.vault.hash_key(web_id).get(..8).unwrap_or_default());
            let named = input.id.clone().or_else(|| email.clone()).or_else(|| mobile.clone());
            let named = named.or_else(|| web_id.as_ref().map(of_web_id));
            let id = named.unwrap_or_else(|| free_id(&upstream, &ids));
            ids.insert(id.clone());
            check_name(&path("id"), &id)?;
            if !seen.insert(id.clone()) {
                return Err(wrong(&path("id"), &format!("the id `{id}` is there twice")));
            }
            if input.weight == 0 {
                return Err(wrong(&path("weight"), "a weight is at least 1"));
            }
            let (secrets, sealed) = self.read_secrets(index, &id, &input)?;
            let has = |name: &str| secrets.iter().any(|secret| secret == name);
            let missing = match service.kind {
                Kind::Openai if !has("api_key") => Some("api_key"),
                Kind::DeepseekWeb if !has("token") && email.is_none() && mobile.is_none() => Some("email"),
                Kind::DeepseekWeb if !has("token") && !has("password") => Some("password"),
                Kind::VolcengineConsole if web_id.is_none() => Some("web_id"),
                _ => None,
            };
            if web_id.as_deref().is_some_and(|web_id| !is_web_id(web_id)) {
                return Err(wrong(&path("web_id"), "an id is ASCII without spaces"));
            }
            if let Some(field) = missing {
                return Err(wrong(&path(field), &format!("an account of `{upstream}` needs it")));
            }
            let mut limits = input.limits;
            if service.kind == Kind::DeepseekWeb {
                if limits.concurrency.is_some_and(|calls| calls > 1) {
                    return Err(wrong(&path("limits.concurrency"), "DeepSeek's web chat answers one call at a time"));
                }
                limits.concurrency = limits.concurrency.or(Some(1));
                limits.min_gap_ms = limits.min_gap_ms.or(Some(WEB_MIN_GAP_MS));
            }
            let (weight, priority, enabled) = (input.weight, input.priority, input.enabled);
            accounts.push(Account {
                id,
                upstream,
                email,
                mobile,
                web_id,
                secrets,
                sealed,
                limits,
                weight,
                priority,
                enabled,
            });
        }
        Ok(accounts)
    }

    /// The names of an account's secrets, and the secrets sealed. What is masked keeps the stored text, to the letter.
    fn read_secrets(&self, index: usize, id: &str, input: &AccountInput) -> Result<(Vec<String>, String), ChatError> {
        let fields = SECRETS.iter().zip([&input.password, &input.token, &input.api_key, &input.authorization]);
        let given: Vec<(&str, &str)> = fields
            .filter_map(|(name, value)| Some((*name, value.as_deref().map(str::trim).filter(|text| !text.is_empty())?)))
            .collect();
        let names: Vec<String> = given.iter().map(|(name, _)| (*name).to_owned()).collect();
        let stored = self.stored.accounts.iter().find(|account| account.id == id);
        if let Some(stored) = stored
            && stored.secrets == names
            && (&stored.email, &stored.mobile, &stored.web_id) == (&input.email, &input.mobile, &input.web_id)
            && given.iter().all(|(_, value)| *value == MASK)
        {
            return Ok((names, stored.sealed.clone()));
        }
        let old = match stored {
            Some(stored) if given.iter().any(|(_, value)| *value == MASK) => self.vault.open(id, &stored.sealed)?,
            _ => Secrets::default(),
        };
        let mut secrets = Secrets::default();
        for (name, value) in given {
            let value = match value {
                MASK => old.0.get(name).cloned().ok_or_else(|| {
                    let message = "there is no stored secret of this account to keep";
                    wrong(&format!("accounts[{index}].{name}"), message)
                })?,
                value => value.to_owned(),
            };
            secrets.0.insert(name.to_owned(), value);
        }
        // Who opens the secrets logs in with these too.
        for (name, value) in [("email", &input.email), ("mobile", &input.mobile), ("web_id", &input.web_id)] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                secrets.0.insert(name.to_owned(), value.clone());
            }
        }
        Ok((names, self.vault.seal(id, &secrets)?))
    }

    fn check_settings(&self, settings: &Settings) -> Result<(), ChatError> {
        if !(self.is_timezone)(&settings.timezone) {
            let message = format!("`{}` is no time zone such as Asia/Shanghai", settings.timezone);
            return Err(wrong("settings.timezone", &message));
        }
        let positive = [
            ("settings.max_attempts", u64::from(settings.max_attempts)),
            ("settings.max_body_bytes", settings.max_body_bytes),
            ("settings.max_answer_bytes", settings.max_answer_bytes),
            ("settings.ping_ms", settings.ping_ms),
            ("settings.deadlines.connect_ms", settings.deadlines.connect_ms),
            ("settings.deadlines.first_token_ms", settings.deadlines.first_token_ms),
            ("settings.deadlines.stall_ms", settings.deadlines.stall_ms),
            ("settings.stats.log_max", settings.stats.log_max),
            ("settings.stats.hours", settings.stats.hours),
            ("settings.stats.days", settings.stats.days),
        ];
        check_url("settings.vercel_url", &settings.vercel_url)?;
        if !(1..=SHARDS_MAX).contains(&settings.ledger_shards) {
            return Err(wrong("settings.ledger_shards", &format!("1 to {SHARDS_MAX}")));
        }
        for (part, mistake) in
            [("cooling", settings.cooling.mistake()), ("volcengine_console", settings.volcengine_console.mistake())]
        {
            if let Some((field, what)) = mistake {
                return Err(wrong(&format!("settings.{part}.{field}"), &what));
            }
        }
        if settings.stats.log_max > stats::LOG_MAX {
            return Err(wrong("settings.stats.log_max", &format!("at most {}", stats::LOG_MAX)));
        }
        if settings.stats.batch_ms > stats::BATCH_MS_MAX {
            return Err(wrong("settings.stats.batch_ms", &format!("at most {}", stats::BATCH_MS_MAX)));
        }
        if settings.stats.body_bytes > stats::BODY_BYTES_MAX {
            return Err(wrong("settings.stats.body_bytes", &format!("at most {}", stats::BODY_BYTES_MAX)));
        }
        if settings.stats.names_max > stats::NAMES_MAX {
            return Err(wrong("settings.stats.names_max", &format!("at most {}", stats::NAMES_MAX)));
        }
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((path, _)) => Err(wrong(path, "at least 1")),
            None => Ok(()),
        }
    }
}

/// Makes `"keys": ["sk-1"]` into `"keys": [{"key": "sk-1"}]`.
fn expand_keys(document: &mut Value) {
    let Some(Value::Array(keys)) = document.get_mut("keys") else { return };
    for key in keys {
        if key.is_string() {
            *key = serde_json::json!({"key": key.take()});
        }
    }
}

fn read_upstreams(inputs: Vec<UpstreamInput>) -> Result<Vec<Upstream>, ChatError> {
    let mut upstreams: Vec<Upstream> = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.into_iter().enumerate() {
        let path = |field: &str| format!("upstreams[{index}].{field}");
        check_name(&path("id"), &input.id)?;
        if upstreams.iter().any(|known| known.id == input.id) {
            return Err(wrong(&path("id"), &format!("the id `{}` is there twice", input.id)));
        }
        let named = presets::upstream(&input.id).filter(|preset| input.kind.is_none_or(|kind| kind == preset.kind));
        let preset = named.or_else(|| presets::of_kind(input.kind?));
        let preset = preset.as_ref();
        let kind = input.kind.or(preset.map(|preset| preset.kind));
        let kind = kind.ok_or_else(|| wrong(&path("kind"), "openai, deepseek-web or volcengine-console"))?;
        let base_url = input.base_url.or_else(|| preset.map(|preset| preset.base_url.clone()));
        let base_url = base_url.ok_or_else(|| wrong(&path("base_url"), "the service's URL is needed"))?;
        check_url(&path("base_url"), &base_url)?;
        if input.timeout_s == Some(0) {
            return Err(wrong(&path("timeout_s"), "at least 1"));
        }
        if input.max_tokens == Some(0) {
            return Err(wrong(&path("max_tokens"), "at least 1"));
        }
        let timeout_s = input.timeout_s.or(preset.map(|preset| preset.timeout_s)).unwrap_or(presets::TIMEOUT_S);
        let says_models = !input.model_mapping.is_empty() || input.default_model.is_some();
        let preset_models = preset.filter(|_| !says_models && input.models.is_none());
        let (models, model_mapping) = match preset_models {
            Some(preset) => (preset.models.clone(), preset.model_mapping.clone()),
            None => (input.models.unwrap_or_default(), input.model_mapping),
        };
        if kind == Kind::VolcengineConsole && input.direct {
            return Err(wrong(
                &path("direct"),
                "a caller of the console needs an id and an authorization, not one key",
            ));
        }
        upstreams.push(Upstream {
            id: input.id,
            kind,
            base_url,
            direct: input.direct,
            models,
            model_mapping,
            default_model: input.default_model.filter(|model| !model.is_empty()),
            timeout_s,
            reasoning: input.reasoning,
            max_tokens: input.max_tokens,
            images: input.images,
            enabled: input.enabled,
        });
    }
    Ok(upstreams)
}

fn check_url(path: &str, url: &str) -> Result<(), ChatError> {
    let Ok(parsed) = worker::Url::parse(url) else { return Err(wrong(path, "not a URL")) };
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(wrong(path, "a URL that begins with https:// or http://"));
    }
    if !parsed.username().is_empty()
        || parsed.password().is_some()
        || parsed.query().is_some()
        || parsed.fragment().is_some()
    {
        return Err(wrong(path, "a URL without credentials, query or fragment"));
    }
    Ok(())
}

fn check_name(path: &str, name: &str) -> Result<(), ChatError> {
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(wrong(path, &format!("1 to {NAME_MAX} characters without control characters")));
    }
    Ok(())
}

fn check_aliases(aliases: &BTreeMap<String, String>) -> Result<(), ChatError> {
    for (alias, target) in aliases {
        let path = format!("aliases.{alias}");
        check_name(&path, alias)?;
        check_name(&path, target)?;
        let mut name = target;
        for _ in 0..=aliases.len() {
            if name == alias {
                return Err(wrong(&path, "this alias leads back to itself"));
            }
            match aliases.get(name) {
                Some(next) => name = next,
                None => break,
            }
        }
    }
    Ok(())
}

fn free_id(upstream: &str, taken: &BTreeSet<String>) -> String {
    let mut number: u64 = 1;
    loop {
        let id = format!("{upstream}-{number}");
        if !taken.contains(&id) {
            return id;
        }
        number = number.saturating_add(1);
    }
}

/// What serde says is wrong, for people who know no type of Weir's, and without the value that it quotes: that may be a
/// secret.
fn without_value(message: &str) -> String {
    let message = match message.rfind(", expected struct ").and_then(|at| message.get(..at)) {
        Some(found) => &format!("{found}, expected an object"),
        None => message,
    };
    let is_of_value =
        ["invalid type: ", "invalid value: ", "unknown variant "].iter().any(|kind| message.starts_with(kind));
    let quote = message.find(['"', '`']).filter(|_| is_of_value);
    match (quote, message.rfind(", expected ")) {
        (Some(quote), Some(expected)) if quote < expected => {
            let (before, after) = (message.get(..quote), message.get(expected..));
            format!("{}{}", before.unwrap_or_default().trim_end(), after.unwrap_or_default())
        }
        _ => message.to_owned(),
    }
}

fn wrong(path: &str, message: &str) -> ChatError {
    if path.is_empty() {
        return ChatError::new(ErrorKind::InvalidRequest, format!("The configuration is not valid: {message}."));
    }
    ChatError::field(path, format!("`{path}`: {message}."))
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

#[cfg(test)]
#[path = "read_tests.rs"]
pub(super) mod tests;
