//! What each reader sees of the document.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::document::{Document, Kind, Upstream};
use super::limits::Limits;
use super::presets;
use super::settings::Settings;
use crate::ledger::{AccountSpec, KeySpec, LedgerView, shard};
use crate::moment;

/// What every request needs, without any secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hot {
    /// Counts the changes of the document.
    pub version: u64,
    /// The client keys by their hash.
    pub keys: HashMap<String, KeyView>,
    /// The upstreams, built-in ones included where an account uses them.
    pub upstreams: Vec<Upstream>,
    /// Model names for others.
    pub aliases: BTreeMap<String, String>,
    /// All else.
    pub settings: Settings,
    /// The shards of the ledger that own accounts of an upstream; empty where it is not split.
    #[serde(default)]
    pub shards: BTreeMap<String, BTreeSet<u32>>,
}

/// A client key, as a request needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    #[serde(default)]
    pub name: String,
    /// The models it may use; all where absent.
    pub models: Option<Vec<String>>,
    /// When it ends.
    pub expires_at_ms: Option<u64>,
    /// Whether it works.
    pub enabled: bool,
    /// Whether it has limits of its own.
    #[serde(default)]
    pub limited: bool,
}

impl Hot {
    /// Of version `version` of `document`.
    pub fn of(document: &Document, version: u64) -> Hot {
        Hot {
            version,
            keys: document.keys.iter().map(|key| (key.hash.clone(), KeyView::of(key))).collect(),
            upstreams: upstreams(document),
            aliases: document.aliases.clone(),
            settings: document.settings.clone(),
            shards: shards(document),
        }
    }

    /// Whether an upstream takes its callers' own credentials.
    pub fn takes_credentials(&self) -> bool {
        self.upstreams.iter().any(|upstream| upstream.direct && upstream.enabled)
    }
}

fn shards(document: &Document) -> BTreeMap<String, BTreeSet<u32>> {
    let count = document.settings.ledger_shards;
    let mut shards: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    if count > 1 {
        for account in &document.accounts {
            shards.entry(account.upstream.clone()).or_default().insert(shard::of(&account.id, count));
        }
    }
    shards
}

impl KeyView {
    fn of(key: &super::document::Key) -> KeyView {
        KeyView {
            id: key.id.clone(),
            name: key.name.clone(),
            models: key.models.clone(),
            expires_at_ms: key.expires_at.as_deref().and_then(moment::of_rfc3339),
            enabled: key.enabled,
            limited: key.limits != Limits::default(),
        }
    }
}

/// What a shard of the ledger sees: its own accounts, and all keys, with their limits where their home is. The accounts of
/// an upstream that is switched off are switched off. A shard of several has one more account, without a name or limits,
/// for calls whose account is in another shard and whose key is counted here.
pub fn for_ledger(document: &Document, version: u64, shard: u32) -> LedgerView {
    let shards = document.settings.ledger_shards;
    let off: Vec<&str> =
        document.upstreams.iter().filter(|upstream| !upstream.enabled).map(|upstream| upstream.id.as_str()).collect();
    let known = upstreams(document);
    let consoles: Vec<&str> = known
        .iter()
        .filter(|upstream| upstream.kind == Kind::VolcengineConsole)
        .map(|upstream| upstream.id.as_str())
        .collect();
    let max_uses =
        |upstream: &str| document.settings.volcengine_console.max_uses.filter(|_| consoles.contains(&upstream));
    let account = |account: &super::document::Account| AccountSpec {
        id: account.id.clone(),
        upstream: account.upstream.clone(),
        limits: Limits { max_uses: account.limits.max_uses.or(max_uses(&account.upstream)), ..account.limits },
        weight: account.weight,
        priority: account.priority,
        enabled: account.enabled && !off.contains(&account.upstream.as_str()),
        sealed: account.sealed.clone(),
    };
    let key = |key: &super::document::Key| KeySpec {
        id: key.id.clone(),
        limits: if shard::of(&key.id, shards) == shard { key.limits } else { Limits::default() },
        enabled: key.enabled,
        expires_at_ms: key.expires_at.as_deref().and_then(moment::of_rfc3339),
    };
    let own = document.accounts.iter().filter(|account| shard::of(&account.id, shards) == shard);
    let pass = || AccountSpec {
        id: String::new(),
        upstream: String::new(),
        limits: Limits::default(),
        weight: 1,
        priority: 0,
        enabled: true,
        sealed: String::new(),
    };
    LedgerView {
        version,
        settings: document.settings.for_ledger(),
        accounts: own.map(account).chain((shards > 1).then(pass)).collect(),
        keys: document.keys.iter().map(key).collect(),
    }
}

/// The upstreams of the document, and the built-in ones that its accounts use without an entry.
pub(super) fn upstreams(document: &Document) -> Vec<Upstream> {
    let mut upstreams = document.upstreams.clone();
    for account in &document.accounts {
        if !upstreams.iter().any(|upstream| upstream.id == account.upstream) {
            upstreams.extend(presets::upstream(&account.upstream));
        }
    }
    upstreams
}
