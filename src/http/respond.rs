//! Answers: JSON and error bodies, and the headers that every answer carries.
use serde_json::Value;
use worker::{Headers, Response, ResponseBuilder, Result};

use crate::chat::{ChatError, ErrorKind};
use crate::dialect::Dialect;

/// A wait that no client should sit out: some would sleep an hour (api-conformance B2).
const LONGEST_WAIT_MS: u64 = 60_000;
/// What a page may read of an answer (H3).
const EXPOSED: &str = "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, x-weir-attempts, \
                       x-weir-queue-ms, x-weir-model, allow";

/// A JSON answer.
pub(super) fn json(status: u16, body: &Value) -> Result<Response> {
    bytes(status, body.to_string().into_bytes(), "application/json")
}

/// An answer with this body.
pub(super) fn bytes(status: u16, body: Vec<u8>, content_type: &str) -> Result<Response> {
    let headers = Headers::new();
    headers.set("content-type", content_type)?;
    Ok(ResponseBuilder::new().with_status(status).with_headers(headers).fixed(body))
}

/// A streamed answer.
pub(super) fn stream(readable: web_sys::ReadableStream) -> Result<Response> {
    let headers = Headers::new();
    headers.set("content-type", "text/event-stream; charset=utf-8")?;
    headers.set("cache-control", "no-cache")?;
    Ok(ResponseBuilder::new().with_headers(headers).stream(readable))
}

/// An error, with what tells a client when to come back.
pub(super) fn error(error: &ChatError, dialect: Dialect, request_id: &str) -> Result<Response> {
    let is_long = error.retry_after_ms.is_none_or(|wait| wait > LONGEST_WAIT_MS);
    // Codex does not know `x-should-retry`, and would sleep on: it is told in words alone.
    let in_words = error.retry_after_ms.filter(|_| is_long && dialect == Dialect::Responses);
    let told = in_words.map(|wait_ms| {
        let message = format!("{} Try again in {} minutes.", error.message, wait_ms.div_ceil(60_000));
        ChatError { message, retry_after_ms: None, ..error.clone() }
    });
    let error = told.as_ref().unwrap_or(error);
    let answer = json(error.status(), &dialect.error_body(error, request_id))?;
    let headers = answer.headers();
    if error.kind == ErrorKind::MethodNotAllowed
        && let Some(allowed) = &error.param
    {
        headers.set("allow", allowed)?;
    }
    if let Some(wait_ms) = error.retry_after_ms {
        headers.set("retry-after", &wait_ms.div_ceil(1000).max(1).to_string())?;
        headers.set("retry-after-ms", &wait_ms.max(1).to_string())?;
    }
    if matches!(error.status(), 429 | 503) && is_long {
        headers.set("x-should-retry", "false")?;
    }
    Ok(answer)
}

/// The answer to a preflight: it echoes what the page wants to send, since `*` does not cover `Authorization` (H1).
pub(super) fn preflight(asked_headers: Option<&str>) -> Result<Response> {
    let headers = Headers::new();
    headers.set("access-control-allow-methods", "GET, POST, DELETE, OPTIONS")?;
    headers.set("access-control-max-age", "86400")?;
    if let Some(asked) = asked_headers {
        headers.set("access-control-allow-headers", asked)?;
    }
    headers.set("vary", "access-control-request-headers")?;
    Ok(ResponseBuilder::new().with_status(204).with_headers(headers).empty())
}

/// Puts the request's id on an answer, and lets pages of `origin` read it.
pub(super) fn finish(answer: &Response, request_id: &str, origin: Option<&str>) -> Result<()> {
    let headers = answer.headers();
    headers.set("x-request-id", request_id)?;
    headers.set("request-id", request_id)?;
    if let Some(origin) = origin {
        headers.set("access-control-allow-origin", origin)?;
        headers.set("access-control-expose-headers", EXPOSED)?;
    }
    Ok(())
}
