//! One call over the pool: admit, try, and on failure try another account; settle every lease, whatever happens.
//!
//! The task that owns a call runs under `wait_until`, so that it outlives a caller who leaves (guides: the relay).
use std::rc::Rc;

use futures::future::{Either, select};
use worker::Env;

use super::answer::{Answer, Receipt};
use super::attempt::{Ended, Try};
use super::caller::{Caller, Candidate, Plan};
use crate::chat::{ChatError, Envelope, ErrorKind, Outcome};
use crate::config::{Settings, source};
use crate::ledger::client;
use crate::ledger::protocol::{AdmitReply, AdmitRequest, Grant, Reason, Refusal};
use crate::stream::pipe::Departure;
use crate::upstream::failure::{self, Failure};
use crate::upstream::openai;
use crate::upstream::service::Service;

/// How often an admission is asked for again because the configuration changed under it, or a grant came too late.
const READMISSIONS: u32 = 5;

/// One call.
pub(super) struct Call {
    pub(super) env: Env,
    pub(super) request_id: String,
    pub(super) caller: Caller,
    pub(super) envelope: Envelope,
    pub(super) departure: Departure,
}

/// What one call has tried so far.
#[derive(Default)]
struct Tries {
    receipt: Receipt,
    accounts: Vec<String>,
    last: Option<Failure>,
}

/// Why a call has no lease.
enum NoLease {
    Left,
    Refused(ChatError),
}

impl Call {
    /// Makes the call and gives its answer.
    pub(super) async fn run(mut self, mut answer: Answer) {
        let plan = match self.caller.plan(&self.envelope.model) {
            Ok(plan) => plan,
            Err(error) => return finish(answer.fail(error, Receipt::default(), true).await),
        };
        match plan {
            Plan::Pooled => self.run_pooled(&mut answer).await,
            Plan::Direct(candidate, credential) => {
                let settings = self.caller.hot().settings.clone();
                let receipt = Receipt { attempts: 1, waited_ms: 0 };
                let attempt = self.attempt(&settings, &candidate, receipt, Rc::new(|| {}));
                let service = self.service(&candidate, &credential);
                if let Ended::Failed(failure) = attempt.run(&service, &mut answer).await {
                    finish(answer.fail(failure.error, receipt, true).await);
                }
            }
        }
    }

    async fn run_pooled(&mut self, answer: &mut Answer) {
        let mut tries = Tries::default();
        loop {
            let grant = match self.admit(&tries).await {
                Ok(grant) => grant,
                Err(NoLease::Left) => return,
                Err(NoLease::Refused(error)) => return finish(answer.fail(error, tries.receipt, true).await),
            };
            tries.receipt.attempts += 1;
            tries.receipt.waited_ms += grant.waited_ms;
            tries.accounts.push(grant.account.clone());
            let ended = self.try_account(&grant, tries.receipt, answer).await;
            let (outcome, failure) = match ended {
                Ended::Answered(usage) => (Outcome::Success { usage }, None),
                Ended::Left(usage) => (Outcome::Cancelled { usage }, None),
                Ended::Broken(failure) => (failure.outcome, None),
                Ended::Failed(failure) => (failure.outcome.clone(), Some(failure)),
            };
            client::settle(&self.env, &grant.lease, outcome).await;
            let Some(failure) = failure else { return };
            if !failure.retry || tries.receipt.attempts >= self.caller.hot().settings.max_attempts {
                return finish(answer.fail(failure.error, tries.receipt, true).await);
            }
            tries.last = Some(failure);
        }
    }

