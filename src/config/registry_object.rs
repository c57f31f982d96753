//! The Durable Object `Registry`: the one writer of the configuration.
//!
//! A change is decided and stored in one turn without an `await`, so that of a hundred edits at once none is lost. Then
//! it is published, to the ledger and to KV, before its editor is answered; edits that come while a publication is under
//! way share the next one.
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use futures::lock::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use worker::{DurableObject, Env, Request, Response, Result, State, console_error, console_log, durable_object};

use super::backups_store::{self, Made};
use super::document::Document;
use super::edit::{self, Change};
use super::logins::{LoginAttempt, Logins};
use super::read::Reader;
use super::views::{Hot, for_ledger};
use super::{backups, former_store, source, store};
use crate::chat::{ChatError, ErrorKind};
use crate::json;
use crate::ledger::{LedgerView, shard};
use crate::rpc;
use crate::stats::plan;
use crate::storage;

/// How long the ledger may take to go by a new configuration.
const LEDGER_DEADLINE: Duration = Duration::from_secs(10);
/// When a publication that failed is tried again. KV takes one write a second.
const RETRY: Duration = Duration::from_secs(2);
/// What the sync with Vercel keeps its credentials under.
const VERCEL: &str = "vercel";
/// What a method answers: errors travel as data, since an exception loses its kind.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply<T> {
    /// Done.
    Ok(T),
    /// Not done.
    Err(ChatError),
}

impl<T> From<Reply<T>> for std::result::Result<T, ChatError> {
    fn from(reply: Reply<T>) -> Self {
        match reply {
            Reply::Ok(value) => Ok(value),
            Reply::Err(error) => Err(error),
        }
    }
}

/// Asks for a change.
#[derive(Debug, Serialize, Deserialize)]
pub struct Apply {
    /// Who, for the log.
    pub actor: String,
    /// What.
    pub change: Change,
}

/// What a change came to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Applied {
    /// The document's new version.
    pub version: u64,
    /// The item that was made or changed, masked.
    pub item: Value,
}

/// What the Registry knows of a key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum KnownKey {
    Present,
    Former,
    Unknown,
}

struct Loaded {
    document: Document,
    version: u64,
}

/// The Rust side of the `Registry` class.
#[durable_object(fetch)]
pub struct RegistryObject {
    state: Rc<State>,
    env: Env,
    loaded: Rc<RefCell<Option<Loaded>>>,
    published: Rc<Mutex<u64>>,
    /// The most shards that were told of a version.
    widest: Cell<u32>,
    logins: RefCell<Logins>,
}

impl DurableObject for RegistryObject {
    fn new(state: State, env: Env) -> Self {
        if let Err(error) = store::create(&state.storage().sql()) {
            console_error!("the registry's tables could not be made: {error}");
        }
        RegistryObject {
            state: Rc::new(state),
            env,
            loaded: Rc::default(),
            published: Rc::default(),
            widest: Cell::new(1),
            logins: RefCell::default(),
        }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        Response::error("not for requests", 404)
    }
}

#[wasm_bindgen]
impl RegistryObject {
    /// The hot view. The argument says whether KV has none.
    pub async fn snapshot(&self, argument: String) -> String {
        let hot = self.read(|loaded| Hot::of(&loaded.document, loaded.version));
        let unpublished = parse::<bool>(&argument).is_ok_and(|missing| missing);
        if unpublished && hot.as_ref().is_ok_and(|hot| hot.version > 0) {
            self.publish().await;
        }
        text(&reply(hot))
    }

    /// The view of a shard of the ledger.
    pub async fn ledger_view(&self, argument: String) -> String {
        let view = parse::<u32>(&argument)
            .and_then(|shard| self.read(|loaded| for_ledger(&loaded.document, loaded.version, shard)));
        text(&reply(view))
    }

    /// The masked document.
    pub async fn document(&self, _argument: String) -> String {
        text(&reply(self.read(|loaded| loaded.document.masked())))
    }

    /// What is known of the key of this hash.
    pub async fn lookup_key(&self, argument: String) -> String {
        let known = parse::<String>(&argument).and_then(|hash| {
            Ok(match self.read(|loaded| loaded.document.keys.iter().any(|key| key.hash == hash))? {
                true => KnownKey::Present,
                false if former_store::has(&self.state.storage().sql(), &hash).map_err(fault)? => KnownKey::Former,
                false => KnownKey::Unknown,
            })
        });
        text(&reply(known))
    }

