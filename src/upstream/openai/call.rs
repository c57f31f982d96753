//! One call to an OpenAI-format service.
use std::cell::Cell;

use web_sys::{AbortSignal, ReadableStream};
use worker::Date;

use super::failure::{self, Context};
use super::fetch::{self, Reply};
use super::meter::{Fault, Meter};
use super::{answer, request};
use crate::chat::Envelope;
use crate::stream::pipe::{Broken, Source};
use crate::upstream::failure::{Failure, of_network, retry_after_ms};
use crate::upstream::service::Opened;

/// The most of an error's body that is read.
const ERROR_BODY_MAX: usize = 64 * 1024;

/// One call.
pub struct Call<'a> {
    /// What the caller wants.
    pub envelope: &'a Envelope,
    /// Where the service is.
    pub base_url: &'a str,
    /// The service's name for the model.
    pub model: &'a str,
    /// The account's key.
    pub credential: &'a str,
}

impl Call<'_> {
    /// Makes the call.
    ///
    /// # Errors
    /// What the service answered instead, or that it did not.
    pub async fn open(&self, signal: &AbortSignal, headers_seen: &Cell<bool>) -> Result<Opened, Failure> {
        let envelope = self.envelope;
        let url = request::url(self.base_url, envelope.endpoint);
        let body = request::body(envelope, self.model);
        let reply = fetch::post(&url, self.credential, &body, envelope.stream, signal).await;
        let reply = reply.map_err(|_| of_network())?;
        headers_seen.set(true);
        let context = || Context { secret: self.credential, retry_after_ms: retry_after(&reply) };
        if reply.status() != 200 {
            let body = read_some(reply.stream().as_ref()).await.map_err(|_| of_network())?;
            return Err(failure::of_status(reply.status(), &body, context()));
        }
        if let Some(body) = reply.whole() {
            let read = answer::read(envelope.endpoint, body.to_vec(), &envelope.model);
            let (body, usage) = read.map_err(|fault| failure::of_fault(&fault, context()))?;
            if envelope.stream {
                return Err(failure::of_fault(&Fault::Garbage, context()));
            }
            return Ok(Opened::Whole(body, usage));
        }
        let source = source(reply.stream().as_ref()).ok_or_else(of_network)?;
        let meter = Meter::new(&envelope.model, envelope.usage_asked, envelope.choices).within(context());
        Ok(Opened::Stream(source, Box::new(meter)))
    }
}

fn retry_after(reply: &Reply) -> Option<u64> {
    let exact = reply.header("retry-after-ms").and_then(|value| value.trim().parse().ok());
    exact.or_else(|| retry_after_ms(&reply.header("retry-after")?, Date::now().as_millis()))
}

fn source(body: Option<&ReadableStream>) -> Option<Source> {
    Source::new(body?).ok()
}

async fn read_some(body: Option<&ReadableStream>) -> Result<Vec<u8>, Broken> {
    let mut read = Vec::new();
    let Some(source) = source(body) else { return Ok(read) };
    while let Some(chunk) = source.read().await? {
        read.extend_from_slice(&chunk);
        if read.len() >= ERROR_BODY_MAX {
            source.cancel();
            break;
        }
    }
    Ok(read)
}
