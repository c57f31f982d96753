//! The Durable Object `Ledger`: the state machine with its clock, its storage, and the callers who wait.
//!
//! Every method changes the ledger and stores what changed in one turn without an `await`, so each is atomic. Waiters are
//! parked in memory only: when the object dies, so do their calls, and their Workers ask again.
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::lock::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;
use worker::{Date, Delay, DurableObject, Env, Request, Response, Result, State, console_error, durable_object};

use super::clock::{Calendar, Day, Millis};
use super::protocol::{AdmitReply, AdmitRequest, Grant, Refusal, SettleRequest};
use super::settings::LedgerView;
use super::state::{Admission, Ledger, Woken};
use super::store;
use crate::chat::{ChatError, Outcome};
use crate::config::source;

/// How long a waiter sleeps at most before it looks whether something is due.
const NAP_MS: Millis = 1_000;
/// An alarm that comes this much too late is not moved: moving it costs a write.
const ALARM_SLACK_MS: Millis = 5_000;

#[wasm_bindgen(module = "/src/ledger/calendar.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn day(zone: &str, time: f64) -> std::result::Result<Vec<f64>, JsValue>;
}

/// The platform's time zones.
struct Zones;

impl Calendar for Zones {
    fn day(&self, zone: &str, now: Millis) -> Day {
        // Milliseconds fit a float exactly for 285,000 years.
        match day(zone, now as f64).as_deref() {
            Ok(&[start, end]) => Day { start: start as Millis, end: (end as Millis).max(now.saturating_add(1)) },
            _ => Day::utc(now),
        }
    }
}

type Verdict = std::result::Result<Grant, Refusal>;

struct Core {
    ledger: Ledger<Zones>,
    /// The configuration's version; `None` before the first.
    version: Option<u64>,
    parked: HashMap<String, oneshot::Sender<Verdict>>,
    alarm: Option<Millis>,
}

/// The Rust side of the `Ledger` class.
#[durable_object(fetch)]
pub struct LedgerObject {
    state: Rc<State>,
    env: Env,
    core: Rc<RefCell<Core>>,
    loading: Rc<Mutex<()>>,
}

impl DurableObject for LedgerObject {
    fn new(state: State, env: Env) -> Self {
        if let Err(error) = store::create(&state.storage().sql()) {
            console_error!("the ledger's tables could not be made: {error}");
        }
        let now = Date::now().as_millis();
        let core = Core { ledger: Ledger::new(Zones, now), version: None, parked: HashMap::new(), alarm: None };
        LedgerObject { state: Rc::new(state), env, core: Rc::new(RefCell::new(core)), loading: Rc::default() }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        Response::error("not for requests", 404)
    }
}

#[wasm_bindgen]
impl LedgerObject {
    /// Asks for an account; waits in the queue where that can be short enough.
    pub async fn admit(&self, argument: String) -> String {
        answer("admit", self.admit_parsed(&argument).await)
    }

    /// Ends a lease.
    pub async fn settle(&self, argument: String) -> String {
        let settled = async {
            let request: SettleRequest = parse(&argument)?;
            self.load(0).await?;
            Ok(self.run(|ledger, now| ledger.settle(now, &request.lease, &request.outcome)).await)
        };
        answer("settle", settled.await)
    }

    /// Confirms or extends a lease.
    pub async fn renew(&self, argument: String) -> String {
        let renewed = async {
            let lease: String = parse(&argument)?;
            self.load(0).await?;
            Ok(self.run(|ledger, now| ledger.renew(now, &lease)).await)
        };
        answer("renew", renewed.await)
    }

    /// Gives up a place in the queue.
    pub async fn cancel(&self, argument: String) -> String {
        let cancelled = async {
            let ticket: String = parse(&argument)?;
            self.core.borrow_mut().parked.remove(&ticket);
            Ok::<_, ChatError>(self.run(|ledger, now| ledger.cancel(now, &ticket)).await)
        };
        answer("cancel", cancelled.await)
    }

    /// What every account is doing.
    pub async fn status(&self, _argument: String) -> String {
        let status = async {
            self.load(0).await?;
            Ok::<_, ChatError>(self.run(|ledger, now| ledger.status(now)).await)
        };
        answer("status", status.await)
    }

    /// Who would serve a request, and why others would not.
    pub async fn explain(&self, argument: String) -> String {
        let explained = async {
            let request: AdmitRequest = parse(&argument)?;
            self.load(request.version).await?;
            Ok(self.run(|ledger, now| ledger.explain(now, &request)).await)
        };
        answer("explain", explained.await)
    }

    /// Goes by a new configuration.
    pub async fn configure(&self, argument: String) -> String {
        let configured = async {
            let view: LedgerView = parse(&argument)?;
            let _guard = self.loading.lock().await;
            self.configure_with(view).await
        };
        answer("configure", configured.await)
    }

    /// Does what is due.
    pub async fn alarm(&self) {
        self.core.borrow_mut().alarm = None;
        if let Err(error) = self.load(0).await {
            console_error!("the ledger could not be loaded: {error}");
        }
        self.run(|_, _| ()).await;
    }
}