    /// The account of this id or e-mail with its sealed secrets, or null.
    pub async fn account(&self, argument: String) -> String {
        let found = parse::<String>(&argument).and_then(|name| {
            self.read(|loaded| {
                let accounts = || loaded.document.accounts.iter();
                let by_id = accounts().find(|account| account.id == name);
                let found = by_id.or_else(|| accounts().find(|account| account.email.as_ref() == Some(&name)));
                found.map(|account| {
                    json!({
                        "id": account.id, "upstream": account.upstream, "email": account.email,
                        "sealed": account.sealed, "concurrency": account.limits.concurrency,
                    })
                })
            })
        });
        text(&reply(found))
    }

    /// Applies a change, publishes it, and answers.
    pub async fn apply(&self, argument: String) -> String {
        let applied = parse::<Apply>(&argument).and_then(|request| self.change(request));
        if applied.is_ok() {
            self.publish().await;
        }
        text(&reply(applied))
    }

    /// Makes the document what it was in `version`, publishes it, and answers. `actor` is who, for the log.
    pub async fn restore(&self, argument: String) -> String {
        let applied = parse::<Value>(&argument).and_then(|request| {
            let actor = request.get("actor").and_then(Value::as_str).unwrap_or_default();
            self.put_back(number(&request, "version").unwrap_or_default(), actor)
        });
        if applied.is_ok() {
            self.publish().await;
        }
        text(&reply(applied))
    }

    /// The versions that are kept; or one `version` of them with what differs from the one it is compared `against`.
    pub fn backups(&self, argument: String) -> String {
        let query = parse::<Value>(&argument);
        text(&reply(query.and_then(|query| self.backup(number(&query, "version"), number(&query, "against")))))
    }

    /// The document, with its account secrets where the argument asks for them.
    pub fn export(&self, argument: String) -> String {
        let vault = source::vault(&self.env);
        let document = match argument == "true" {
            true => self.read(|loaded| loaded.document.exported(&*vault?)).and_then(|exported| exported),
            false => self.read(|loaded| loaded.document.masked()),
        };
        text(&reply(document))
    }

    /// What the sync with Vercel keeps: answers it with the present version, or keeps the argument where that is not null.
    pub fn vercel(&self, argument: String) -> String {
        text(&reply(parse::<Value>(&argument).and_then(|value| self.keep_vercel(&value))))
    }

    /// Counts a login, and says what becomes of it.
    pub async fn login_attempt(&self, argument: String) -> String {
        let now = worker::Date::now().as_millis();
        let verdict = parse::<LoginAttempt>(&argument).map(|attempt| self.logins.borrow_mut().judge(now, attempt));
        text(&reply(verdict))
    }

    /// Publishes again what could not be published.
    pub async fn alarm(&self) {
        plan::count_object_request();
        self.publish().await;
    }
}

impl RegistryObject {
    fn read<T>(&self, read: impl FnOnce(&Loaded) -> T) -> std::result::Result<T, ChatError> {
        let mut loaded = self.loaded.borrow_mut();
        if loaded.is_none() {
            *loaded = Some(self.load()?);
        }
        loaded.as_ref().map(read).ok_or_else(|| fault("nothing loaded"))
    }

