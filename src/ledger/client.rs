//! The Worker's side of the ledger: its methods, each with a deadline.
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use worker::Env;

use super::protocol::{AdmitReply, AdmitRequest, SettleRequest};
use super::status::Status;
use crate::chat::{ChatError, Outcome};
use crate::rpc;

/// Milliseconds between two renewals of a lease; a third of its life.
pub const RENEW_MS: u64 = 40_000;
/// How long the ledger may take to answer what needs no waiting.
const DEADLINE: Duration = Duration::from_secs(10);

async fn call<R: DeserializeOwned>(
    env: &Env,
    method: &str,
    argument: &impl Serialize,
    deadline: Duration,
) -> Result<R, ChatError> {
    rpc::call(env, "LEDGER", "main", method, argument, deadline).await
}

/// Asks for an account, and waits in the queue for up to `queue_ms`.
///
/// # Errors
/// `Internal` when the ledger does not answer.
pub async fn admit(env: &Env, request: &AdmitRequest, queue_ms: u64) -> Result<AdmitReply, ChatError> {
    call(env, "admit", request, DEADLINE.saturating_add(Duration::from_millis(queue_ms))).await
}

/// Ends a lease. A settlement that is lost is made up for by the lease's expiry.
pub async fn settle(env: &Env, lease: &str, outcome: Outcome) {
    let request = SettleRequest { lease: lease.to_owned(), outcome };
    // The call logs its own failure.
    drop(call::<bool>(env, "settle", &request, DEADLINE).await);
}

/// Extends a lease; false when it has ended.
pub async fn renew(env: &Env, lease: &str) -> bool {
    call(env, "renew", &lease, DEADLINE).await.unwrap_or(false)
}

/// Gives up a place in the queue.
pub async fn cancel(env: &Env, ticket: &str) {
    drop(call::<bool>(env, "cancel", &ticket, DEADLINE).await);
}

/// What every account is doing.
///
/// # Errors
/// `Internal` when the ledger does not answer.
pub async fn status(env: &Env) -> Result<Status, ChatError> {
    call(env, "status", &(), DEADLINE).await
}

/// Who would serve a request, and why others would not. Nothing changes.
///
/// # Errors
/// `Internal` when the ledger does not answer.
pub async fn explain(env: &Env, request: &AdmitRequest) -> Result<Value, ChatError> {
    call(env, "explain", request, DEADLINE).await
}
