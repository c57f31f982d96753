//! One call over the pool: admit, try, and on failure try another account; settle every lease, whatever happens.
//!
//! The task that owns a call runs under `wait_until`, so that it outlives a caller who leaves (guides: the relay).
use std::cell::RefCell;
use std::rc::Rc;

use futures::FutureExt;
use futures::future::{OptionFuture, RemoteHandle, join, join_all, join3};
use worker::{Date, Env};

use super::admit::NoLease;
use super::answer::{Answer, Receipt};
use super::attempt::{Ended, Try};
use super::caller::{Caller, Candidate, Plan};
use super::question::{Login, Question};
use super::remember::Memory;
use crate::chat::{ChatError, Envelope, ErrorKind, Outcome};
use crate::config::{Secrets, Settings, source};
use crate::dialect::Reply;
use crate::ledger::Candidates;
use crate::ledger::client::{self, Lease};
use crate::stats::{self, Capture, Record};
use crate::stream::pipe::Departure;
use crate::upstream::failure::{self, Failure};

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
    pub(super) sending: RefCell<Vec<RemoteHandle<()>>>,
}

/// What one call has tried so far.
#[derive(Default)]
pub(super) struct Tries {
    pub(super) receipt: Receipt,
    pub(super) accounts: Vec<String>,
    pub(super) last: Option<Failure>,
}

impl Call {
    /// Makes the call, gives its answer, and records it.
    pub(super) async fn run(mut self, mut answer: Answer) {
        self.serve(&mut answer).await;
        let record = self.record.take();
        let recorded = stats::client::record(&self.env, &self.caller.hot().settings.stats, &record);
        join3(recorded, client::send_settlements(&self.env), join_all(self.sending.take())).await;
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
                let chat = match self.question().chat(&candidate).await {
                    Ok(chat) => chat,
                    Err(error) => return self.fail(answer, error, receipt).await,
                };
                self.begin_try("", "", 0);
                let (login, edits) = (Login::Direct(&credential), self.question().edits(&candidate).await);
                let Some(service) = self.question().service(&candidate, login, chat.as_ref(), edits) else { return };
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
            let mut lease = match self.admit(&tries).await {
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
            self.choose(std::mem::take(&mut lease.candidates));
            let failure = self.try_account(&lease, &mut tries.receipt, answer).await;
            let Some(failure) = failure else { return };
            if !failure.retry || tries.receipt.attempts >= self.caller.hot().settings.max_attempts {
                return self.fail(answer, failure.error, tries.receipt).await;
            }
            tries.last = Some(failure);
            self.send_settlements();
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
        let chat = match self.question().chat(&candidate).await {
            Ok(chat) => chat,
            Err(error) => return self.settle(lease, Ended::Failed(of_caller(error))),
        };
        let Some(service) =
            self.question().service(&candidate, login, chat.as_ref(), self.question().edits(&candidate).await)
        else {
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

    /// Sends what waits for the ledger, beside the call: what ended may be another shard's than the next admission's, which
    /// may wait for long, as may the next try.
    pub(super) fn send_settlements(&self) {
        let env = self.env.clone();
        let (sending, sent) = async move { client::send_settlements(&env).await }.remote_handle();
        wasm_bindgen_futures::spawn_local(sending);
        self.sending.borrow_mut().push(sent);
    }

    fn settle(&self, lease: &Lease, ended: Ended) -> Option<Failure> {
        let (outcome, failure) = self.end_try(ended);
        client::settle(lease, outcome);
        failure
    }

    /// Notes in the record from which accounts one is chosen.
    pub(super) fn choose(&self, candidates: Candidates) {
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

    fn question(&self) -> Question<'_> {
        let settings = &self.caller.hot().settings;
        Question { env: &self.env, settings, envelope: &self.envelope, memory: Some(&self.memory) }
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
            remembers: self.question().remembers(candidate),
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

fn unreadable() -> Failure {
    let text = "The account's secret cannot be read: was MASTER_KEY changed?";
    Failure {
        outcome: Outcome::InvalidCredential { cause: text.to_owned() },
        error: failure::of_network().error,
        retry: true,
    }
}