    /// The stored document; on the first start the one in `CONFIG_JSON`.
    fn load(&self) -> std::result::Result<Loaded, ChatError> {
        let sql = self.state.storage().sql();
        if let Some((document, version)) = store::load(&sql).map_err(fault)? {
            return Ok(Loaded { document, version });
        }
        let text = source::variable(&self.env, "CONFIG_JSON");
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(Loaded { document: Document::default(), version: 0 });
        };
        let not_configured = |error: String| {
            console_error!("CONFIG_JSON cannot be used: {error}");
            ChatError::new(ErrorKind::NotConfigured, format!("CONFIG_JSON cannot be used: {error}"))
        };
        let value = json::parse(&text).map_err(|error| not_configured(error.to_string()))?;
        let vault = source::vault(&self.env)?;
        let empty = Document::default();
        let reader = Reader { vault: &vault, stored: &empty, is_timezone: &is_timezone };
        let document = reader.read(value).map_err(|error| not_configured(error.message))?;
        let made = Made { at_ms: worker::Date::now().as_millis(), actor: "CONFIG_JSON", change: "replace" };
        store::save(&sql, &empty, &document, 1, &made).map_err(fault)?;
        console_log!("configuration version 1 taken from CONFIG_JSON");
        Ok(Loaded { document, version: 1 })
    }

    fn change(&self, request: Apply) -> std::result::Result<Applied, ChatError> {
        let (stored, version) = self.read(|loaded| (loaded.document.clone(), loaded.version))?;
        let vault = source::vault(&self.env)?;
        let mut what = describe(&request.change);
        let reader = Reader { vault: &vault, stored: &stored, is_timezone: &is_timezone };
        let (document, item) = edit::apply(&reader, request.change)?;
        if let Some(format) = item.get("format").and_then(Value::as_str) {
            what = format!("{what} {format}");
        }
        self.commit(&stored, document, version, &request.actor, &what).map(|version| Applied { version, item })
    }

    fn put_back(&self, earlier: u64, actor: &str) -> std::result::Result<Value, ChatError> {
        let (stored, version) = self.read(|loaded| (loaded.document.clone(), loaded.version))?;
        let sql = self.state.storage().sql();
        let wanted = self.version(earlier)?;
        let vault = source::vault(&self.env)?;
        // Read again: what was valid then may not be so now.
        let reader = Reader { vault: &vault, stored: &wanted, is_timezone: &is_timezone };
        let document = reader.read(wanted.masked())?;
        let version = self.commit(&stored, document, version, actor, &format!("restore {earlier}"))?;
        backups_store::put_back(&sql, earlier).map_err(fault)?;
        Ok(json!({"version": version}))
    }

    /// Stores a document, and answers its version: a new one where something changed.
    fn commit(
        &self,
        stored: &Document,
        document: Document,
        version: u64,
        actor: &str,
        what: &str,
    ) -> std::result::Result<u64, ChatError> {
        if *stored == document {
            return Ok(version);
        }
        let version = version.saturating_add(1);
        let made = Made { at_ms: worker::Date::now().as_millis(), actor, change: what };
        store::save(&self.state.storage().sql(), stored, &document, version, &made).map_err(fault)?;
        *self.loaded.borrow_mut() = Some(Loaded { document, version });
        console_log!("{}", json!({"event": "config", "actor": actor, "change": what, "version": version}));
        Ok(version)
    }

    /// The document as it was in a version that is kept.
    fn version(&self, version: u64) -> std::result::Result<Document, ChatError> {
        let sql = self.state.storage().sql();
        let kept = backups_store::list(&sql).map_err(fault)?;
        if !kept.iter().any(|made| made.get("version").and_then(Value::as_u64) == Some(version)) {
            return Err(ChatError::new(
                ErrorKind::NotFound,
                format!("There is no version {version} among the backups."),
            ));
        }
        store::load_at(&sql, version).map_err(fault)
    }

    fn backup(&self, version: Option<u64>, against: Option<u64>) -> std::result::Result<Value, ChatError> {
        let current = self.read(|loaded| loaded.version)?;
        let Some(version) = version else {
            let backups = backups_store::list(&self.state.storage().sql()).map_err(fault)?;
            return Ok(json!({"version": current, "backups": backups}));
        };
        let against = against.unwrap_or(current);
        let (wanted, other) = (self.version(version)?, self.version(against)?);
        Ok(json!({
            "version": version, "against": against, "document": wanted.masked(),
            "changes": backups::differences(&other, &wanted),
        }))
    }

    fn keep_vercel(&self, value: &Value) -> std::result::Result<Value, ChatError> {
        let (sql, vault) = (self.state.storage().sql(), source::vault(&self.env)?);
        if !value.is_null() {
            let sealed = vault.seal_text(VERCEL, &value.to_string())?;
            store::keep(&sql, VERCEL, &sealed).map_err(fault)?;
            return Ok(Value::Null);
        }
        let sealed = store::kept(&sql, VERCEL).map_err(fault)?;
        let opened = sealed.and_then(|sealed| vault.open_text(VERCEL, &sealed));
        let mut kept = opened.and_then(|text| json::parse(text).ok()).unwrap_or_else(|| json!({}));
        if let Some(fields) = kept.as_object_mut() {
            fields.insert("current".to_owned(), self.read(|loaded| loaded.version)?.into());
        }
        Ok(kept)
    }

    /// Brings the newest version to the ledger and to KV. Who waits for the lock finds its version published.
    async fn publish(&self) {
        let Ok(wanted) = self.read(|loaded| loaded.version) else { return };
        let mut published = self.published.lock().await;
        if *published >= wanted {
            return;
        }
        let views = self.read(|loaded| {
            let Loaded { document, version } = loaded;
            // Those that a smaller split leaves over learn that they own nothing.
            let shards = 0..document.settings.ledger_shards.max(self.widest.get());
            let views: Vec<LedgerView> = shards.map(|shard| for_ledger(document, *version, shard)).collect();
            (Hot::of(document, *version), views)
        });
        let Ok((hot, views)) = views else { return };
        self.widest.set(u32::try_from(views.len()).unwrap_or(u32::MAX));
        let env = &self.env;
        let tell = async |(shard, view): (u32, &LedgerView)| {
            let name = shard::object_name(shard);
            // A ledger that misses this sees the newer version with the next call and asks for it.
            if let Err(error) = rpc::call::<_, Value>(env, "LEDGER", &name, "configure", view, LEDGER_DEADLINE).await {
                console_error!("the ledger {name} was not told of version {}: {error}", view.version);
            }
        };
        join_all((0..).zip(&views).map(tell)).await;
        match source::publish(&self.env, &hot, &views).await {
            Ok(()) => *published = hot.version,
            Err(error) => {
                console_error!("version {} is not in KV yet: {error}", hot.version);
                if let Err(error) = storage::set_alarm(&self.state.storage(), RETRY).await {
                    console_error!("and no alarm could be set: {error}");
                }
            }
        }
    }
}

