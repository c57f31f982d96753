//! A call's way to a lease: asked for, waited for, given up.
use futures::future::{Either, select};
use memchr::memmem;

use super::pooled::{Call, Tries};
use crate::chat::{Body, ChatError, ErrorKind, Outcome};
use crate::config::source;
use crate::ledger::client::{self, Admitted, Lease, Route};
use crate::ledger::protocol::{AdmitRequest, Reason, Refusal};

/// How often an admission is asked for again because the configuration changed under it, or a grant came too late.
const READMISSIONS: u32 = 5;

/// Why a call has no lease.
pub(super) enum NoLease {
    Left,
    Refused(ChatError),
}

impl Call {
    /// Asks the ledger for an account that was not tried, and waits in its queue.
    pub(super) async fn admit(&mut self, tries: &Tries) -> Result<Lease, NoLease> {
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
                Admitted::Leased(lease) => {
                    client::settle(&lease, Outcome::Unused);
                    self.send_settlements();
                }
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

    /// Whether the call holds pictures or documents, which not every upstream takes.
    fn shows(&self) -> bool {
        match &self.envelope.body {
            Body::Openai(raw) => memmem::find(&raw.bytes, b"\"image_url\"").is_some(),
            Body::Chat { chat, .. } => chat.shows(),
        }
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
