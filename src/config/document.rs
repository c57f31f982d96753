//! The document as it is stored (contract §3): client keys as keyed hashes, account secrets sealed.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::limits::Limits;
use super::seal::Vault;
use super::settings::Settings;
use crate::chat::{ChatError, Endpoint};
use crate::upstream::openai::encode::{self, Reasoning};

/// What a secret reads as in every answer; sent back, it keeps the stored one.
pub(super) const MASK: &str = "***";
/// Whose the hash of a client key is in an export.
pub(super) const KEY_OWNER: &str = "client key";

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What clients present.
    pub keys: Vec<Key>,
    /// The services, as written; built-in ones need no entry.
    pub upstreams: Vec<Upstream>,
    /// The credentials.
    pub accounts: Vec<Account>,
    /// Model names that clients may use for others.
    pub aliases: BTreeMap<String, String>,
    /// All else.
    pub settings: Settings,
}

/// A client key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Unique; names the key in the admin API.
    pub id: String,
    /// For people.
    pub name: String,
    /// HMAC-SHA256 of the key, in hex.
    pub hash: String,
    /// The models it may use, `*` as a wildcard; all where absent.
    pub models: Option<Vec<String>>,
    /// What it may do.
    pub limits: Limits,
    /// When it ends, RFC 3339.
    pub expires_at: Option<String>,
    /// Whether it works.
    pub enabled: bool,
}

/// What protocol an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// OpenAI's.
    Openai,
    /// DeepSeek's web chat.
    DeepseekWeb,
    /// Volcengine's console.
    VolcengineConsole,
}

impl Kind {
    /// Whether it answers this route.
    pub fn serves(self, endpoint: Endpoint) -> bool {
        match self {
            Kind::Openai => true,
            Kind::DeepseekWeb | Kind::VolcengineConsole => endpoint == Endpoint::Chat,
        }
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Unique.
    pub id: String,
    /// Its protocol.
    pub kind: Kind,
    /// Where it is.
    pub base_url: String,
    /// A key that is not known is used as this upstream's own credential.
    pub direct: bool,
    /// The models it serves, `*` as a wildcard.
    pub models: Vec<String>,
    /// The caller's name for a model → the upstream's.
    pub model_mapping: BTreeMap<String, String>,
    /// Serves every name that nobody else does.
    pub default_model: Option<String>,
    /// The longest a plain answer may take.
    pub timeout_s: u64,
    /// How it is told to think, in calls that are translated; by its address where absent.
    #[serde(default)]
    pub reasoning: Option<Reasoning>,
    /// The most answer tokens that it takes: larger bounds of translated calls are lowered.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// Whether it takes pictures and documents, in calls that are translated.
    #[serde(default = "yes")]
    pub images: bool,
    /// Whether it is used.
    pub enabled: bool,
}

/// One credential of one upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Unique.
    pub id: String,
    /// The id of its upstream.
    pub upstream: String,
    /// What it logs in with.
    pub email: Option<String>,
    /// What it logs in with.
    pub mobile: Option<String>,
    /// A console id.
    pub web_id: Option<String>,
    /// The names of the secrets inside `sealed`.
    pub secrets: Vec<String>,
    /// The sealed secrets.
    pub sealed: String,
    /// What it may do.
    pub limits: Limits,
    /// Its share of the calls in flight.
    pub weight: u32,
    /// Higher is served first.
    pub priority: i32,
    /// Whether it is used.
    pub enabled: bool,
}

impl Document {
    /// The document as an operator sees it, with masked secrets. Read back, it is the same document.
    pub fn masked(&self) -> Value {
        json!({
            "keys": self.keys.iter().map(Key::masked).collect::<Vec<_>>(),
            "upstreams": self.upstreams.iter().map(Upstream::shown).collect::<Vec<_>>(),
            "accounts": self.accounts.iter().map(Account::masked).collect::<Vec<_>>(),
            "aliases": self.aliases,
            "settings": self.settings,
        })
    }
}

impl Document {
    /// The document with its account secrets in the open. Client keys have no text any more: they are sealed, for a
    /// Weir of the same `MASTER_KEY`.
    ///
    /// # Errors
    /// Where the secrets were sealed under another `MASTER_KEY`.
    pub fn exported(&self, vault: &Vault) -> Result<Value, ChatError> {
        let mut document = self.masked();
        let lists = document.as_object_mut();
        for (list, items) in lists.into_iter().flat_map(|lists| lists.iter_mut()) {
            let items = items.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut);
            match list.as_str() {
                "keys" => {
                    for (item, key) in items.zip(&self.keys) {
                        item.remove("key");
                        item.insert("sealed".to_owned(), vault.seal_text(KEY_OWNER, &key.hash)?.into());
                    }
                }
                "accounts" => {
                    for (item, account) in items.zip(&self.accounts) {
                        item.extend(
                            vault.open(&account.id, &account.sealed)?.0.into_iter().map(|(k, v)| (k, v.into())),
                        );
                    }
                }
                _ => {}
            }
        }
        Ok(document)
    }
}

impl Key {
    fn masked(&self) -> Value {
        without_nulls(json!({
            "id": self.id, "name": self.name, "key": MASK, "models": self.models, "limits": self.limits,
            "expires_at": self.expires_at, "enabled": self.enabled,
        }))
    }
}

impl Upstream {
    /// What it takes of a translated call: what is known of the great services stands, where nothing else is said.
    pub fn limits(&self) -> encode::Limits {
        let is_of = |host: &str| self.base_url.contains(host);
        let is_deepseek = is_of(".deepseek.com");
        encode::Limits {
            reasoning: self.reasoning.unwrap_or(match is_deepseek || is_of(".volces.com") {
                true => Reasoning::Thinking,
                false => Reasoning::Effort,
            }),
            max_tokens: self.max_tokens,
            // OpenAI's thinking models refuse the older name, and others do not know the newer one.
            max_tokens_field: if is_of("api.openai.com") { "max_completion_tokens" } else { "max_tokens" },
            schemas: !is_deepseek,
        }
    }

    fn shown(&self) -> Value {
        without_nulls(json!(self))
    }
}

impl Account {
    fn masked(&self) -> Value {
        let mut shown = without_nulls(json!({
            "id": self.id, "upstream": self.upstream, "email": self.email, "mobile": self.mobile,
            "web_id": self.web_id, "limits": self.limits, "weight": self.weight, "priority": self.priority,
            "enabled": self.enabled,
        }));
        if let Some(fields) = shown.as_object_mut() {
            fields.extend(self.secrets.iter().map(|name| (name.clone(), MASK.into())));
        }
        shown
    }
}

fn yes() -> bool {
    true
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}
