//! The Durable Object `Memory`, one per client key.
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;
use worker::{Date, DurableObject, Env, Request, Response, Result, State, console_error, durable_object};

use super::store::{self, Row};
use super::{Keep, Recall, Recalled};
use crate::config::source;
use crate::json;
use crate::stats::plan;
use crate::storage;

/// The longest chain that is followed.
const CHAIN_MAX: usize = 1_000;

/// The Rust side of the `Memory` class.
#[durable_object(fetch)]
pub struct MemoryObject {
    state: State,
    env: Env,
}

impl DurableObject for MemoryObject {
    fn new(state: State, env: Env) -> Self {
        MemoryObject { state, env }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        Response::error("not for requests", 404)
    }
}

#[wasm_bindgen]
impl MemoryObject {
    /// Remembers.
    pub async fn keep(&self, argument: String) -> String {
        let kept = self.read(&argument).and_then(|keep| self.remember(keep));
        if matches!(kept, Ok(true)) {
            self.wake_when_due().await;
        }
        answer(kept)
    }

    /// Gives what is remembered.
    pub async fn recall(&self, argument: String) -> String {
        answer(self.read(&argument).and_then(|recall: Recall| self.find(&recall)))
    }

    /// Forgets these things.
    pub async fn forget(&self, argument: String) -> String {
        answer(self.read(&argument).and_then(|ids: Vec<String>| self.drop_all(&ids)))
    }

    /// Forgets what is over; with the last of it the object leaves no trace.
    pub async fn alarm(&self) {
        plan::count_object_request();
        let storage = self.state.storage();
        let sql = storage.sql();
        let left = store::tidy(&sql, Date::now().as_millis(), None).and_then(|()| store::next_end(&sql));
        let cleared = match left {
            Ok(Some(_)) => return self.wake_when_due().await,
            Ok(None) => storage.delete_all().await,
            Err(error) => Err(error),
        };
        if let Err(error) = cleared {
            console_error!("memory: {error}");
        }
    }
}

impl MemoryObject {
    fn read<T: DeserializeOwned>(&self, argument: &str) -> Result<T> {
        Ok(json::read(argument)?)
    }

    /// Whether anything is remembered now that was not before.
    fn remember(&self, keep: Keep) -> Result<bool> {
        let (sql, now) = (self.state.storage().sql(), Date::now().as_millis());
        let vault = source::vault(&self.env).map_err(|error| worker::Error::from(error.message))?;
        store::create(&sql)?;
        let mut kept = false;
        for entry in keep.entries {
            let sealed = vault.seal_text(&entry.id, &entry.text).map_err(|error| worker::Error::from(error.message))?;
            if store::fits(&sealed) {
                let row = Row { id: entry.id, previous: entry.previous, sealed };
                store::save(&sql, row, now, now.saturating_add(entry.ttl_s.saturating_mul(1000)))?;
                kept = true;
            }
        }
        store::tidy(&sql, now, Some(keep.max_bytes))?;
        Ok(kept)
    }

    fn find(&self, recall: &Recall) -> Result<Recalled> {
        let mut recalled = Recalled::default();
        if !store::exists(&self.state.storage().sql())? {
            return Ok(recalled);
        }
        for id in &recall.ids {
            if let Some((_, text)) = self.open(id)? {
                recalled.found.insert(id.clone(), text);
            }
        }
        if let Some(last) = &recall.chain {
            recalled.chain = self.chain(last)?;
        }
        Ok(recalled)
    }

    /// Whether any of them was there.
    fn drop_all(&self, ids: &[String]) -> Result<bool> {
        let sql = self.state.storage().sql();
        if !store::exists(&sql)? {
            return Ok(false);
        }
        ids.iter().try_fold(false, |dropped, id| Ok(store::delete(&sql, id)? || dropped))
    }

    /// The chain that ends with `last`, if all of it is there.
    fn chain(&self, last: &str) -> Result<Option<Vec<String>>> {
        let (mut texts, mut next) = (Vec::new(), Some(last.to_owned()));
        while let Some(id) = next {
            let found = self.open(&id)?.filter(|_| texts.len() < CHAIN_MAX);
            let Some((previous, text)) = found else { return Ok(None) };
            texts.push(text);
            next = previous;
        }
        texts.reverse();
        Ok(Some(texts))
    }

    /// What came before the thing of this id, and its text.
    fn open(&self, id: &str) -> Result<Option<(Option<String>, String)>> {
        let row = store::load(&self.state.storage().sql(), id, Date::now().as_millis())?;
        let vault = source::vault(&self.env).map_err(|error| worker::Error::from(error.message))?;
        Ok(row.and_then(|row| Some((row.previous, vault.open_text(id, &row.sealed)?))))
    }

    /// Setting an alarm costs a write: one that is set already is left, since what is over is not given anyway.
    async fn wake_when_due(&self) {
        let storage = self.state.storage();
        if !matches!(storage.get_alarm().await, Ok(None)) {
            return;
        }
        let Ok(Some(end_ms)) = store::next_end(&storage.sql()) else { return };
        let wait = Duration::from_millis(end_ms.saturating_sub(Date::now().as_millis()));
        if let Err(error) = storage::set_alarm(&storage, wait).await {
            console_error!("memory: {error}");
        }
    }
}

/// A fault is no JSON: the caller logs it.
fn answer<T: Serialize>(answer: Result<T>) -> String {
    let text = answer.and_then(|answer| Ok(plan::carried(serde_json::to_string(&answer)?)));
    text.unwrap_or_else(|error| {
        console_error!("memory: {error}");
        String::new()
    })
}
