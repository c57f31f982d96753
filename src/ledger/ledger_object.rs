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
use wasm_bindgen_futures::future_to_promise;
use worker::{Date, Delay, DurableObject, Env, Request, Response, Result, State, console_error, durable_object};

use super::candidates::Candidates;
use super::clock::{Calendar, Day, Millis};
use super::protocol::{AdmitReply, AdmitRequest, Grant, Refusal, SettleRequest};
use super::settings::LedgerView;
use super::state::{Admission, Ledger, Woken};
use super::{shard, store};
use crate::chat::{ChatError, Outcome};
use crate::config::source;
use crate::json;
use crate::stats::plan;
use crate::storage;

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

/// The day of `now` in the IANA time zone `zone`, as the platform knows it.
pub fn day_of(zone: &str, now: Millis) -> Day {
    Zones.day(zone, now)
}

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
    shell: Rc<Shell>,
}

struct Shell {
    state: State,
    env: Env,
    core: RefCell<Core>,
    loading: Mutex<()>,
}

impl DurableObject for LedgerObject {
    fn new(state: State, env: Env) -> Self {
        if let Err(error) = store::create(&state.storage().sql()) {
            console_error!("the ledger's tables could not be made: {error}");
        }
        let now = Date::now().as_millis();
        let core = Core { ledger: Ledger::new(Zones, now), version: None, parked: HashMap::new(), alarm: None };
        LedgerObject { shell: Rc::new(Shell { state, env, core: RefCell::new(core), loading: Mutex::new(()) }) }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        Response::error("not for requests", 404)
    }
}

/// Each method answers a text, or a promise of one where it must wait: a promise costs more than an admission.
#[wasm_bindgen]
impl LedgerObject {
    /// Ends leases, then asks for an account; waits in the queue where that can be short enough.
    pub fn admit(&self, argument: String) -> JsValue {
        let (request, ended): (AdmitRequest, Vec<SettleRequest>) = match parse(&argument) {
            Ok(asked) => asked,
            Err(error) => return answer::<()>("admit", Err(error)).into(),
        };
        let begun = self.shell.known(request.version).map(|version| self.shell.admit(version, &request, &ended));
        let begun = match begun {
            Some(Begun::Answered(reply)) => return answer("admit", Ok(reply)).into(),
            begun => begun,
        };
        self.later("admit", async move |shell: &Shell| {
            let begun = match begun {
                Some(begun) => begun,
                None => {
                    let version = shell.load(request.version).await?;
                    shell.admit(version, &request, &ended)
                }
            };
            match begun {
                Begun::Answered(reply) => Ok(reply),
                Begun::Waiting(verdict, candidates) => shell.wait(verdict, candidates).await,
            }
        })
    }

    /// Ends leases.
    pub fn settle(&self, argument: String) -> JsValue {
        self.change("settle", &argument, |ledger, now, ended: Vec<SettleRequest>| settle(ledger, now, &ended))
    }

    /// Confirms or extends a lease.
    pub fn renew(&self, argument: String) -> JsValue {
        self.change("renew", &argument, |ledger, now, lease: String| ledger.renew(now, &lease))
    }

    /// Gives up a place in the queue.
    pub fn cancel(&self, argument: String) -> JsValue {
        if let Ok(ticket) = parse::<String>(&argument) {
            self.shell.core.borrow_mut().parked.remove(&ticket);
        }
        self.change("cancel", &argument, |ledger, now, ticket: String| ledger.cancel(now, &ticket))
    }

    /// Counts an account's uses from 0 again, and takes it for well.
    pub fn reset(&self, argument: String) -> JsValue {
        self.change("reset", &argument, |ledger, now, account: String| ledger.reset(now, &account))
    }

    /// Learns from an operator's test of an account.
    pub fn tested(&self, argument: String) -> JsValue {
        self.change("tested", &argument, |ledger, now, (account, outcome): (String, Outcome)| {
            ledger.tested(now, &account, &outcome)
        })
    }

