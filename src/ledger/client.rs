//! The Worker's side of the ledger: its methods, each with a deadline, and the search over its shards.
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::Env;

use super::candidates::Candidates;
use super::protocol::{AdmitReply, AdmitRequest, Grant, Reason, Refusal, SettleRequest};
use super::settlements;
use super::shard;
use super::status::{Explanation, KeyStatus, Status};
use crate::chat::{ChatError, Outcome};
use crate::rpc;

/// Milliseconds between two renewals of a lease; a third of its life.
pub const RENEW_MS: u64 = 40_000;
/// How long the ledger may take to answer what needs no waiting.
const DEADLINE: Duration = Duration::from_secs(10);
/// Shards that are asked before a request waits in one of them.
const TRIES: usize = 2;

/// Where a request may be served.
#[derive(Clone, Debug)]
pub struct Route {
    /// The shards that own accounts for it, in the order in which they are tried.
    pub shards: Vec<u32>,
    /// Where the key's limits are counted, if it has any.
    pub home: Option<u32>,
}

/// A lease, where it was given, and the lease on the key's own limits where those are counted elsewhere.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The right to make a call.
    pub grant: Grant,
    /// The accounts that it was chosen from.
    pub candidates: Candidates,
    shard: u32,
    pass: Option<Pass>,
}

#[derive(Clone, Debug)]
struct Pass {
    shard: u32,
    lease: String,
}

/// How an admission ended.
pub enum Admitted {
    /// With a lease; to be settled.
    Leased(Lease),
    /// The caller routed with an old configuration.
    Stale {
        /// The ledger's version.
        version: u64,
    },
    /// With no call, and why; and the accounts that might have served.
    Refused(Refusal, Candidates),
}

async fn call<R: DeserializeOwned>(
    env: &Env,
    shard: u32,
    method: &str,
    argument: &impl Serialize,
    deadline: Duration,
) -> Result<R, ChatError> {
    rpc::call(env, "LEDGER", &shard::object_name(shard), method, argument, deadline).await
}

async fn ask(env: &Env, shard: u32, request: &AdmitRequest, queue_ms: u64) -> Result<AdmitReply, ChatError> {
    let ended = settlements::take(shard);
    let deadline = DEADLINE.saturating_add(Duration::from_millis(queue_ms));
    let reply = call(env, shard, "admit", &(request, &ended), deadline).await;
    if reply.is_err() {
        settlements::add(shard, ended);
    }
    reply
}

/// Asks for an account, and waits in the queue for up to `queue_ms`; a caller who `is_gone` is not waited for.
///
/// # Errors
/// `Internal` when the ledger does not answer.
pub async fn admit(
    env: &Env,
    request: &AdmitRequest,
    route: &Route,
    queue_ms: u64,
    is_gone: impl Fn() -> bool,
) -> Result<Admitted, ChatError> {
    let mut pass = None;
    let admitted = search(env, request, route, queue_ms, is_gone, &mut pass).await;
    let pass = pass.take();
    match admitted {
        Ok(Admitted::Leased(lease)) => Ok(Admitted::Leased(Lease { pass, ..lease })),
        other => {
            if let Some(pass) = pass {
                end(pass.shard, pass.lease, Outcome::Unused);
            }
            other
        }
    }
}

