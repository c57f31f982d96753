//! `POST /admin/accounts/test` and `test-all`: whether an account answers, at the cost of one short call on it.
use std::cell::Cell;
use std::pin::{Pin, pin};

use futures::StreamExt;
use futures::future::ready;
use futures::stream;
use serde_json::{Value, json};
use worker::Env;

use super::{AdminCall, AdminReply, allow};
use crate::chat::{ChatError, ErrorKind, Outcome};
use crate::config::source;
use crate::dialect::fields::Field;
use crate::http::probe;
use crate::ledger::client;
use crate::stream::pipe::{Departure, Sink};

/// Accounts that are tested at once.
const AT_ONCE: usize = 4;
const COST: &str = "one short call on the account";

/// `POST /admin/accounts/test`: `{"id"}` or `{"email"}`, and `{"model"}` where it matters.
pub(super) async fn one(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["POST"])?;
    let body = call.object()?;
    let body = Field::root(&body);
    let (id, email) = (body.at("id").text()?, body.at("email").text()?);
    let id = id.or(email).ok_or_else(|| ChatError::field("id", "`id` or `email` of an account is needed."))?;
    source::newest(env).await?;
    let model = body.at("model").text()?;
    Ok(AdminReply::ok(test(env, &id, model.as_deref()).await?))
}

/// `POST /admin/accounts/test-all`: those of `ids`, or all; with `?stream=true` each result as it comes.
pub(super) async fn all(call: &AdminCall<'_>, env: &Env) -> Result<AdminReply, ChatError> {
    allow(call, &["POST"])?;
    let body = if call.body.is_empty() { Value::Null } else { call.object()? };
    let body = Field::root(&body);
    let (mut ids, model) = (body.at("ids").texts()?, body.at("model").text()?);
    source::newest(env).await?;
    if !body.at("ids").is_there() {
        let document: Value = source::registry(env, "document", &()).await?;
        let accounts = document.get("accounts").and_then(Value::as_array);
        let id = |account: &Value| account.get("id").and_then(Value::as_str).map(str::to_owned);
        ids = accounts.into_iter().flatten().filter_map(id).collect();
    }
    if !call.asks("stream")? {
        return Ok(AdminReply::ok(test_all(env, ids, model, None).await));
    }
    let stall_ms = source::current(env).await?.settings.deadlines.stall_ms;
    let (env, sink) = (env.clone(), Sink::new(&Departure::new(call.signal), stall_ms as f64));
    let readable = sink.readable();
    call.context.wait_until(async move {
        let summary = test_all(&env, ids, model, Some(&sink)).await;
        // A caller who is gone needs no summary.
        let _ = sink.write(format!("event: done\ndata: {summary}\n\n").as_bytes()).await;
        let _ = sink.close().await;
    });
    Ok(AdminReply { stream: Some(readable), ..AdminReply::ok(Value::Null) })
}

/// Tests a few at a time, until all are or the caller is gone; the results go to the sink, or into the answer.
async fn test_all(env: &Env, ids: Vec<String>, model: Option<String>, sink: Option<&Sink>) -> Value {
    let (mut results, mut succeeded, mut tested) = (Vec::new(), 0_u64, 0_u64);
    let is_left = Cell::new(false);
    let asked = stream::iter(ids.iter().enumerate()).take_while(|_| ready(!is_left.get()));
    let tests = asked.map(async |(at, id)| (at, id, test(env, id, model.as_deref()).await));
    // Those under way when the caller leaves come to their end: an account is not left in the middle of a call.
    let mut tests = pin!(tests.buffer_unordered(AT_ONCE));
    while let Some((at, id, result)) = tests.next().await {
        let failed = |error: ChatError| json!({"id": id, "success": false, "message": error.message});
        let result = result.unwrap_or_else(failed);
        tested = tested.saturating_add(1);
        succeeded = succeeded.saturating_add(u64::from(result.get("success") == Some(&Value::Bool(true))));
        match sink {
            None => results.push((at, result)),
            Some(sink) if sink.write(format!("data: {result}\n\n").as_bytes()).await.is_err() => is_left.set(true),
            Some(_) => {}
        }
    }
    let mut summary = json!({"total": ids.len(), "success": succeeded, "failed": tested - succeeded, "cost": format!("{COST}, of each")});
    if let (None, Some(fields)) = (sink, summary.as_object_mut()) {
        results.sort_by_key(|(at, _)| *at);
        fields.insert("results".to_owned(), results.into_iter().map(|(_, result)| result).collect());
    }
    summary
}

/// One test. Boxed: it is large, and there are two ways to it.
type Testing<'a> = Pin<Box<dyn Future<Output = Result<Value, ChatError>> + 'a>>;

fn test<'a>(env: &'a Env, id: &'a str, model: Option<&'a str>) -> Testing<'a> {
    Box::pin(make_test(env, id, model))
}

async fn make_test(env: &Env, id: &str, model: Option<&str>) -> Result<Value, ChatError> {
    let account: Option<Value> = source::registry(env, "account", &id).await?;
    let missing = || ChatError::new(ErrorKind::NotFound, format!("There is no account `{id}`."));
    let account = account.ok_or_else(missing)?;
    let text = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default();
    let hot = source::current(env).await?;
    let shards = hot.settings.ledger_shards;
    let in_flight = match account.get("concurrency").and_then(Value::as_u64) {
        Some(limit) => {
            let status = client::status(env, shards).await?;
            let known = status.accounts.into_iter().find(|known| known.id == text("id"));
            known.map(|known| known.in_flight).filter(|in_flight| *in_flight >= limit && limit > 0)
        }
        None => None,
    };
    if let Some(in_flight) = in_flight {
        let message = format!("Not tested: {in_flight} calls are in flight, which is all that the account may have.");
        return Ok(json!({"id": text("id"), "success": false, "message": message}));
    }
    let probed = probe::run(env, hot, text("id"), text("upstream"), text("sealed"), model).await;
    let success = probed.result.is_ok();
    let (message, outcome) = match probed.result {
        Ok(answer) => (format!("It answered: {answer}"), Outcome::Success { usage: probed.usage }),
        Err(failure) => (failure.error.message, failure.outcome),
    };
    // Whoever mended an account and tests it expects it to serve. What is no fault of the account says nothing of it.
    if !matches!(outcome, Outcome::Unused | Outcome::CallerError) {
        client::tested(env, text("id"), shards, &outcome).await;
    }
    Ok(json!({
        "id": text("id"), "email": account.get("email"), "success": success, "message": message,
        "latency_ms": probed.latency_ms, "model": probed.model, "tokens": probed.usage, "cost": COST,
    }))
}