impl LedgerObject {
    async fn admit_parsed(&self, argument: &str) -> std::result::Result<AdmitReply, ChatError> {
        let request: AdmitRequest = parse(argument)?;
        let version = self.load(request.version).await?;
        if request.version < version {
            return Ok(AdmitReply::Stale { version });
        }
        // Parked before it asks, so that no turn can come too early.
        let (sender, verdict) = oneshot::channel();
        self.core.borrow_mut().parked.insert(request.ticket.clone(), sender);
        let reply = match self.run(|ledger, now| ledger.admit(now, &request)).await {
            Admission::Granted(grant) => AdmitReply::Granted(grant),
            Admission::Refused(refusal) => AdmitReply::Refused(refusal),
            Admission::Waiting => return self.wait(verdict).await,
        };
        self.core.borrow_mut().parked.remove(&request.ticket);
        Ok(reply)
    }

    /// Parks a caller until its time comes. The waiters themselves keep the clock: without any, no timer runs.
    async fn wait(&self, mut verdict: oneshot::Receiver<Verdict>) -> std::result::Result<AdmitReply, ChatError> {
        loop {
            let next = self.core.borrow().ledger.next_alarm();
            let now = Date::now().as_millis();
            let nap = next.map_or(NAP_MS, |at| at.saturating_sub(now)).clamp(1, NAP_MS);
            match select(verdict, Delay::from(Duration::from_millis(nap))).await {
                Either::Left((Ok(Ok(grant)), _)) => return Ok(AdmitReply::Granted(grant)),
                Either::Left((Ok(Err(refusal)), _)) => return Ok(AdmitReply::Refused(refusal)),
                Either::Left((Err(oneshot::Canceled), _)) => return Err(fault("the wait was cancelled")),
                Either::Right((_, still)) => verdict = still,
            }
            self.run(|_, _| ()).await;
        }
    }

    /// Makes sure that the ledger goes by `version` or a newer one; answers which.
    async fn load(&self, version: u64) -> std::result::Result<u64, ChatError> {
        let fresh = |core: &Core| core.version.filter(|known| *known >= version);
        if let Some(known) = fresh(&self.core.borrow()) {
            return Ok(known);
        }
        let _guard = self.loading.lock().await;
        if let Some(known) = fresh(&self.core.borrow()) {
            return Ok(known);
        }
        let view: LedgerView = source::registry(&self.env, "ledger_view", &()).await?;
        self.configure_with(view).await
    }

    /// To be called under the loading lock.
    async fn configure_with(&self, view: LedgerView) -> std::result::Result<u64, ChatError> {
        let known = self.core.borrow().version;
        if let Some(known) = known.filter(|known| *known >= view.version) {
            return Ok(known);
        }
        let stored = match known {
            None => Some(store::load(&self.state.storage().sql()).map_err(fault)?),
            Some(_) => None,
        };
        let version = view.version;
        self.core.borrow_mut().version = Some(version);
        self.run(|ledger, now| {
            ledger.configure(now, view);
            if let Some(stored) = stored {
                ledger.restore(now, &stored);
            }
        })
        .await;
        Ok(version)
    }

    /// Does something to the ledger, then all that follows from it: grants, storage, the alarm.
    async fn run<T>(&self, change: impl FnOnce(&mut Ledger<Zones>, Millis) -> T) -> T {
        let now = Date::now().as_millis();
        let (result, next) = {
            let core = &mut *self.core.borrow_mut();
            let result = change(&mut core.ledger, now);
            core.deliver(now);
            let records = core.ledger.take_records();
            if let Err(error) = store::save(&self.state.storage().sql(), &records) {
                console_error!("the ledger could not store a change: {error}");
            }
            (result, core.alarm_to_set())
        };
        if let Some(at) = next {
            let in_ms = at.saturating_sub(now).max(1);
            if let Err(error) = self.state.storage().set_alarm(Duration::from_millis(in_ms)).await {
                console_error!("the ledger's alarm could not be set: {error}");
            }
        }
        result
    }
}

impl Core {
    /// Tells the waiters whose time has come. A grant that nobody takes passes on.
    fn deliver(&mut self, now: Millis) {
        loop {
            let mut refused = false;
            for Woken { ticket, result } in self.ledger.wake(now) {
                let Some(sender) = self.parked.remove(&ticket) else {
                    if let Ok(grant) = result {
                        self.ledger.settle(now, &grant.lease, &Outcome::Unused);
                        refused = true;
                    }
                    continue;
                };
                if let Err(Ok(grant)) = sender.send(result) {
                    self.ledger.settle(now, &grant.lease, &Outcome::Unused);
                    refused = true;
                }
            }
            if !refused {
                return;
            }
        }
    }

    fn alarm_to_set(&mut self) -> Option<Millis> {
        let next = self.ledger.next_alarm()?;
        if self.alarm.is_some_and(|set| set <= next.saturating_add(ALARM_SLACK_MS)) {
            return None;
        }
        self.alarm = Some(next);
        Some(next)
    }
}

fn parse<T: DeserializeOwned>(argument: &str) -> std::result::Result<T, ChatError> {
    serde_json::from_str(argument).map_err(fault)
}

/// A text that the caller cannot read tells it that the call failed; the cause is in the log.
fn answer<T: Serialize>(method: &str, result: std::result::Result<T, ChatError>) -> String {
    match result {
        Ok(value) => serde_json::to_string(&value).unwrap_or_default(),
        Err(error) => {
            console_error!("ledger {method}: {error}");
            String::new()
        }
    }
}

fn fault(cause: impl std::fmt::Display) -> ChatError {
    ChatError::new(crate::chat::ErrorKind::Internal, cause.to_string())
}