/// Tries two shards without waiting, more while nobody is left in those; then waits where a place is free soonest.
async fn search(
    env: &Env,
    request: &AdmitRequest,
    route: &Route,
    queue_ms: u64,
    is_gone: impl Fn() -> bool,
    pass: &mut Option<Pass>,
) -> Result<Admitted, ChatError> {
    let mut soonest: Option<(u64, u32)> = None;
    let (mut refused, mut candidates) = (None, Candidates::default());
    let is_split = route.shards.len() > 1;
    for (tried, shard) in route.shards.iter().copied().enumerate() {
        if is_gone() || (tried >= TRIES && soonest.is_some()) {
            break;
        }
        if let Err(refusal) = take_pass(env, request, route.home.filter(|home| *home != shard), queue_ms, pass).await? {
            return Ok(refusal);
        }
        let request = AdmitRequest { waits: !is_split, ..request.clone() };
        match ask(env, shard, &request, if is_split { 0 } else { queue_ms }).await? {
            AdmitReply::Granted(grant, others) => {
                candidates.join(others, request.candidates_max);
                return Ok(Admitted::Leased(Lease { grant, candidates, shard, pass: None }));
            }
            AdmitReply::Stale { version } => return Ok(Admitted::Stale { version }),
            AdmitReply::Refused(refusal, others) => {
                candidates.join(others, request.candidates_max);
                if matches!(refusal.reason, Reason::KeyLimit | Reason::KeyRevoked) || !is_split {
                    return Ok(Admitted::Refused(refusal, candidates));
                }
                if let Some(wait) = refusal.retry_after_ms
                    && soonest.is_none_or(|(other, _)| wait < other)
                {
                    soonest = Some((wait, shard));
                    refused = Some(refusal);
                } else {
                    refused = refused.or(Some(refusal));
                }
            }
        }
    }
    if let Some((_, shard)) = soonest
        && !is_gone()
    {
        if let Err(refusal) = take_pass(env, request, route.home.filter(|home| *home != shard), queue_ms, pass).await? {
            return Ok(refusal);
        }
        return Ok(match ask(env, shard, request, queue_ms).await? {
            // It was asked before: its accounts are told already.
            AdmitReply::Granted(grant, _) => Admitted::Leased(Lease { grant, candidates, shard, pass: None }),
            AdmitReply::Stale { version } => Admitted::Stale { version },
            AdmitReply::Refused(refusal, _) => Admitted::Refused(refusal, candidates),
        });
    }
    let nobody = || Refusal {
        reason: Reason::NoAccount,
        retry_after_ms: None,
        detail: "No account can serve this model.".to_owned(),
    };
    Ok(Admitted::Refused(refused.unwrap_or_else(nobody), candidates))
}

/// Makes sure that the key is counted once: at `home`, or, where that is `None`, with the account itself.
async fn take_pass(
    env: &Env,
    request: &AdmitRequest,
    home: Option<u32>,
    queue_ms: u64,
    pass: &mut Option<Pass>,
) -> Result<Result<(), Admitted>, ChatError> {
    match (home, &pass) {
        (Some(_), Some(_)) | (None, None) => return Ok(Ok(())),
        (None, Some(_)) => {
            if let Some(pass) = pass.take() {
                end(pass.shard, pass.lease, Outcome::Unused);
            }
            return Ok(Ok(()));
        }
        (Some(_), None) => {}
    }
    let Some(shard) = home else { return Ok(Ok(())) };
    let request = AdmitRequest {
        ticket: pass_ticket(&request.ticket),
        upstreams: vec![String::new()],
        exclude: Vec::new(),
        conversation: None,
        ..request.clone()
    };
    match ask(env, shard, &request, queue_ms).await? {
        AdmitReply::Granted(grant, _) => {
            *pass = Some(Pass { shard, lease: grant.lease.clone() });
            if grant.confirm && !extend(env, shard, &grant.lease).await {
                *pass = None;
                let detail = "The turn of this API key came too late.".to_owned();
                let refusal = Refusal { reason: Reason::KeyLimit, retry_after_ms: Some(1_000), detail };
                return Ok(Err(Admitted::Refused(refusal, Candidates::default())));
            }
            Ok(Ok(()))
        }
        AdmitReply::Stale { version } => Ok(Err(Admitted::Stale { version })),
        AdmitReply::Refused(refusal, _) => Ok(Err(Admitted::Refused(refusal, Candidates::default()))),
    }
}

fn pass_ticket(ticket: &str) -> String {
    format!("{ticket}-key")
}

/// Ends a lease: with the next admission, or when what waits is [sent](`send_settlements`). A settlement that is lost is
/// made up for by the lease's expiry.
pub fn settle(lease: &Lease, outcome: Outcome) {
    if let Some(pass) = &lease.pass {
        end(pass.shard, pass.lease.clone(), outcome_of_key(&outcome));
    }
    end(lease.shard, lease.grant.lease.clone(), outcome);
}

