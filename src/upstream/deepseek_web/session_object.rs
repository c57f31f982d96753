//! The Durable Object `Session`, one per account: what must happen once at a time (logging in), and what had better
//! happen before it is needed (opening the next conversation and working for it).
//!
//! While an account is in use, one conversation stands ready; when it was not used in time it is given up, and the object
//! rests. Conversations that are done with are deleted one by one, at a gentle pace.
use std::rc::Rc;
use std::time::Duration;

use futures::lock::Mutex;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use worker::{Date, DurableObject, Env, Request, Response, Result, State, console_error, console_log, durable_object};

use super::client::{Client, Conversation};
use super::session::{Credential, Finish, Prepare, Prepared};
use super::wire::Trouble;
use crate::chat::{ChatError, ErrorKind};
use crate::config::{Secrets, source};
use crate::json;
use crate::stats::plan;
use crate::storage;
use crate::upstream::failure::Failure;

/// Between two deletions: faster ones are answered with 429 (protocols: §4).
const DELETE_EVERY_MS: u64 = 3_000;
/// Work that ends sooner than this is not handed out.
const WORK_MARGIN_MS: u64 = 20_000;
/// Conversations that wait for their deletion; older ones are left where they are.
const TRASH_MAX: usize = 200;
/// Where the state is stored.
const STORED: &str = "session";

/// The Rust side of the `Session` class.
#[durable_object(fetch)]
pub struct SessionObject {
    shell: Rc<Shell>,
}

struct Shell {
    state: State,
    env: Env,
    session: Mutex<Option<Session>>,
}

/// What survives the object's rest. The token is sealed.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    /// The last call's settings.
    prepare: Option<Prepare>,
    sealed_token: Option<String>,
    /// The conversation that stood ready.
    ready: Option<String>,
    trash: Vec<String>,
}

#[derive(Default)]
struct Session {
    prepare: Option<Prepare>,
    token: Option<String>,
    ready: Option<Ready>,
    trash: Vec<String>,
    /// When the alarm rings, in Unix milliseconds. One that is due soon is not put off, else a busy account never tidies up.
    alarm_ms: Option<u64>,
}

struct Ready {
    conversation: Conversation,
    until_ms: u64,
}

/// What an operator gave for an account.
enum Given {
    Token(String),
    Password(Secrets),
}

impl DurableObject for SessionObject {
    fn new(state: State, env: Env) -> Self {
        SessionObject { shell: Rc::new(Shell { state, env, session: Mutex::default() }) }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        Response::error("not for requests", 404)
    }
}

#[wasm_bindgen]
impl SessionObject {
    /// Gives a conversation, and begins to make the next one.
    pub async fn prepare(&self, argument: String) -> String {
        let request: Prepare = match json::read(&argument) {
            Ok(request) => request,
            Err(error) => return fault(&error),
        };
        let is_warm = request.settings.warm_s > 0;
        let prepared = self.shell.prepare(request).await;
        if is_warm && prepared.is_ok() {
            let shell = self.shell.clone();
            wasm_bindgen_futures::spawn_local(async move { shell.make_ready().await });
        }
        serde_json::to_string(&prepared).map_or_else(|error| fault(&error), plan::carried)
    }

    /// Works for one more call of a conversation that is in use.
    pub async fn work(&self, argument: String) -> String {
        let work = match json::read::<String>(&argument) {
            Ok(token) => self.shell.work(&token).await,
            Err(error) => return fault(&error),
        };
        serde_json::to_string(&work).map_or_else(|error| fault(&error), plan::carried)
    }

    /// Stops an answer that nobody reads, and has the conversation deleted.
    pub async fn finish(&self, argument: String) -> String {
        match json::read(&argument) {
            Ok(request) => self.shell.finish(request).await,
            Err(error) => return fault(&error),
        }
        plan::carried("true".to_owned())
    }

    /// Deletes one conversation, and gives one up that nobody used.
    pub async fn alarm(&self) {
        plan::count_object_request();
        self.shell.alarm().await;
    }
}

