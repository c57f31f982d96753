//! One call on one account, whatever its service: the platform's side of all upstreams.
use std::cell::Cell;

use web_sys::AbortSignal;

use super::failure::Failure;
use super::openai;
use super::passage::Passage;
use crate::chat::Usage;
use crate::stream::pipe::Source;

/// One call on one account.
pub enum Service<'a> {
    /// OpenAI's format.
    Openai(openai::call::Call<'a>),
}

/// How a service answered.
pub enum Opened {
    /// With all of a plain answer, in the caller's format.
    Whole(Vec<u8>, Option<Usage>),
    /// With a stream.
    Stream(Source, Box<dyn Passage>),
}

impl Service<'_> {
    /// Makes the call. `headers_seen` is set once the service answers at all.
    ///
    /// # Errors
    /// What the service answered instead, or that it did not.
    pub async fn open(&self, signal: &AbortSignal, headers_seen: &Cell<bool>) -> Result<Opened, Failure> {
        match self {
            Service::Openai(call) => call.open(signal, headers_seen).await,
        }
    }
}
