//! One call to an OpenAI-format service.
use std::cell::Cell;

use web_sys::AbortSignal;

use super::failure::{self, Context};
use super::meter::{Fault, Meter};
use super::{answer, request};
use crate::chat::Envelope;
use crate::upstream::failure::{Failure, of_network};
use crate::upstream::fetch::{self, USER_AGENT};
use crate::upstream::service::Opened;

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
        let headers = [
            ("authorization", &*format!("Bearer {}", self.credential)),
            ("content-type", "application/json"),
            ("accept", if envelope.stream { "text/event-stream" } else { "application/json" }),
            ("user-agent", USER_AGENT),
        ];
        let reply = fetch::post(&url, &headers, &body, envelope.stream, Some(signal)).await?;
        headers_seen.set(true);
        let context = || Context { secret: self.credential, retry_after_ms: reply.retry_after() };
        if reply.status() != 200 {
            return Err(failure::of_status(reply.status(), &reply.error_body().await?, context()));
        }
        if let Some(body) = reply.whole() {
            let read = answer::read(envelope.endpoint, body, &envelope.model);
            let (body, usage) = read.map_err(|fault| failure::of_fault(&fault, context()))?;
            if envelope.stream {
                return Err(failure::of_fault(&Fault::Garbage, context()));
            }
            return Ok(Opened::Whole(body, usage));
        }
        let source = reply.source().ok_or_else(of_network)?;
        let meter = Meter::new(&envelope.model, envelope.usage_asked, envelope.choices).within(context());
        Ok(Opened::Stream(source, Box::new(meter)))
    }
}
