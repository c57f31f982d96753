//! One call on one account, whatever its service: the platform's side of all upstreams.
use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures::future::select;
use web_sys::AbortSignal;
use worker::Delay;

use super::decode::Decode;
use super::failure::{Failure, of_network};
use super::openai::meter::Meter;
use super::{deepseek_web, openai, volcengine_console};
use crate::chat::Usage;
use crate::stream::pipe::Source;

/// How long the end of a stream is waited for whose answer is complete.
const LINGER: Duration = Duration::from_secs(1);

/// One call on one account.
pub enum Service<'a> {
    /// OpenAI's format.
    Openai(openai::call::Call<'a>),
    /// DeepSeek's web chat.
    DeepseekWeb(Box<deepseek_web::call::Call<'a>>),
    /// Volcengine's console.
    VolcengineConsole(Box<volcengine_console::call::Call<'a>>),
}

/// How a service answered.
pub enum Opened {
    /// With all of a plain answer, in the caller's format.
    Whole(Vec<u8>, Option<Usage>),
    /// With a stream in the caller's format.
    Stream(Source, Box<Meter>),
    /// With a stream of its own.
    Events(Source, Box<dyn Decode>),
}

impl Service<'_> {
    /// Makes the call. `headers_seen` is set once the service answers at all.
    ///
    /// # Errors
    /// What the service answered instead, or that it did not.
    pub async fn open(&self, signal: &AbortSignal, headers_seen: &Cell<bool>) -> Result<Opened, Failure> {
        match self {
            Service::Openai(call) => call.open(signal, headers_seen).await,
            Service::DeepseekWeb(call) => call.open(signal, headers_seen).await,
            Service::VolcengineConsole(call) => call.open(signal, headers_seen).await,
        }
    }

    /// After [`super::decode::Phase::Paused`]: the stream of the rest.
    ///
    /// # Errors
    /// What the service answered instead.
    pub async fn resume(&self, signal: &AbortSignal) -> Result<Source, Failure> {
        match self {
            Service::Openai(_) | Service::VolcengineConsole(_) => Err(of_network()),
            Service::DeepseekWeb(call) => call.resume(signal).await,
        }
    }

    /// An answer that is still being written is stopped: nobody reads it.
    pub async fn stop(&self) {
        if let Service::DeepseekWeb(call) = self
            && call.is_writing()
        {
            call.finish().await;
        }
    }

    /// Takes leave of a stream whose answer is complete; `is_cut`: by Weir, while the service goes on writing it. Until its
    /// stream has ended, DeepSeek takes the account for busy.
    pub async fn leave(&self, source: &Source, is_cut: bool) {
        match self {
            Service::Openai(_) if !is_cut => return source.finish(),
            Service::DeepseekWeb(call) if !call.is_writing() => {
                let rest = pin!(async { while let Ok(Some(_)) = source.read().await {} });
                select(rest, Delay::from(LINGER)).await;
            }
            _ => {}
        }
        source.cancel();
    }

    /// The call is over, whatever its end: what is left to do for it, where there is something.
    pub fn finish(&self) -> Option<impl Future<Output = ()>> {
        match self {
            Service::DeepseekWeb(call) => Some(call.finish()),
            _ => None,
        }
    }
}
