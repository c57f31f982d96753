//! One call over the pool: admit, try, and on failure try another account; settle every lease, whatever happens.
//!
//! The task that owns a call runs under `wait_until`, so that it outlives a caller who leaves (guides: the relay).
use std::cell::RefCell;
use std::rc::Rc;

use futures::future::{Either, OptionFuture, join, select};
use memchr::memmem;
use worker::{Date, Env};

use super::answer::{Answer, Receipt};
use super::attempt::{Ended, Try};
use super::caller::{Caller, Candidate, Plan};
use super::remember::Memory;
use crate::chat::{Body, ChatError, ChatRequest, Envelope, ErrorKind, Outcome};
use crate::config::{Kind, Secrets, Settings, source};
use crate::dialect::{Reply, openai};
use crate::ledger::Candidates;
use crate::ledger::client::{self, Admitted, Lease, Route};
use crate::ledger::protocol::{AdmitRequest, Reason, Refusal};
use crate::stats::{self, Capture, Record};
use crate::stream::pipe::Departure;
use crate::stream::splice::Edit;
use crate::upstream::deepseek_web;
use crate::upstream::deepseek_web::call::Owner;
use crate::upstream::deepseek_web::session::Credential;
use crate::upstream::failure::{self, Failure};
use crate::upstream::openai::call::{self, Ask};
use crate::upstream::openai::encode::Reasoning;
use crate::upstream::openai::thoughts;
use crate::upstream::service::Service;
use crate::upstream::volcengine_console;

/// How often an admission is asked for again because the configuration changed under it, or a grant came too late.
const READMISSIONS: u32 = 5;

/// One call.
pub(super) struct Call {
    pub(super) env: Env,
    pub(super) request_id: String,
    pub(super) caller: Caller,
    pub(super) envelope: Envelope,
    pub(super) reply: Reply,
    pub(super) memory: Memory,
    pub(super) departure: Departure,
    pub(super) record: RefCell<Record>,
    pub(super) capture: Capture,
}

/// What one call has tried so far.
#[derive(Default)]
struct Tries {
    receipt: Receipt,
    accounts: Vec<String>,
    last: Option<Failure>,
}

/// With what an account is used.
pub(super) enum Login<'a> {
    Pooled {
        account: &'a str,
        secrets: &'a Secrets,
        sealed: &'a str,
    },
    /// The caller's own credential.
    Direct(&'a str),
}

/// Why a call has no lease.
enum NoLease {
    Left,
    Refused(ChatError),
}

impl Call {
    /// Makes the call, gives its answer, and records it.
    pub(super) async fn run(mut self, mut answer: Answer) {
        self.serve(&mut answer).await;
        let record = self.record.take();
        let recorded = stats::client::record(&self.env, &self.caller.hot().settings.stats, &record);
        join(recorded, client::send_settlements(&self.env)).await;
    }

    async fn serve(&mut self, answer: &mut Answer) {
        let plan = match self.caller.plan(&self.envelope.model, self.envelope.endpoint) {
            Ok(plan) => plan,
            Err(error) => return self.fail(answer, error, Receipt::default()).await,
        };
        match plan {
            Plan::Pooled => self.run_pooled(answer).await,
            Plan::Direct(candidate, credential) => {
                let settings = self.caller.hot().settings.clone();
                let receipt = Receipt { attempts: 1, waited_ms: 0, model: candidate.model.clone() };
                let chat = match self.chat(&candidate).await {
                    Ok(chat) => chat,
                    Err(error) => return self.fail(answer, error, receipt).await,
                };
                self.begin_try("", "", 0);
                let (login, edits) = (Login::Direct(&credential), self.edits(&candidate).await);
                let Some(service) = self.service(&candidate, login, chat.as_ref(), edits) else { return };
                let attempt = self.attempt(&settings, &candidate, receipt.clone(), Rc::new(|| {}));
                let ended = attempt.run(&service, answer).await;
                OptionFuture::from(service.finish()).await;
                let (_, failure) = self.end_try(ended);
                if let Some(failure) = failure {
                    self.fail(answer, of_own_account(failure), receipt).await;
                }
                self.note_answer(&Secrets([(String::new(), credential)].into()));
            }
        }
    }

