//! What stands between an upstream's stream and the caller's: it reads the one and writes the other.
use super::remember::Thoughts;
use crate::chat::{ChatError, Usage};
use crate::dialect::openai;
use crate::upstream::decode::{Decode, Phase};
use crate::upstream::openai::chunks::Chunks;
use crate::upstream::openai::failure::Context;
use crate::upstream::openai::meter::{Fed, Meter};

/// Reads one answer.
pub(super) trait Passage {
    /// Takes one read of the upstream's body. Nothing is written past the end or a fault.
    fn feed(&mut self, read: &[u8]) -> Fed;
    /// Takes the clean end of the upstream's body.
    fn end(&mut self) -> Vec<u8>;
    /// Where it stands.
    fn phase(&self) -> Phase;
    /// Whether the answer was ended while its service goes on writing it.
    fn is_cut(&self) -> bool {
        false
    }
    /// After [`Phase::Paused`]: the stream that follows is the rest of the same answer.
    fn resume(&mut self);
    /// The upstream began to answer: from here on the caller cannot be served by another account.
    fn started(&self) -> bool;
    /// What was used so far, where it is known.
    fn usage(&self) -> Option<Usage>;
    /// What was thought before tools were called, once it is complete.
    fn thoughts(&mut self) -> Thoughts;
    /// The event that tells the caller of a broken stream; nothing may follow it.
    fn fail(&mut self, error: &ChatError) -> Vec<u8>;
}

/// From OpenAI's format to OpenAI's format.
pub(super) struct FastPath {
    meter: Box<Meter>,
    /// Reads the same stream for the thoughts in it, where they are to be remembered.
    listener: Option<(Chunks, Thoughts)>,
}

impl FastPath {
    pub(super) fn new(meter: Box<Meter>, remembers: bool) -> FastPath {
        let chunks = || Chunks::new(Context { secret: "", retry_after_ms: None }, 0);
        FastPath { meter, listener: remembers.then(|| (chunks(), Thoughts::default())) }
    }
}

impl Passage for FastPath {
    fn feed(&mut self, read: &[u8]) -> Fed {
        if let Some((chunks, thoughts)) = &mut self.listener {
            chunks.feed(read).iter().for_each(|event| thoughts.hear(event));
        }
        self.meter.feed(read)
    }

    fn end(&mut self) -> Vec<u8> {
        self.meter.finish()
    }

    fn phase(&self) -> Phase {
        self.meter.phase()
    }

    fn resume(&mut self) {}

    fn started(&self) -> bool {
        self.meter.started()
    }

    fn usage(&self) -> Option<Usage> {
        self.meter.usage()
    }

    fn thoughts(&mut self) -> Thoughts {
        self.listener.take().map(|(_, thoughts)| thoughts).unwrap_or_default()
    }

    fn fail(&mut self, error: &ChatError) -> Vec<u8> {
        let open_event = if self.meter.between_events() { "" } else { "\n" };
        format!("{open_event}{}", openai::error::event(error)).into_bytes()
    }
}
