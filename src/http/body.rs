//! Reads a caller's body, up to a bound.
use futures::StreamExt;
use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;
use worker::Request;

use crate::chat::{ChatError, ErrorKind};
use crate::stream::pipe::Source;

/// The most of a refused body that is read; the platform itself takes no more from most callers.
const DRAIN_MAX: u64 = 100 * 1024 * 1024;

/// The whole body.
///
/// # Errors
/// `RequestTooLarge` past `limit_bytes`; `InvalidRequest` when the caller breaks off.
pub(super) async fn read(request: &mut Request, limit_bytes: u64) -> Result<Vec<u8>, ChatError> {
    let announced =
        request.headers().get("content-length").ok().flatten().and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit_bytes) {
        drain(request).await;
        return Err(too_large(limit_bytes));
    }
    if announced.is_some() {
        // One promise for all of it, where a stream takes one for each piece.
        let body = request.inner().array_buffer().map_err(|_| broken_off())?;
        let body = JsFuture::from(body).await.map_err(|_| broken_off())?;
        return Ok(Uint8Array::new(&body).to_vec());
    }
    let Ok(mut chunks) = request.stream() else { return Ok(Vec::new()) };
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|_| broken_off())?);
        if body.len() as u64 > limit_bytes {
            return Err(too_large(limit_bytes));
        }
    }
    Ok(body)
}

/// Reads a body to its end without keeping it: a caller who is still sending when the connection closes sees a reset, and
/// never the answer.
async fn drain(request: &Request) {
    let Some(source) = request.inner().body().and_then(|body| Source::new(&body).ok()) else { return };
    let mut read: u64 = 0;
    while let Ok(Some(bytes)) = source.read().await {
        read = read.saturating_add(bytes.len() as u64);
        if read > DRAIN_MAX {
            source.cancel();
            return;
        }
    }
}

fn too_large(limit_bytes: u64) -> ChatError {
    let message = format!("The request body is larger than {limit_bytes} bytes (settings.max_body_bytes).");
    ChatError::new(ErrorKind::RequestTooLarge, message)
}

fn broken_off() -> ChatError {
    ChatError::new(ErrorKind::InvalidRequest, "The request body ended too early.")
}