    async fn run_pooled(&mut self, answer: &mut Answer) {
        let mut tries = Tries::default();
        loop {
            let lease = match self.admit(&tries).await {
                Ok(lease) => lease,
                Err(NoLease::Left) => {
                    self.record.borrow_mut().left = true;
                    return;
                }
                Err(NoLease::Refused(error)) => return self.fail(answer, error, tries.receipt).await,
            };
            tries.receipt.attempts += 1;
            tries.receipt.waited_ms += lease.grant.waited_ms;
            tries.accounts.push(lease.grant.account.clone());
            self.begin_try(&lease.grant.account, &lease.grant.upstream, lease.grant.waited_ms);
            self.choose(lease.candidates.clone());
            let failure = self.try_account(&lease, &mut tries.receipt, answer).await;
            let Some(failure) = failure else { return };
            if !failure.retry || tries.receipt.attempts >= self.caller.hot().settings.max_attempts {
                return self.fail(answer, failure.error, tries.receipt).await;
            }
            tries.last = Some(failure);
        }
    }

    /// One try on the account of a lease, which is settled; a failure before the first byte is answered.
    async fn try_account(&self, lease: &Lease, receipt: &mut Receipt, answer: &mut Answer) -> Option<Failure> {
        let grant = &lease.grant;
        let opened = source::vault(&self.env).and_then(|vault| vault.open(&grant.account, &grant.sealed));
        let candidate = self.caller.candidate(&grant.upstream, &self.envelope.model, self.envelope.endpoint);
        let (Ok(secrets), Some(candidate)) = (opened, candidate) else {
            return self.settle(lease, Ended::Failed(unreadable()));
        };
        receipt.model.clone_from(&candidate.model);
        self.record.borrow_mut().served_model.clone_from(&candidate.model);
        let login = Login::Pooled { account: &grant.account, secrets: &secrets, sealed: &grant.sealed };
        let chat = match self.chat(&candidate).await {
            Ok(chat) => chat,
            Err(error) => return self.settle(lease, Ended::Failed(of_caller(error))),
        };
        let Some(service) = self.service(&candidate, login, chat.as_ref(), self.edits(&candidate).await) else {
            return self.settle(lease, Ended::Failed(unreadable()));
        };
        let (env, renewed) = (self.env.clone(), lease.clone());
        let renew = Rc::new(move || {
            let (env, lease) = (env.clone(), renewed.clone());
            // A renewal that is lost is made up for by the next one: nobody need wait for it.
            wasm_bindgen_futures::spawn_local(async move {
                let _ = client::renew(&env, &lease).await;
            });
        });
        let settings = &self.caller.hot().settings;
        let ended = self.attempt(settings, &candidate, receipt.clone(), renew).run(&service, answer).await;
        // The account is not free before its service has stopped.
        service.stop().await;
        let failure = self.settle(lease, ended);
        if let Some(finishing) = service.finish() {
            join(finishing, client::send_settlements(&self.env)).await;
        }
        self.note_answer(&secrets);
        failure
    }

    async fn fail(&self, answer: &mut Answer, error: ChatError, receipt: Receipt) {
        self.record.borrow_mut().fail(Date::now().as_millis(), &error);
        // A caller who is gone needs no answer.
        let _ = answer.fail(error, receipt, &self.reply).await;
    }

    fn settle(&self, lease: &Lease, ended: Ended) -> Option<Failure> {
        let (outcome, failure) = self.end_try(ended);
        client::settle(lease, outcome);
        failure
    }

    /// Notes in the record from which accounts one is chosen.
    fn choose(&self, candidates: Candidates) {
        let max = self.caller.hot().settings.stats.candidates_max;
        self.record.borrow_mut().candidates.again(candidates, max);
    }