fn describe(change: &Change) -> String {
    match change {
        Change::Merge { document } => {
            let fields = document.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(","));
            format!("merge {}", fields.unwrap_or_default())
        }
        Change::Replace { .. } => "replace".to_owned(),
        Change::Add { list, .. } => format!("add to {}", list.field()),
        Change::AddAll { list, items } => format!("add {} to {}", items.len(), list.field()),
        Change::Settings { fields } => {
            let fields = fields.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(","));
            format!("change settings {}", fields.unwrap_or_default())
        }
        Change::Patch { list, id, .. } => format!("change {} {id}", list.field()),
        Change::Delete { list, id } => format!("delete {} {id}", list.field()),
        Change::Batch { .. } | Change::Import { .. } => "import".to_owned(),
    }
}

/// The platform's `Intl` knows the zones.
fn is_timezone(name: &str) -> bool {
    let options = js_sys::Object::new();
    let set = js_sys::Reflect::set(&options, &"timeZone".into(), &name.into());
    let format = js_sys::Reflect::get(&js_sys::global(), &"Intl".into())
        .and_then(|intl| js_sys::Reflect::get(&intl, &"DateTimeFormat".into()))
        .map(wasm_bindgen::JsCast::unchecked_into::<js_sys::Function>);
    let arguments = js_sys::Array::of2(&"en".into(), &options);
    set.is_ok() && format.is_ok_and(|format| js_sys::Reflect::construct(&format, &arguments).is_ok())
}

fn number(request: &Value, name: &str) -> Option<u64> {
    request.get(name).and_then(Value::as_u64)
}

fn parse<T: DeserializeOwned>(argument: &str) -> std::result::Result<T, ChatError> {
    json::read(argument).map_err(fault)
}

fn reply<T>(result: std::result::Result<T, ChatError>) -> Reply<T> {
    match result {
        Ok(value) => Reply::Ok(value),
        Err(error) => Reply::Err(error),
    }
}

fn text(value: &impl Serialize) -> String {
    plan::carried(serde_json::to_string(value).unwrap_or_default())
}

fn fault(cause: impl std::fmt::Display) -> ChatError {
    console_error!("registry: {cause}");
    ChatError::new(ErrorKind::Internal, "The configuration could not be read or stored. Please try again.")
}