impl Shell {
    async fn prepare(&self, request: Prepare) -> std::result::Result<Prepared, Failure> {
        let mut lock = self.session.lock().await;
        let session = self.session_in(&mut lock).await;
        session.adopt(request);
        let now = Date::now().as_millis();
        let ready = session.ready.take().filter(|ready| ready.until_ms > now);
        let made = match (ready, &session.token) {
            (Some(ready), Some(token)) => Ok((token.clone(), ready.conversation)),
            _ => self.converse(session).await,
        };
        self.store(session).await;
        made.map(|(token, conversation)| Prepared { token, conversation: conversation.id, work: conversation.work })
            .map_err(|trouble| trouble.failure(Date::now().as_millis()))
    }

    /// A new conversation; logs in once where the token is none, or is refused.
    async fn converse(&self, session: &mut Session) -> std::result::Result<(String, Conversation), Trouble> {
        let Some(prepare) = session.prepare.clone() else { return Err(Trouble::Token) };
        let client = Client { base_url: &prepare.base_url, settings: &prepare.settings };
        let mut refused = prepare.rejected.clone();
        let mut logged_in = false;
        loop {
            let token = match session.token.clone() {
                Some(token) => token,
                None => match self.given(&prepare, refused.as_deref())? {
                    Given::Token(token) => token,
                    Given::Password(secrets) => {
                        logged_in = true;
                        login(&client, &secrets).await?
                    }
                },
            };
            session.token = Some(token.clone());
            match client.converse(&token).await {
                Err(Trouble::Token) => {
                    session.token = None;
                    if logged_in {
                        // Every other login would end like this one.
                        return Err(Trouble::Token);
                    }
                    refused = Some(token);
                }
                made => return made.map(|conversation| (token, conversation)),
            }
        }
    }

    /// The token that the operator gave, unless it was refused; else what to log in with.
    fn given(&self, prepare: &Prepare, refused: Option<&str>) -> std::result::Result<Given, Trouble> {
        let secrets = match &prepare.credential {
            Credential::Token(token) => Secrets([("token".to_owned(), token.clone())].into()),
            Credential::Sealed(sealed) => {
                let opened = source::vault(&self.env).and_then(|vault| vault.open(&prepare.account, sealed));
                opened.map_err(|error| Trouble::Other(error.message))?
            }
        };
        match secrets.get("token").filter(|token| Some(*token) != refused) {
            Some(token) => Ok(Given::Token(token.to_owned())),
            None => Ok(Given::Password(secrets)),
        }
    }

    /// Makes the next conversation before it is asked for.
    async fn make_ready(&self) {
        let mut lock = self.session.lock().await;
        let session = self.session_in(&mut lock).await;
        let Some(warm_s) = session.prepare.as_ref().map(|prepare| prepare.settings.warm_s) else { return };
        if session.ready.is_some() {
            return;
        }
        match self.converse(session).await {
            Ok((_, conversation)) => {
                let warm = Date::now().as_millis().saturating_add(warm_s.saturating_mul(1_000));
                let until_ms = conversation.expires_ms.saturating_sub(WORK_MARGIN_MS).min(warm);
                session.ready = Some(Ready { conversation, until_ms });
            }
            // The next call meets the same trouble, and tells it.
            Err(trouble) => console_log!("no conversation could be made ready: {trouble:?}"),
        }
        self.store(session).await;
    }

    async fn work(&self, token: &str) -> std::result::Result<String, Failure> {
        let prepare = {
            let mut lock = self.session.lock().await;
            self.session_in(&mut lock).await.prepare.clone()
        };
        let told = |trouble: Trouble| trouble.failure_midway(Date::now().as_millis());
        let Some(prepare) = prepare else { return Err(told(Trouble::Token)) };
        Client { base_url: &prepare.base_url, settings: &prepare.settings }.work(token).await.map_err(told)
    }

    async fn finish(&self, request: Finish) {
        let mut lock = self.session.lock().await;
        let session = self.session_in(&mut lock).await;
        let (Some(prepare), Some(token)) = (session.prepare.clone(), session.token.clone()) else { return };
        let client = Client { base_url: &prepare.base_url, settings: &prepare.settings };
        if let Some(message) = request.stop
            && let Err(trouble) = client.stop(&token, &request.conversation, message).await
        {
            console_log!("an answer could not be stopped: {trouble:?}");
        }
        session.discard(request.conversation);
        self.store(session).await;
    }