    /// Notes in the record on which account the next try is made.
    fn begin_try(&self, account: &str, upstream: &str, waited_ms: u64) {
        let begun_ms = Date::now().as_millis();
        let (account, upstream) = (account.to_owned(), upstream.to_owned());
        self.record.borrow_mut().begin(stats::Try { account, upstream, waited_ms, begun_ms, ..stats::Try::default() });
    }

    /// What the end of a try means for its account, and the failure of which the caller knows nothing yet.
    fn end_try(&self, ended: Ended) -> (Outcome, Option<Failure>) {
        let now = Date::now().as_millis();
        let mut record = self.record.borrow_mut();
        let (outcome, failure) = match ended {
            Ended::Answered(usage) => (Outcome::Success { usage }, None),
            Ended::Left(usage) => (Outcome::Cancelled { usage }, None),
            Ended::Broken(failure) => {
                record.fail(now, &failure.error);
                (failure.outcome, None)
            }
            Ended::Failed(failure) => (failure.outcome.clone(), Some(failure)),
        };
        record.tried(now, &outcome);
        (outcome, failure)
    }

    /// Notes the answer's beginning, where bodies are logged.
    fn note_answer(&self, secrets: &Secrets) {
        self.record.borrow_mut().answer = self.capture.text(secrets.0.values());
    }

    /// The call in common words, for a service that does not speak the caller's.
    pub(super) async fn chat(&self, candidate: &Candidate) -> Result<Option<ChatRequest>, ChatError> {
        let chat = match (candidate.kind, &self.envelope.body) {
            (Kind::Openai, Body::Openai(_)) => return Ok(None),
            (_, Body::Openai(raw)) => openai::chat::decode(&raw.bytes)?,
            (_, Body::Chat { chat, .. }) => (**chat).clone(),
        };
        let mut chat = if candidate.takes_media { chat } else { chat.without_media()? };
        if candidate.kind == Kind::Openai && self.memory.settings.reasoning {
            let calls = chat.silent_callers().filter_map(|message| Some(message.tool_calls.first()?.id.clone()));
            let thoughts = self.memory.thoughts(calls.collect()).await;
            let wants_any = candidate.limits.reasoning == Reasoning::Thinking;
            for message in chat.silent_callers() {
                let known = message.tool_calls.first().and_then(|call| thoughts.get(&call.id).cloned());
                message.reasoning = known.or(wants_any.then(String::new));
            }
        }
        Ok(Some(chat))
    }

    /// The thoughts that a body lacks which goes to its service as it is.
    async fn edits(&self, candidate: &Candidate) -> Vec<Edit> {
        let Body::Openai(raw) = &self.envelope.body else { return Vec::new() };
        if candidate.limits.reasoning != Reasoning::Thinking || !self.memory.settings.reasoning {
            return Vec::new();
        }
        let silent = thoughts::silent(raw);
        let known = self.memory.thoughts(silent.iter().map(|silent| silent.call.clone()).collect()).await;
        thoughts::edits(&silent, &known)
    }

    /// Whether the thoughts behind the answer's tool calls are remembered. An answer that goes to its caller as it is is
    /// read for them only where the service is known to want them back.
    fn remembers(&self, candidate: &Candidate) -> bool {
        let uses_tools = match &self.envelope.body {
            Body::Openai(raw) => {
                candidate.limits.reasoning == Reasoning::Thinking && memmem::find(&raw.bytes, b"\"tools\"").is_some()
            }
            Body::Chat { chat, .. } => !chat.tools.is_empty(),
        };
        candidate.kind == Kind::Openai && uses_tools && self.memory.settings.reasoning
    }

    /// Whether the call holds pictures or documents, which not every upstream takes.
    fn shows(&self) -> bool {
        match &self.envelope.body {
            Body::Openai(raw) => memmem::find(&raw.bytes, b"\"image_url\"").is_some(),
            Body::Chat { chat, .. } => chat.shows(),
        }
    }

