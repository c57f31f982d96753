//! One call to an OpenAI-format service.
use std::cell::Cell;

use web_sys::AbortSignal;

use super::chunks::Chunks;
use super::encode::{self, Limits};
use super::failure::{self, Context};
use super::meter::{Fault, Meter};
use super::{answer, request};
use crate::chat::{ChatRequest, Envelope, Raw};
use crate::stream::splice::Edit;
use crate::upstream::bound::Bounded;
use crate::upstream::failure::Failure;
use crate::upstream::fetch::{self, USER_AGENT};
use crate::upstream::service::Opened;

/// What is asked.
pub enum Ask<'a> {
    /// The caller's own bytes, with these edits.
    Same(&'a Raw, Vec<Edit>),
    /// A chat, and its tokens by our own count.
    Chat(&'a ChatRequest, u64),
}

/// One call.
pub struct Call<'a> {
    /// What the caller wants.
    pub envelope: &'a Envelope,
    /// In which words.
    pub ask: Ask<'a>,
    /// Where the service is.
    pub base_url: &'a str,
    /// The service's name for the model.
    pub model: &'a str,
    /// What the service takes of a translated call.
    pub limits: Limits,
    /// The account's key.
    pub credential: &'a str,
    /// The longest plain answer that is taken.
    pub max_answer_bytes: u64,
}

impl Call<'_> {
    /// Makes the call.
    ///
    /// # Errors
    /// What the service answered instead, or that it did not.
    pub async fn open(&self, signal: &AbortSignal, headers_seen: &Cell<bool>) -> Result<Opened, Failure> {
        let envelope = self.envelope;
        let url = request::url(self.base_url, envelope.endpoint);
        let (body, stream) = match &self.ask {
            Ask::Same(raw, edits) => {
                let body = request::body(raw, &envelope.model, self.model, envelope.stream, edits.clone());
                (body, envelope.stream)
            }
            // A translated answer comes as a stream, whatever its caller wants: so its silences have their deadlines.
            Ask::Chat(chat, _) => (encode::body(chat, self.model, self.limits), true),
        };
        let headers = [
            ("authorization", &*format!("Bearer {}", self.credential)),
            ("content-type", "application/json"),
            ("accept", if stream { "text/event-stream" } else { "application/json" }),
            ("user-agent", USER_AGENT),
        ];
        let reply = fetch::post(&url, &headers, &body, stream, self.max_answer_bytes, signal).await?;
        headers_seen.set(true);
        let context = || Context { secret: self.credential, retry_after_ms: reply.retry_after() };
        if reply.status() != 200 {
            return Err(failure::of_status(reply.status(), &reply.beginning().await?, context()));
        }
        if let Some(body) = reply.whole() {
            let read = answer::read(envelope.endpoint, body, &envelope.model);
            let (body, usage) = read.map_err(|fault| failure::of_fault(&fault, context()))?;
            if stream {
                return Err(failure::of_fault(&Fault::Garbage, context()));
            }
            return Ok(Opened::Whole(body, usage));
        }
        let source = reply.source().ok_or_else(|| failure::of_fault(&Fault::Garbage, context()))?;
        match &self.ask {
            Ask::Same(raw, _) => {
                let meter = Meter::new(&envelope.model, raw.usage_asked, raw.choices).within(context());
                Ok(Opened::Stream(source, Box::new(meter)))
            }
            Ask::Chat(chat, prompt_tokens) => {
                let chunks = Box::new(Chunks::new(context(), *prompt_tokens));
                if chat.stop.is_empty() {
                    return Ok(Opened::Events(source, chunks));
                }
                Ok(Opened::Events(source, Box::new(Bounded::new(chunks, chat.stop.clone(), None))))
            }
        }
    }
}
