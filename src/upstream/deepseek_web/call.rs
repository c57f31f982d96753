//! One call to DeepSeek's web chat.
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::json;
use web_sys::AbortSignal;
use worker::{Date, Env};

use super::client::{self, Client};
use super::models::Mode;
use super::prompt;
use super::reading::Reading;
use super::session::{self, Credential, Finish, Prepare, Prepared};
use super::settings::DeepseekWeb;
use super::wire::{COMPLETION_PATH, Trouble};
use crate::chat::{ChatError, ChatRequest, ErrorKind, Outcome};
use crate::stream::pipe::Source;
use crate::tokens;
use crate::upstream::bound::Bounded;
use crate::upstream::failure::Failure;
use crate::upstream::fetch::{Reply, unless_aborted};
use crate::upstream::service::Opened;
use crate::upstream::text_only::{self, TextOnly};

const CONTINUE_PATH: &str = "/api/v0/chat/continue";
/// Conversations that one call may ask for: its token may have died, or its proof of work.
const PREPARATIONS: usize = 3;

/// The answer to a conversation's first prompt; the prompt is 1 (protocols: §6).
const FIRST_ANSWER: i64 = 2;

/// One call.
pub struct Call<'a> {
    env: &'a Env,
    /// The name of the account's `Session`.
    object: String,
    prepare: Prepare,
    mode: Mode,
    request: &'a ChatRequest,
    /// Nothing is sent to the caller before the answer is complete.
    whole: bool,
    /// The conversation in use.
    used: RefCell<Option<Prepared>>,
    /// The answer that is being written.
    writing: Rc<Cell<Option<i64>>>,
}

/// Whose call it is.
pub struct Owner<'a> {
    /// The account's id; for a direct call a name made of its token.
    pub account: &'a str,
    /// What it logs in with.
    pub credential: Credential,
    /// Where the chat is.
    pub base_url: &'a str,
    /// How it is spoken to.
    pub settings: &'a DeepseekWeb,
}

impl<'a> Call<'a> {
    /// A call for `request` by the upstream's `model` name.
    pub fn new(env: &'a Env, owner: Owner<'_>, model: &str, request: &'a ChatRequest, whole: bool) -> Call<'a> {
        let prepare = Prepare {
            account: owner.account.to_owned(),
            credential: owner.credential,
            base_url: owner.base_url.to_owned(),
            settings: owner.settings.clone(),
            rejected: None,
        };
        Call {
            env,
            object: owner.account.to_owned(),
            prepare,
            mode: Mode::of(model, request.reasoning, request.search),
            request,
            whole,
            used: RefCell::default(),
            writing: Rc::default(),
        }
    }

    /// Sends the prompt.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn open(&self, signal: &AbortSignal, headers_seen: &Cell<bool>) -> Result<Opened, Failure> {
        let settings = &self.prepare.settings;
        let prompt = prompt::build(text_only::flatten(self.request), settings.prompt);
        let mut prepare = self.prepare.clone();
        let mut trouble = Trouble::Work;
        for _ in 0..PREPARATIONS {
            // Logging in and working take their time, for which a caller who left does not hold the account.
            let prepared = unless_aborted(session::prepare(self.env, &self.object, &prepare), signal).await?;
            let prepared = prepared.map_err(|failure| self.for_owner(failure))?;
            let body = json!({
                "chat_session_id": prepared.conversation, "parent_message_id": null, "prompt": prompt,
                "ref_file_ids": [], "thinking_enabled": self.mode.thinking, "search_enabled": self.mode.search,
                "model_type": self.mode.model_type, "action": null, "preempt": false,
            });
            let (token, work) = (prepared.token.clone(), prepared.work.clone());
            *self.used.borrow_mut() = Some(prepared);
            // From here on the chat may be writing: a caller who leaves before its first event leaves it busy.
            self.writing.set(Some(FIRST_ANSWER));
            let reply = self.client().stream(COMPLETION_PATH, &token, Some(&work), &body, signal).await?;
            headers_seen.set(true);
            trouble = match stream_of(&reply).await {
                Ok(source) => {
                    let reading = Reading::new(settings, tokens::count(&prompt), self.writing.clone());
                    let decode = TextOnly::new(Box::new(reading), self.request, self.whole);
                    let stop = self.request.stop.clone();
                    let decode = Bounded::new(Box::new(decode), stop, self.request.max_tokens);
                    return Ok(Opened::Events(source, Box::new(decode)));
                }
                Err(trouble) => trouble,
            };
            self.writing.set(None);
            match trouble {
                // Once: a token that is as new as can be is no better the next time.
                Trouble::Token if prepare.rejected.is_none() => prepare.rejected = Some(token),
                Trouble::Work | Trouble::Gone => {}
                _ => break,
            }
            self.finish().await;
        }
        Err(self.for_owner(trouble.failure(Date::now().as_millis())))
    }

    /// A direct caller's own token is the caller's key: where it is refused, no account of ours is at fault.
    fn for_owner(&self, failure: Failure) -> Failure {
        match (&self.prepare.credential, &failure.outcome) {
            (Credential::Token(_), Outcome::NeedsLogin { .. }) => Failure {
                error: ChatError::new(ErrorKind::InvalidKey, "DeepSeek does not accept this token."),
                ..failure
            },
            _ => failure,
        }
    }

    /// Asks for the rest of an answer that reached the chat's bound.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn resume(&self, signal: &AbortSignal) -> Result<Source, Failure> {
        let told = |trouble: Trouble| trouble.failure_midway(Date::now().as_millis());
        let used = self.used.borrow().clone();
        let (Some(used), Some(message)) = (used, self.writing.get()) else {
            return Err(told(Trouble::Other("nothing to continue".to_owned())));
        };
        let body = json!({
            "chat_session_id": used.conversation, "message_id": message, "fallback_to_resume": true,
        });
        let work = session::work(self.env, &self.object, &used.token).await?;
        let reply = self.client().stream(CONTINUE_PATH, &used.token, Some(&work), &body, signal).await?;
        stream_of(&reply).await.map_err(told)
    }

    /// Gives the conversation up, and stops an answer that is still being written: else the account's next call would
    /// find it busy.
    pub async fn finish(&self) {
        let used = self.used.borrow_mut().take();
        if let Some(used) = used {
            let request = Finish { conversation: used.conversation, stop: self.writing.take() };
            session::finish(self.env, &self.object, &request).await;
        }
    }

    /// Whether the chat is still writing an answer.
    pub fn is_writing(&self) -> bool {
        self.writing.get().is_some()
    }

    fn client(&self) -> Client<'_> {
        Client { base_url: &self.prepare.base_url, settings: &self.prepare.settings }
    }
}

/// The stream of a reply. What is no stream says what went wrong, under any status: a page of the firewall too.
async fn stream_of(reply: &Reply) -> Result<Source, Trouble> {
    if reply.status() == 200
        && reply.header("content-type").is_some_and(|label| label.to_ascii_lowercase().starts_with("text/event-stream"))
        && let Some(source) = reply.source()
    {
        return Ok(source);
    }
    client::read(reply).await?.read()?;
    Err(Trouble::Other("no stream".to_owned()))
}
