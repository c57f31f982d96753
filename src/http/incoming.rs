//! A request as it came: what it says of itself, read in one crossing to JavaScript, and its body.
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Request};

use crate::chat::{ChatError, ErrorKind};
use crate::config::source;
use crate::stream::pipe::Source;

/// The headers that Weir reads.
const HEADERS: &str =
    "authorization x-api-key anthropic-version content-length cf-connecting-ip access-control-request-headers upgrade";
/// The most of a refused body that is read, which is what the platform itself takes from most callers, and for how long.
const DRAIN_BYTES: f64 = 100.0 * 1024.0 * 1024.0;
const DRAIN_MS: f64 = 3_000.0;

#[wasm_bindgen(module = "/src/http/exchange.js")]
extern "C" {
    fn head(request: &Request, names: &str) -> String;
}

/// One request.
pub(super) struct Incoming {
    /// `GET`, `POST`, …
    pub(super) method: String,
    /// The name that the caller knows this gateway by.
    pub(super) host: String,
    /// As it was sent, percent-encoded.
    pub(super) path: String,
    query: String,
    headers: Vec<String>,
    request: Request,
}

impl Incoming {
    pub(super) fn new(request: Request) -> Incoming {
        let head = head(&request, HEADERS);
        let mut lines = head.split('\n').map(str::to_owned);
        let mut next = || lines.next().unwrap_or_default();
        let (method, host, path, query) = (next(), next(), next(), next());
        Incoming { method, host, path, query, headers: lines.collect(), request }
    }

    /// One of [`HEADERS`]; an empty one is none.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let at = HEADERS.split(' ').position(|known| known == name)?;
        self.headers.get(at).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The query's names and values, decoded.
    pub(super) fn query(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.trim_start_matches('?').as_bytes()).into_owned().collect()
    }

    /// Fires when the caller leaves.
    pub(super) fn signal(&self) -> AbortSignal {
        self.request.signal()
    }

    /// The whole body. Of one that is too large, the rest is drained.
    ///
    /// # Errors
    /// `RequestTooLarge` past `limit_bytes`; `InvalidRequest` when the caller breaks off.
    pub(super) async fn body(&self, limit_bytes: u64) -> Result<Vec<u8>, ChatError> {
        let announced = self.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if announced.is_some_and(|length| length <= limit_bytes) {
            // One promise for all of it, where a stream takes one for each piece.
            let body = self.request.array_buffer().map_err(|_| broken_off())?;
            let body = JsFuture::from(body).await.map_err(|_| broken_off())?;
            return Ok(Uint8Array::new(&body).to_vec());
        }
        let Some(source) = self.source() else { return Ok(Vec::new()) };
        let mut body = Vec::new();
        while announced.is_none()
            && let Some(bytes) = source.read().await.map_err(|_| broken_off())?
        {
            body.extend_from_slice(&bytes);
            if body.len() as u64 > limit_bytes {
                break;
            }
        }
        if announced.is_none() && body.len() as u64 <= limit_bytes {
            return Ok(body);
        }
        drop(body);
        source.drain(DRAIN_BYTES, DRAIN_MS).await;
        Err(too_large(limit_bytes))
    }

    /// Reads on where nobody has read, so that the answer arrives: see [`Source::drain`].
    pub(super) async fn drain(&self) {
        if let Some(source) = self.source() {
            source.drain(DRAIN_BYTES, DRAIN_MS).await;
        }
    }

    fn source(&self) -> Option<Source> {
        Source::new(&self.request.body()?).ok()
    }
}

fn too_large(limit_bytes: u64) -> ChatError {
    let setting = if limit_bytes == source::max_body_bytes() { " (settings.max_body_bytes)" } else { "" };
    let message = format!("The request body is larger than {limit_bytes} bytes{setting}.");
    ChatError::new(ErrorKind::RequestTooLarge, message)
}

fn broken_off() -> ChatError {
    ChatError::new(ErrorKind::InvalidRequest, "The request body ended too early.")
}