    async fn alarm(&self) {
        let mut lock = self.session.lock().await;
        let session = self.session_in(&mut lock).await;
        session.alarm_ms = None;
        let now = Date::now().as_millis();
        if let Some(ready) = session.ready.take_if(|ready| ready.until_ms <= now) {
            session.discard(ready.conversation.id);
        }
        if let (Some(prepare), Some(token)) = (session.prepare.clone(), session.token.clone())
            && let Some(conversation) = session.trash.pop()
        {
            let client = Client { base_url: &prepare.base_url, settings: &prepare.settings };
            if let Err(trouble) = client.delete(&token, &conversation).await {
                console_log!("a conversation could not be deleted: {trouble:?}");
            }
        }
        self.store(session).await;
    }

    /// The session, read from storage after a rest.
    async fn session_in<'a>(&self, lock: &'a mut Option<Session>) -> &'a mut Session {
        if lock.is_none() {
            plan::count_rows(1, 0);
            let text: Option<String> = self.state.storage().get(STORED).await.ok().flatten();
            let stored: Stored = text.and_then(|text| json::read(&text).ok()).unwrap_or_default();
            let opened = stored.sealed_token.as_deref().and_then(|sealed| {
                source::vault(&self.env).ok()?.open(STORED, sealed).ok()?.get("token").map(str::to_owned)
            });
            let mut session =
                Session { prepare: stored.prepare, token: opened, trash: stored.trash, ..Session::default() };
            if let Some(left) = stored.ready {
                session.discard(left);
            }
            *lock = Some(session);
        }
        lock.get_or_insert_default()
    }

    /// Stores what must survive, and sets the alarm for what comes next.
    async fn store(&self, session: &mut Session) {
        let seal = |token: &String| {
            let secrets = Secrets([("token".to_owned(), token.clone())].into());
            source::vault(&self.env).ok()?.seal(STORED, &secrets).ok()
        };
        let stored = Stored {
            prepare: session.prepare.clone().map(Prepare::without_tokens),
            sealed_token: session.token.as_ref().and_then(seal),
            ready: session.ready.as_ref().map(|ready| ready.conversation.id.clone()),
            trash: session.trash.clone(),
        };
        let now = Date::now().as_millis();
        let idle = session.ready.as_ref().map(|ready| ready.until_ms);
        // Without a token nothing can be deleted: the next call brings one, or nobody ever does.
        let can_tidy = session.token.is_some() && !session.trash.is_empty();
        let tidy = can_tidy.then(|| now.saturating_add(DELETE_EVERY_MS));
        let next = tidy.or(idle).filter(|next| session.alarm_ms.is_none_or(|set| *next < set));
        let storage = self.state.storage();
        let text = serde_json::to_string(&stored).unwrap_or_default();
        plan::count_rows(0, 1);
        let mut done = storage.put(STORED, text).await;
        if let (Ok(()), Some(next)) = (&done, next) {
            session.alarm_ms = Some(next);
            done = storage::set_alarm(&storage, Duration::from_millis(next.saturating_sub(now).max(1))).await;
        }
        if let Err(error) = done {
            console_error!("a session could not be stored: {error}");
        }
    }
}

impl Session {
    /// Goes by a newer request. Another credential has nothing in common with the one before.
    fn adopt(&mut self, request: Prepare) {
        let changed = self.prepare.as_ref().is_some_and(|old| old.credential != request.credential);
        if changed || (request.rejected.is_some() && request.rejected == self.token) {
            self.token = None;
            if let Some(ready) = self.ready.take() {
                self.discard(ready.conversation.id);
            }
        }
        self.prepare = Some(request);
    }

    fn discard(&mut self, conversation: String) {
        let deletes = self.prepare.as_ref().is_some_and(|prepare| prepare.settings.delete_sessions);
        if deletes && self.trash.len() < TRASH_MAX {
            self.trash.push(conversation);
        }
    }
}

async fn login(client: &Client<'_>, secrets: &Secrets) -> std::result::Result<String, Trouble> {
    let password = secrets.get("password").ok_or(Trouble::Token)?;
    let token = client.login(secrets.get("email"), secrets.get("mobile"), password).await?;
    console_log!("a DeepSeek account has logged in");
    Ok(token)
}

fn fault(error: &dyn std::fmt::Display) -> String {
    console_error!("session: {error}");
    let error = ChatError::new(ErrorKind::Internal, "An internal call could not be read.");
    let failure = Failure { outcome: crate::chat::Outcome::Unused, error, retry: false };
    serde_json::to_string(&Err::<(), _>(failure)).unwrap_or_default()
}