    /// The candidate's service, with what it takes to ask it; `None` where the account lacks a credential.
    pub(super) fn service<'a>(
        &'a self,
        candidate: &'a Candidate,
        login: Login<'a>,
        chat: Option<&'a ChatRequest>,
        edits: Vec<Edit>,
    ) -> Option<Service<'a>> {
        let (envelope, settings) = (&self.envelope, &self.caller.hot().settings);
        let (base_url, model) = (candidate.base_url.as_str(), candidate.model.as_str());
        let ask = match (candidate.kind, &envelope.body, chat) {
            (Kind::Openai, Body::Openai(raw), _) => Ask::Same(raw, edits),
            (Kind::Openai, Body::Chat { prompt_tokens, .. }, Some(chat)) => Ask::Chat(chat, *prompt_tokens),
            (_, _, None) => return None,
            (Kind::VolcengineConsole, _, Some(request)) => {
                let Login::Pooled { secrets, .. } = login else { return None };
                return Some(Service::VolcengineConsole(Box::new(volcengine_console::call::Call {
                    url: base_url,
                    model,
                    settings: &settings.volcengine_console,
                    secrets,
                    shared_authorization: source::variable(&self.env, "VOLCENGINE_AUTHORIZATION"),
                    request,
                    whole: !envelope.stream,
                })));
            }
            (_, _, Some(chat)) => {
                let (account, credential) = match login {
                    Login::Pooled { account, sealed, .. } => {
                        (account.to_owned(), Credential::Sealed(sealed.to_owned()))
                    }
                    Login::Direct(token) => (direct_name(&self.env, token)?, Credential::Token(token.to_owned())),
                };
                let settings = &settings.deepseek_web;
                let owner = Owner { account: &account, credential, base_url, settings };
                let call = deepseek_web::call::Call::new(&self.env, owner, model, chat, !envelope.stream);
                return Some(Service::DeepseekWeb(Box::new(call)));
            }
        };
        let credential = match login {
            Login::Pooled { secrets, .. } => secrets.api_key()?,
            Login::Direct(credential) => credential,
        };
        let limits = candidate.limits;
        Some(Service::Openai(call::Call { envelope, ask, base_url, model, limits, credential }))
    }

    fn attempt<'a>(
        &'a self,
        settings: &'a Settings,
        candidate: &Candidate,
        receipt: Receipt,
        renew: Rc<dyn Fn()>,
    ) -> Try<'a> {
        Try {
            reply: &self.reply,
            memory: &self.memory,
            remembers: self.remembers(candidate),
            settings,
            departure: &self.departure,
            record: &self.record,
            capture: &self.capture,
            receipt,
            timeout_ms: candidate.timeout_ms,
            renew,
            renew_ms: client::RENEW_MS,
        }
    }

    /// Asks the ledger for an account that was not tried, and waits in its queue.
    async fn admit(&mut self, tries: &Tries) -> Result<Lease, NoLease> {
        for _ in 0..READMISSIONS {
            let request = self.admit_request(tries).map_err(NoLease::Refused)?;
            match self.ask(&request).await? {
                Admitted::Leased(lease) if self.departure.is_gone() => {
                    client::settle(&lease, Outcome::Unused);
                    return Err(NoLease::Left);
                }
                Admitted::Leased(lease) if !lease.grant.confirm || client::renew(&self.env, &lease).await => {
                    return Ok(lease);
                }
                // What came too late passes on; the key's part of it does not by itself.
                Admitted::Leased(lease) => client::settle(&lease, Outcome::Unused),
                Admitted::Stale { version } => {
                    let hot = source::at_least(&self.env, version).await.map_err(NoLease::Refused)?;
                    self.caller.reload(hot).map_err(NoLease::Refused)?;
                }
                Admitted::Refused(refusal, candidates) => {
                    self.choose(candidates);
                    return Err(NoLease::Refused(refused(refusal, tries)));
                }
            }
        }
        let message = "The configuration is changing too fast to serve this call. Please try again.";
        Err(NoLease::Refused(ChatError::new(ErrorKind::Internal, message)))
    }

    fn admit_request(&self, tries: &Tries) -> Result<AdmitRequest, ChatError> {
        let stats = &self.caller.hot().settings.stats;
        Ok(AdmitRequest {
            version: self.caller.hot().version,
            ticket: format!("{}-{}", self.request_id, tries.receipt.attempts),
            key: self.caller.key_id().to_owned(),
            upstreams: self.caller.upstreams(&self.envelope.model, self.envelope.endpoint, self.shows())?,
            exclude: tries.accounts.clone(),
            conversation: self.envelope.conversation.map(|hash| hash.to_string()),
            tokens: self.envelope.tokens,
            waits: true,
            candidates_max: if stats.enabled { stats.candidates_max } else { 0 },
        })
    }

    /// One question to the ledger. A caller who leaves the queue gives up the place, and a grant that came all the same.
    async fn ask(&self, request: &AdmitRequest) -> Result<Admitted, NoLease> {
        let queue_ms = self.caller.hot().settings.queue.max_wait_ms;
        let name = request.conversation.as_deref().unwrap_or(&request.ticket);
        let route: Route = self.caller.ledger_route(&request.upstreams, name);
        let asking = client::admit(&self.env, request, &route, queue_ms, || self.departure.is_gone());
        let reply = match select(Box::pin(asking), Box::pin(self.departure.wait())).await {
            Either::Left((reply, _)) => reply,
            Either::Right(((), asking)) => {
                client::cancel(&self.env, &request.ticket, &route).await;
                if let Ok(Admitted::Leased(lease)) = asking.await {
                    client::settle(&lease, Outcome::Unused);
                }
                return Err(NoLease::Left);
            }
        };
        reply.map_err(NoLease::Refused)
    }
}

