//! Calls of a service over HTTP.
use std::pin::pin;

use futures::future::{Either, select};
use js_sys::{RangeError, Uint8Array};
use serde_json::{Map, Value};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, ReadableStream};
use worker::Date;

use super::failure::{Failure, of_length, of_network, retry_after_ms};
use crate::stream::pipe::Source;

/// How Weir names itself; the platform sends no `User-Agent` of its own.
pub const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));
/// The most that is read of a body that is no answer.
const BEGINNING_MAX: usize = 64 * 1024;

#[wasm_bindgen(module = "/src/upstream/fetch.js")]
extern "C" {
    /// What a service answered.
    pub type Reply;

    /// The HTTP status.
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Reply) -> u16;

    #[wasm_bindgen(method, getter, js_name = whole)]
    fn whole_js(this: &Reply) -> Option<Uint8Array>;

    #[wasm_bindgen(method, getter, js_name = stream)]
    fn stream_js(this: &Reply) -> Option<ReadableStream>;

    /// A header.
    #[wasm_bindgen(method)]
    pub fn header(this: &Reply, name: &str) -> Option<String>;

    #[wasm_bindgen(js_name = aborted)]
    async fn aborted_js(signal: &AbortSignal);

    #[wasm_bindgen(catch, js_name = post)]
    async fn post_js(
        url: &str,
        headers: &str,
        body: Uint8Array,
        stream: bool,
        max_bytes: f64,
        signal: &AbortSignal,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = open)]
    async fn open_js(url: &str, headers: &str, body: Uint8Array, signal: &AbortSignal) -> Result<JsValue, JsValue>;
}

/// Posts `body` to `url`. Answers once the headers of a `stream` or of an error are there, or all of a plain answer, which
/// JSON always is.
///
/// # Errors
/// When the connection fails, when `signal` aborts, or when a plain answer has more than `max_bytes`.
pub async fn post(
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    stream: bool,
    max_bytes: u64,
    signal: &AbortSignal,
) -> Result<Reply, Failure> {
    let reply = post_js(url, &json(headers), Uint8Array::from(body), stream, max_bytes as f64, signal).await;
    reply.map(JsCast::unchecked_into).map_err(|error| match error.has_type::<RangeError>() {
        true => of_length(max_bytes),
        false => of_network(),
    })
}

/// As [`post`], for a service that says nothing reliable of what it answers: the body is a stream, whatever it is.
///
/// # Errors
/// When the connection fails, or when `signal` aborts.
pub async fn open(url: &str, headers: &[(&str, &str)], body: &[u8], signal: &AbortSignal) -> Result<Reply, Failure> {
    let reply = open_js(url, &json(headers), Uint8Array::from(body), signal).await;
    reply.map(JsCast::unchecked_into).map_err(|_| of_network())
}

fn json(headers: &[(&str, &str)]) -> String {
    let headers: Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    Value::from(headers).to_string()
}

/// What `work` gives, unless `signal` aborts first.
///
/// # Errors
/// When `signal` aborts.
pub async fn unless_aborted<T>(work: impl Future<Output = T>, signal: &AbortSignal) -> Result<T, Failure> {
    match select(pin!(work), pin!(aborted_js(signal))).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(of_network()),
    }
}

impl Reply {
    /// The body, where it is a 200, and JSON or no stream was asked for.
    pub fn whole(&self) -> Option<Vec<u8>> {
        self.whole_js().map(|body| body.to_vec())
    }

    /// The body otherwise; `None` where there is none.
    pub fn source(&self) -> Option<Source> {
        Source::new(&self.stream_js()?).ok()
    }

    /// The beginning of a body that is no answer: all of most.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn beginning(&self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let Some(source) = self.source() else { return Ok(body) };
        while let Some(read) = source.read().await.map_err(|_| of_network())? {
            body.extend_from_slice(&read);
            if body.len() >= BEGINNING_MAX {
                source.cancel();
                break;
            }
        }
        Ok(body)
    }

    /// `Retry-After`, in milliseconds.
    pub fn retry_after(&self) -> Option<u64> {
        let exact = self.header("retry-after-ms").and_then(|value| value.trim().parse().ok());
        exact.or_else(|| retry_after_ms(&self.header("retry-after")?, Date::now().as_millis()))
    }
}