    /// What every account is doing.
    pub fn status(&self, argument: String) -> JsValue {
        self.change("status", &argument, |ledger, now, (): ()| ledger.status(now))
    }

    /// What one key is doing, or null.
    pub fn key_status(&self, argument: String) -> JsValue {
        self.change("key_status", &argument, |ledger, now, id: String| ledger.key_status(now, &id))
    }

    /// Who would serve a request, and why others would not.
    pub fn explain(&self, argument: String) -> JsValue {
        self.later("explain", async move |shell: &Shell| {
            let request: AdmitRequest = parse(&argument)?;
            shell.load(request.version).await?;
            Ok(shell.run(|ledger, now| ledger.explain(now, &request)))
        })
    }

    /// Goes by a new configuration.
    pub fn configure(&self, argument: String) -> JsValue {
        self.later("configure", async move |shell: &Shell| {
            let view: LedgerView = parse(&argument)?;
            let _guard = shell.loading.lock().await;
            shell.configure(view)
        })
    }

    /// Does what is due.
    pub async fn alarm(&self) {
        plan::count_object_request();
        self.shell.core.borrow_mut().alarm = None;
        if let Err(error) = self.shell.load(0).await {
            console_error!("the ledger could not be loaded: {error}");
        }
        self.shell.run(|_, _| ());
    }
}

impl LedgerObject {
    /// Does something to the ledger, once its configuration is known.
    fn change<A: DeserializeOwned + 'static, R: Serialize>(
        &self,
        method: &'static str,
        argument: &str,
        change: impl FnOnce(&mut Ledger<Zones>, Millis, A) -> R + 'static,
    ) -> JsValue {
        let argument = match parse(argument) {
            Ok(argument) => argument,
            Err(error) => return answer::<()>(method, Err(error)).into(),
        };
        let change = move |ledger: &mut Ledger<Zones>, now: Millis| change(ledger, now, argument);
        if self.shell.known(0).is_some() {
            return answer(method, Ok(self.shell.run(change))).into();
        }
        self.later(method, async move |shell: &Shell| {
            shell.load(0).await?;
            Ok(shell.run(change))
        })
    }

    fn later<R: Serialize>(
        &self,
        method: &'static str,
        act: impl AsyncFnOnce(&Shell) -> std::result::Result<R, ChatError> + 'static,
    ) -> JsValue {
        let shell = self.shell.clone();
        future_to_promise(async move { Ok(answer(method, act(&shell).await).into()) }).into()
    }
}

/// How an admission begins.
enum Begun {
    Answered(AdmitReply),
    Waiting(oneshot::Receiver<Verdict>, Candidates),
}

impl Shell {
    fn admit(&self, version: u64, request: &AdmitRequest, ended: &[SettleRequest]) -> Begun {
        if request.version < version {
            self.run(|ledger, now| settle(ledger, now, ended));
            return Begun::Answered(AdmitReply::Stale { version });
        }
        // Parked before it asks, so that no turn can come too early.
        let (sender, verdict) = oneshot::channel();
        self.core.borrow_mut().parked.insert(request.ticket.clone(), sender);
        let admitted = self.run(|ledger, now| {
            settle(ledger, now, ended);
            (ledger.candidates(now, request), ledger.admit(now, request))
        });
        let reply = match admitted {
            (candidates, Admission::Granted(grant)) => AdmitReply::Granted(grant, candidates),
            (candidates, Admission::Refused(refusal)) => AdmitReply::Refused(refusal, candidates),
            (candidates, Admission::Waiting) => return Begun::Waiting(verdict, candidates),
        };
        self.core.borrow_mut().parked.remove(&request.ticket);
        Begun::Answered(reply)
    }

    /// Which part of the ledger this object is. Not every event tells an object its own name, so it is stored.
    fn shard(&self) -> u32 {
        let sql = self.state.storage().sql();
        match self.state.id().name() {
            Some(name) => {
                let shard = shard::of_object(&name);
                if shard != 0
                    && let Err(error) = store::save_shard(&sql, shard)
                {
                    console_error!("the ledger could not store which shard it is: {error}");
                }
                shard
            }
            None => store::load_shard(&sql).unwrap_or(0),
        }
    }

