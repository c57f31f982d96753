//! Answers: JSON and error bodies, and the headers that every answer carries.
use js_sys::Uint8Array;
use serde_json::Value;
use wasm_bindgen::prelude::*;
use web_sys::{ReadableStream, Response};

use crate::chat::{ChatError, ErrorKind};
use crate::dialect::Dialect;

/// A wait that no client should sit out: some would sleep an hour (api-conformance B2).
const LONGEST_WAIT_MS: u64 = 60_000;
/// What a page may read of an answer (H3).
const EXPOSED: &str = "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, x-weir-attempts, \
                       x-weir-queue-ms, x-weir-model, allow";

#[wasm_bindgen(module = "/src/http/exchange.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn respond(status: u16, headers: &str, body: &JsValue) -> Result<Response, JsValue>;
}

/// An answer to be sent.
pub(super) struct Outgoing {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Payload,
}

enum Payload {
    None,
    Bytes(Vec<u8>),
    Stream(ReadableStream),
}

impl Outgoing {
    /// Adds a header.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Outgoing {
        self.headers.push((name, value.into()));
        self
    }

    /// Puts the request's id on it, and lets pages of `origin` read it.
    pub(super) fn finish(self, request_id: &str, origin: Option<String>) -> Outgoing {
        let answer = self.with("x-request-id", request_id).with("request-id", request_id);
        match origin {
            Some(origin) => {
                answer.with("access-control-allow-origin", origin).with("access-control-expose-headers", EXPOSED)
            }
            None => answer,
        }
    }

    /// The same without its body: the answer to `HEAD`.
    pub(super) fn without_body(self) -> Outgoing {
        Outgoing { body: Payload::None, ..self }
    }

    /// The platform's response.
    ///
    /// # Errors
    /// Where a header's value is none.
    pub(super) fn send(self) -> worker::Result<Response> {
        let headers = serde_json::to_string(&self.headers)?;
        let body = match self.body {
            Payload::None => JsValue::NULL,
            Payload::Bytes(bytes) => Uint8Array::from(bytes.as_slice()).into(),
            Payload::Stream(stream) => stream.into(),
        };
        Ok(respond(self.status, &headers, &body)?)
    }
}

/// A JSON answer.
pub(super) fn json(status: u16, body: &Value) -> Outgoing {
    bytes(status, body.to_string().into_bytes(), "application/json")
}

/// An answer with this body.
pub(super) fn bytes(status: u16, body: Vec<u8>, content_type: &str) -> Outgoing {
    Outgoing { status, headers: Vec::new(), body: Payload::Bytes(body) }.with("content-type", content_type)
}

/// A streamed answer.
pub(super) fn stream(readable: ReadableStream) -> Outgoing {
    Outgoing { status: 200, headers: Vec::new(), body: Payload::Stream(readable) }
        .with("content-type", "text/event-stream; charset=utf-8")
        .with("cache-control", "no-cache")
}

/// An error, with what tells a client when to come back.
pub(super) fn error(error: &ChatError, dialect: Dialect, request_id: &str) -> Outgoing {
    let is_long = error.retry_after_ms.is_none_or(|wait| wait > LONGEST_WAIT_MS);
    // Codex does not know `x-should-retry`, and would sleep on: it is told in words alone.
    let in_words = error.retry_after_ms.filter(|_| is_long && dialect == Dialect::Responses);
    let told = in_words.map(|wait_ms| {
        let message = format!("{} Try again in {} minutes.", error.message, wait_ms.div_ceil(60_000));
        ChatError { message, retry_after_ms: None, ..error.clone() }
    });
    let error = told.as_ref().unwrap_or(error);
    let mut answer = json(error.status(), &dialect.error_body(error, request_id));
    if error.kind == ErrorKind::MethodNotAllowed
        && let Some(allowed) = &error.param
    {
        answer = answer.with("allow", allowed);
    }
    if let Some(wait_ms) = error.retry_after_ms {
        answer = answer
            .with("retry-after", wait_ms.div_ceil(1000).max(1).to_string())
            .with("retry-after-ms", wait_ms.max(1).to_string());
    }
    if matches!(error.status(), 429 | 503) && is_long {
        answer = answer.with("x-should-retry", "false");
    }
    answer
}

/// The answer to a preflight: it echoes what the page wants to send, since `*` does not cover `Authorization` (H1).
pub(super) fn preflight(asked_headers: Option<&str>) -> Outgoing {
    let answer = Outgoing { status: 204, headers: Vec::new(), body: Payload::None }
        .with("access-control-allow-methods", "GET, POST, DELETE, OPTIONS")
        .with("access-control-max-age", "86400")
        .with("vary", "access-control-request-headers");
    match asked_headers {
        Some(asked) => answer.with("access-control-allow-headers", asked),
        None => answer,
    }
}