/// There is no other account to try: a caller's own limit is the caller's to wait for.
fn of_own_account(failure: Failure) -> ChatError {
    match failure.outcome {
        Outcome::RateLimited { retry_after_ms } => {
            ChatError { kind: ErrorKind::RateLimited, retry_after_ms, ..failure.error }
        }
        _ => failure.error,
    }
}

/// What the caller sent cannot be asked of this kind of service.
pub(super) fn of_caller(error: ChatError) -> Failure {
    Failure { outcome: Outcome::Unused, error, retry: false }
}

/// The name of a direct caller's `Session`: the same for the same token, and nothing can be read from it.
fn direct_name(env: &Env, token: &str) -> Option<String> {
    Some(format!("direct-{}", source::vault(env).ok()?.hash_key(token)))
}

fn unreadable() -> Failure {
    let text = "The account's secret cannot be read: was MASTER_KEY changed?";
    Failure {
        outcome: Outcome::InvalidCredential { cause: text.to_owned() },
        error: failure::of_network().error,
        retry: true,
    }
}

/// What the caller is told when the ledger grants nothing.
///
/// After a failed try the upstream's failure says more than "nobody else is left"; but a limit that all accounts share
/// is told with the ledger's own time.
fn refused(refusal: Refusal, tries: &Tries) -> ChatError {
    let kind = match refusal.reason {
        Reason::QueueFull => ErrorKind::QueueFull,
        Reason::DailyLimit => ErrorKind::DailyLimit,
        Reason::RateLimited => ErrorKind::RateLimited,
        Reason::KeyLimit => ErrorKind::KeyLimit,
        Reason::KeyRevoked => ErrorKind::InvalidKey,
        Reason::NoAccount | Reason::Exhausted => ErrorKind::NoAccount,
    };
    if let Some(last) = &tries.last {
        let by_upstream = matches!(last.outcome, Outcome::RateLimited { .. });
        return match refusal.reason {
            Reason::Exhausted if by_upstream && refusal.retry_after_ms.is_some() => {
                let message = "All accounts for this model are rate limited by the upstream.";
                ChatError { retry_after_ms: refusal.retry_after_ms, ..ChatError::new(ErrorKind::RateLimited, message) }
            }
            Reason::RateLimited | Reason::DailyLimit | Reason::KeyLimit if by_upstream => {
                ChatError { retry_after_ms: refusal.retry_after_ms, ..ChatError::new(kind, refusal.detail) }
            }
            _ => last.error.clone(),
        };
    }
    ChatError { retry_after_ms: refusal.retry_after_ms, ..ChatError::new(kind, refusal.detail) }
}