/// Sends, after a moment, the settlements that no admission took along. For the end of a task that nobody waits for.
pub async fn send_settlements(env: &Env) {
    send(env, settlements::take_rest().await).await;
}

async fn send(env: &Env, waiting: BTreeMap<u32, Vec<SettleRequest>>) {
    join_all(waiting.into_iter().map(async |(shard, ended)| {
        // The call logs its own failure.
        if call::<()>(env, shard, "settle", &ended, DEADLINE).await.is_err() {
            settlements::add(shard, ended);
        }
    }))
    .await;
}

/// What an account did wrong is nothing that its caller's key did.
fn outcome_of_key(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Success { .. } | Outcome::Cancelled { .. } | Outcome::Unused => outcome.clone(),
        _ => Outcome::CallerError,
    }
}

fn end(shard: u32, lease: String, outcome: Outcome) {
    settlements::add(shard, [SettleRequest { lease, outcome }]);
}

/// Extends a lease; false when it has ended.
pub async fn renew(env: &Env, lease: &Lease) -> bool {
    if let Some(pass) = &lease.pass {
        extend(env, pass.shard, &pass.lease).await;
    }
    extend(env, lease.shard, &lease.grant.lease).await
}

async fn extend(env: &Env, shard: u32, lease: &str) -> bool {
    call(env, shard, "renew", &lease, DEADLINE).await.unwrap_or(false)
}

/// Gives up a place in the queue, wherever it is.
pub async fn cancel(env: &Env, ticket: &str, route: &Route) {
    let key = route.home.map(|home| (home, pass_ticket(ticket)));
    let places = route.shards.iter().map(|shard| (*shard, ticket.to_owned())).chain(key);
    join_all(places.map(async |(shard, ticket)| {
        drop(call::<bool>(env, shard, "cancel", &ticket, DEADLINE).await);
    }))
    .await;
}

/// Counts an account's uses from 0 again, and takes it for well; false where the ledger does not know it.
///
/// # Errors
/// `Internal` when the ledger does not answer.
pub async fn reset(env: &Env, account: &str, shards: u32) -> Result<bool, ChatError> {
    call(env, shard::of(account, shards), "reset", &account, DEADLINE).await
}

/// Tells how an operator's test of an account ended: one that answered is well again, another one as after any call.
pub async fn tested(env: &Env, account: &str, shards: u32, outcome: &Outcome) {
    // The call logs its own failure; the operator sees the account's state.
    drop(call::<bool>(env, shard::of(account, shards), "tested", &(account, outcome), DEADLINE).await);
}

/// What every account is doing, over all shards, after what has ended in this isolate.
///
/// # Errors
/// `Internal` when the ledger does not answer.
pub async fn status(env: &Env, shards: u32) -> Result<Status, ChatError> {
    send(env, settlements::take_all()).await;
    let parts = join_all((0..shards).map(|shard| call::<Status>(env, shard, "status", &(), DEADLINE))).await;
    Ok(Status::merge(parts.into_iter().collect::<Result<_, _>>()?))
}

/// What one key is doing, over all shards; `None` where the ledger does not know it.
///
/// # Errors
/// `Internal` when the ledger does not answer.
pub async fn key_status(env: &Env, shards: u32, id: &str) -> Result<Option<KeyStatus>, ChatError> {
    send(env, settlements::take_all()).await;
    let mut parts = Vec::new();
    for shard in 0..shards {
        let key: Option<KeyStatus> = call(env, shard, "key_status", &id, DEADLINE).await?;
        parts.extend(key.map(|key| Status { accounts: Vec::new(), keys: vec![key], waiting: 0 }));
    }
    Ok(Status::merge(parts).keys.pop())
}

/// Who would serve a request, and why others would not. Nothing changes.
///
/// # Errors
/// `Internal` when the ledger does not answer.
pub async fn explain(env: &Env, request: &AdmitRequest, route: &Route) -> Result<Explanation, ChatError> {
    send(env, settlements::take_all()).await;
    let parts =
        join_all(route.shards.iter().map(|shard| call::<Explanation>(env, *shard, "explain", request, DEADLINE))).await;
    Ok(Explanation::merge(parts.into_iter().collect::<Result<_, _>>()?))
}
