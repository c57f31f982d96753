//! The Worker's side of the configuration: from KV, cached in the isolate; from the Registry where KV is behind.
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::{Date, Env};

use super::client_key;
use super::logins::{LoginAttempt, LoginVerdict};
use super::registry_object::{Applied, Apply, KnownKey, Reply};
use super::seal::Vault;
use super::settings::Settings;
use super::views::{Hot, KeyView};
use crate::chat::{ChatError, ErrorKind};
use crate::json;
use crate::ledger::LedgerView;
use crate::rpc;
use crate::stats::{Stats, plan};

/// The KV binding; `hot` is what every request needs, `accounts` the accounts with their sealed secrets.
const KV: &str = "CONFIG";
const HOT: &str = "hot";
const ACCOUNTS: &str = "accounts";
/// How old an isolate's copy may be. The ledger knows better at once, for every pooled call.
const FRESH_MS: u64 = 60_000;
const REGISTRY_DEADLINE: Duration = Duration::from_secs(15);
/// Look-ups of unknown keys that one isolate makes in a second, and unknown keys that it remembers: guesses cost nothing.
const LOOKUPS_PER_SECOND: u32 = 10;
const UNKNOWN_KEYS_MAX: usize = 256;
/// The same look-ups where callers' own credentials are taken: each is looked up before it goes to an upstream.
const CREDENTIALS_PER_SECOND: u32 = 100;

/// What a presented text is.
pub enum Presented {
    /// A client key: its hash, and what the configuration says of it.
    Key(String, KeyView),
    /// No key of this Weir. Only this may be shown to an upstream.
    Stranger,
    /// It was a client key, or has the form of those that Weir makes.
    Former,
    /// Nobody knows: too many unknown ones came at once to ask for each.
    Unsure,
}

#[derive(Default)]
struct Isolate {
    hot: Option<(Rc<Hot>, u64)>,
    vault: Option<Rc<Vault>>,
    /// Keys that are none, by their hash: until when that is believed, and whether it is a former one.
    unknown: HashMap<String, (u64, bool)>,
    lookups: (u64, u32),
}

thread_local! {
    static ISOLATE: RefCell<Isolate> = RefCell::default();
}

/// The configuration, at most a minute old.
///
/// # Errors
/// `NotConfigured` or `Internal` where there is none to be had.
pub async fn current(env: &Env) -> Result<Rc<Hot>, ChatError> {
    let now = Date::now().as_millis();
    let cached = cached();
    if let Some((hot, loaded)) = &cached
        && now.saturating_sub(*loaded) < FRESH_MS
    {
        return Ok(hot.clone());
    }
    plan::count_kv_read();
    let stored = match env.kv(KV) {
        Ok(kv) => kv.get(HOT).cache_ttl(60).text().await.ok().flatten(),
        Err(_) => return Err(ChatError::new(ErrorKind::NotConfigured, "The KV binding CONFIG is missing.")),
    };
    let stored = stored.and_then(|text| json::read::<Hot>(&text).ok());
    match (stored, cached) {
        // KV may be behind what the ledger made this isolate load.
        (Some(stored), Some((hot, _))) if hot.version > stored.version => Ok(keep(hot)),
        (Some(stored), _) => Ok(keep(Rc::new(stored))),
        (None, _) => refresh(env, true).await,
    }
}

/// The configuration of `version` or newer, from the Registry.
///
/// # Errors
/// When the Registry does not answer.
pub async fn at_least(env: &Env, version: u64) -> Result<Rc<Hot>, ChatError> {
    match cached() {
        Some((hot, _)) if hot.version >= version => Ok(hot),
        _ => refresh(env, false).await,
    }
}

/// The configuration as the Registry has it now: what another isolate stored a moment ago is in it.
///
/// # Errors
/// When the Registry does not answer.
pub async fn newest(env: &Env) -> Result<Rc<Hot>, ChatError> {
    refresh(env, false).await
}

/// Finds out what was presented. This isolate's copy of the configuration may be old: what it does not know, it asks the
/// Registry for.
///
/// # Errors
/// `NotConfigured` without `MASTER_KEY`; `Internal` when the Registry does not answer.
pub async fn find_key(env: &Env, hot: &Hot, presented: &str) -> Result<Presented, ChatError> {
    let hash = vault(env)?.hash_key(presented);
    if let Some(view) = hot.keys.get(&hash) {
        let view = view.clone();
        return Ok(Presented::Key(hash, view));
    }
    let is_former = match remembered(&hash) {
        Some(is_former) => is_former,
        None if !may_look_up(hot) => return Ok(Presented::Unsure),
        None => match registry(env, "lookup_key", &hash).await? {
            KnownKey::Present => {
                let view = refresh(env, false).await?.keys.get(&hash).cloned();
                return Ok(view.map_or(Presented::Former, |view| Presented::Key(hash, view)));
            }
            KnownKey::Former => remember_unknown(hash, true),
            KnownKey::Unknown => remember_unknown(hash, client_key::has_form(presented)),
        },
    };
    Ok(if is_former { Presented::Former } else { Presented::Stranger })
}