    async fn try_account(&self, grant: &Grant, receipt: Receipt, answer: &mut Answer) -> Ended {
        let hot = self.caller.hot();
        let opened = source::vault(&self.env).and_then(|vault| vault.open(&grant.account, &grant.sealed));
        let (Ok(secrets), Some(candidate)) = (opened, self.caller.candidate(&grant.upstream, &self.envelope.model))
        else {
            return Ended::Failed(unreadable());
        };
        let Some(credential) = secrets.api_key() else { return Ended::Failed(unreadable()) };
        let (env, lease) = (self.env.clone(), grant.lease.clone());
        let renew = Rc::new(move || {
            let (env, lease) = (env.clone(), lease.clone());
            // A renewal that is lost is made up for by the next one: nobody need wait for it.
            wasm_bindgen_futures::spawn_local(async move {
                let _ = client::renew(&env, &lease).await;
            });
        });
        let service = self.service(&candidate, credential);
        self.attempt(&hot.settings, &candidate, receipt, renew).run(&service, answer).await
    }

    fn service<'a>(&'a self, candidate: &'a Candidate, credential: &'a str) -> Service<'a> {
        Service::Openai(openai::call::Call {
            envelope: &self.envelope,
            base_url: &candidate.base_url,
            model: &candidate.model,
            credential,
        })
    }

    fn attempt<'a>(
        &'a self,
        settings: &'a Settings,
        candidate: &Candidate,
        receipt: Receipt,
        renew: Rc<dyn Fn()>,
    ) -> Try<'a> {
        Try {
            envelope: &self.envelope,
            settings,
            departure: &self.departure,
            receipt,
            timeout_ms: candidate.timeout_ms,
            renew,
            renew_ms: client::RENEW_MS,
        }
    }

    /// Asks the ledger for an account that was not tried, and waits in its queue.
    async fn admit(&mut self, tries: &Tries) -> Result<Grant, NoLease> {
        for _ in 0..READMISSIONS {
            let request = self.admit_request(tries).map_err(NoLease::Refused)?;
            let queue_ms = self.caller.hot().settings.queue.max_wait_ms;
            match self.ask(&request, queue_ms).await? {
                AdmitReply::Granted(grant) if self.departure.is_gone() => {
                    client::settle(&self.env, &grant.lease, Outcome::Unused).await;
                    return Err(NoLease::Left);
                }
                AdmitReply::Granted(grant) if !grant.confirm || client::renew(&self.env, &grant.lease).await => {
                    return Ok(grant);
                }
                AdmitReply::Granted(_) => {}
                AdmitReply::Stale { version } => {
                    let hot = source::at_least(&self.env, version).await.map_err(NoLease::Refused)?;
                    self.caller.reload(hot).map_err(NoLease::Refused)?;
                }
                AdmitReply::Refused(refusal) => return Err(NoLease::Refused(refused(refusal, tries))),
            }
        }
        let message = "The configuration is changing too fast to serve this call. Please try again.";
        Err(NoLease::Refused(ChatError::new(ErrorKind::Internal, message)))
    }

    fn admit_request(&self, tries: &Tries) -> Result<AdmitRequest, ChatError> {
        Ok(AdmitRequest {
            version: self.caller.hot().version,
            ticket: format!("{}-{}", self.request_id, tries.receipt.attempts),
            key: self.caller.key_id().to_owned(),
            upstreams: self.caller.upstreams(&self.envelope.model)?,
            exclude: tries.accounts.clone(),
            conversation: self.envelope.conversation.map(|hash| hash.to_string()),
            tokens: self.envelope.tokens,
        })
    }

    /// One question to the ledger. A caller who leaves the queue gives up the place, and a grant that came all the same.
    async fn ask(&self, request: &AdmitRequest, queue_ms: u64) -> Result<AdmitReply, NoLease> {
        let asking = Box::pin(client::admit(&self.env, request, queue_ms));
        let reply = match select(asking, Box::pin(self.departure.wait())).await {
            Either::Left((reply, _)) => reply,
            Either::Right(((), asking)) => {
                client::cancel(&self.env, &request.ticket).await;
                if let Ok(AdmitReply::Granted(grant)) = asking.await {
                    client::settle(&self.env, &grant.lease, Outcome::Unused).await;
                }
                return Err(NoLease::Left);
            }
        };
        reply.map_err(NoLease::Refused)
    }
}

/// A caller who is gone needs no answer.
fn finish<E>(_told: Result<(), E>) {}

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