    /// The configuration's version, if it is `version` or newer.
    fn known(&self, version: u64) -> Option<u64> {
        self.core.borrow().version.filter(|known| *known >= version)
    }

    /// Parks a caller until its time comes. The waiters themselves keep the clock: without any, no timer runs.
    async fn wait(
        &self,
        mut verdict: oneshot::Receiver<Verdict>,
        candidates: Candidates,
    ) -> std::result::Result<AdmitReply, ChatError> {
        loop {
            let next = self.core.borrow().ledger.next_alarm();
            let now = Date::now().as_millis();
            let nap = next.map_or(NAP_MS, |at| at.saturating_sub(now)).clamp(1, NAP_MS);
            match select(verdict, Delay::from(Duration::from_millis(nap))).await {
                Either::Left((Ok(Ok(grant)), _)) => return Ok(AdmitReply::Granted(grant, candidates)),
                Either::Left((Ok(Err(refusal)), _)) => return Ok(AdmitReply::Refused(refusal, candidates)),
                Either::Left((Err(oneshot::Canceled), _)) => return Err(fault("the wait was cancelled")),
                Either::Right((_, still)) => verdict = still,
            }
            self.run(|_, _| ());
        }
    }

    /// Makes sure that the ledger goes by `version` or a newer one; answers which.
    async fn load(&self, version: u64) -> std::result::Result<u64, ChatError> {
        if let Some(known) = self.known(version) {
            return Ok(known);
        }
        let _guard = self.loading.lock().await;
        if let Some(known) = self.known(version) {
            return Ok(known);
        }
        let view: LedgerView = source::registry(&self.env, "ledger_view", &self.shard()).await?;
        self.configure(view)
    }

    /// To be called under the loading lock.
    fn configure(&self, view: LedgerView) -> std::result::Result<u64, ChatError> {
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
        });
        Ok(version)
    }

    /// Does something to the ledger, then all that follows from it: grants, storage, the alarm.
    fn run<T>(&self, change: impl FnOnce(&mut Ledger<Zones>, Millis) -> T) -> T {
        let now = Date::now().as_millis();
        let core = &mut *self.core.borrow_mut();
        let result = change(&mut core.ledger, now);
        core.deliver(now);
        let records = core.ledger.take_records();
        let storage = self.state.storage();
        if let Err(error) = store::save(&storage.sql(), &records) {
            console_error!("the ledger could not store a change: {error}");
        }
        if let Some(at) = core.alarm_to_set() {
            let delay = Duration::from_millis(at.saturating_sub(now).max(1));
            // Part of this turn's writes: nobody need wait for it.
            wasm_bindgen_futures::spawn_local(async move {
                if let Err(error) = storage::set_alarm(&storage, delay).await {
                    console_error!("the ledger's alarm could not be set: {error}");
                }
            });
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

fn settle(ledger: &mut Ledger<Zones>, now: Millis, ended: &[SettleRequest]) {
    for SettleRequest { lease, outcome } in ended {
        ledger.settle(now, lease, outcome);
    }
}

fn parse<T: DeserializeOwned>(argument: &str) -> std::result::Result<T, ChatError> {
    json::read(argument).map_err(fault)
}

/// A text that the caller cannot read tells it that the call failed; the cause is in the log.
fn answer<T: Serialize>(method: &str, result: std::result::Result<T, ChatError>) -> String {
    match result {
        Ok(value) => plan::carried(serde_json::to_string(&value).unwrap_or_default()),
        Err(error) => {
            console_error!("ledger {method}: {error}");
            String::new()
        }
    }
}

fn fault(cause: impl std::fmt::Display) -> ChatError {
    ChatError::new(crate::chat::ErrorKind::Internal, cause.to_string())
}