/// The keys derived from `MASTER_KEY`.
///
/// # Errors
/// `NotConfigured` where it is missing or short.
pub fn vault(env: &Env) -> Result<Rc<Vault>, ChatError> {
    if let Some(vault) = ISOLATE.with_borrow(|isolate| isolate.vault.clone()) {
        return Ok(vault);
    }
    let vault = Rc::new(Vault::new(&variable(env, "MASTER_KEY").unwrap_or_default())?);
    ISOLATE.with_borrow_mut(|isolate| isolate.vault = Some(vault.clone()));
    Ok(vault)
}

/// A secret or variable of the Worker.
pub fn variable(env: &Env, name: &str) -> Option<String> {
    env.var(name).ok().map(|value| value.to_string())
}

/// The origin whose pages may call.
pub fn cors_origin() -> String {
    settings(|settings| settings.cors_origin.clone())
}

/// The objects that the ledger is split into.
pub fn ledger_shards() -> u32 {
    settings(|settings| settings.ledger_shards)
}

/// What is recorded of calls.
pub fn stats() -> Stats {
    settings(|settings| settings.stats.clone())
}

/// The largest request body.
pub fn max_body_bytes() -> u64 {
    settings(|settings| settings.max_body_bytes)
}

/// Calls a method of the Registry.
///
/// # Errors
/// The method's own; `Internal` when it does not answer.
pub async fn registry<R: DeserializeOwned>(env: &Env, method: &str, argument: &impl Serialize) -> Result<R, ChatError> {
    rpc::call::<_, Reply<R>>(env, "REGISTRY", "main", method, argument, REGISTRY_DEADLINE).await?.into()
}

/// Applies a change; this isolate goes by it at once.
///
/// # Errors
/// Those of [`super::edit::apply`].
pub async fn apply(env: &Env, change: &Apply) -> Result<Applied, ChatError> {
    let applied: Applied = registry(env, "apply", change).await?;
    at_least(env, applied.version).await?;
    Ok(applied)
}

/// Counts a login, and says what becomes of it.
///
/// # Errors
/// When the Registry does not answer.
pub async fn count_login(env: &Env, attempt: &LoginAttempt) -> Result<LoginVerdict, ChatError> {
    registry(env, "login_attempt", attempt).await
}

/// Writes both views into KV. Only the Registry calls this.
pub(super) async fn publish(env: &Env, hot: &Hot, views: &[LedgerView]) -> worker::Result<()> {
    let kv = env.kv(KV)?;
    for (name, view) in [(ACCOUNTS, serde_json::to_string(views)?), (HOT, serde_json::to_string(hot)?)] {
        plan::count_kv_write();
        kv.put(name, view)?.execute().await?;
    }
    Ok(())
}

async fn refresh(env: &Env, kv_is_empty: bool) -> Result<Rc<Hot>, ChatError> {
    registry(env, "snapshot", &kv_is_empty).await.map(|hot: Hot| keep(Rc::new(hot)))
}

fn cached() -> Option<(Rc<Hot>, u64)> {
    ISOLATE.with_borrow(|isolate| isolate.hot.clone())
}

fn keep(hot: Rc<Hot>) -> Rc<Hot> {
    ISOLATE.with_borrow_mut(|isolate| {
        isolate.hot = Some((hot.clone(), Date::now().as_millis()));
        isolate.unknown.clear();
    });
    hot
}

fn settings<T>(read: impl FnOnce(&Settings) -> T) -> T {
    match cached() {
        Some((hot, _)) => read(&hot.settings),
        None => read(&Settings::default()),
    }
}

/// Whether an unknown key that was looked up a moment ago is a former one.
fn remembered(hash: &str) -> Option<bool> {
    let now = Date::now().as_millis();
    ISOLATE
        .with_borrow(|isolate| isolate.unknown.get(hash).filter(|(until, _)| *until > now).map(|(_, former)| *former))
}

fn may_look_up(hot: &Hot) -> bool {
    let most = if hot.takes_credentials() { CREDENTIALS_PER_SECOND } else { LOOKUPS_PER_SECOND };
    let second = Date::now().as_millis() / 1_000;
    ISOLATE.with_borrow_mut(|isolate| {
        if isolate.lookups.0 != second {
            isolate.lookups = (second, 0);
        }
        isolate.lookups.1 = isolate.lookups.1.saturating_add(1);
        isolate.lookups.1 <= most
    })
}

fn remember_unknown(hash: String, is_former: bool) -> bool {
    ISOLATE.with_borrow_mut(|isolate| {
        if isolate.unknown.len() >= UNKNOWN_KEYS_MAX {
            isolate.unknown.clear();
        }
        // Short, since the key may be made in the next moment.
        isolate.unknown.insert(hash, (Date::now().as_millis().saturating_add(1_000), is_former));
    });
    is_former
}
