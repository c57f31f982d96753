//! What stands between an upstream's stream and the caller's: it reads the one and writes the other.
use crate::chat::{ChatError, Usage};
use crate::dialect::openai;
use crate::upstream::decode::Phase;
use crate::upstream::openai::meter::{Fed, Meter};

/// Reads one answer.
pub(super) trait Passage {
    /// Takes one read of the upstream's body. Nothing is written past the end or a fault.
    fn feed(&mut self, read: &[u8]) -> Fed;
    /// Takes the clean end of the upstream's body.
    fn end(&mut self) -> Vec<u8>;
    /// Where it stands.
    fn phase(&self) -> Phase;
    /// After [`Phase::Paused`]: the stream that follows is the rest of the same answer.
    fn resume(&mut self);
    /// The upstream began to answer: from here on the caller cannot be served by another account.
    fn started(&self) -> bool;
    /// What was used so far, where it is known.
    fn usage(&self) -> Option<Usage>;
    /// The event that tells the caller of a broken stream; nothing may follow it.
    fn fail(&mut self, error: &ChatError) -> Vec<u8>;
}

/// From OpenAI's format to OpenAI's format.
pub(super) struct FastPath(pub(super) Box<Meter>);

impl Passage for FastPath {
    fn feed(&mut self, read: &[u8]) -> Fed {
        self.0.feed(read)
    }

    fn end(&mut self) -> Vec<u8> {
        self.0.finish()
    }

    fn phase(&self) -> Phase {
        self.0.phase()
    }

    fn resume(&mut self) {}

    fn started(&self) -> bool {
        self.0.started()
    }

    fn usage(&self) -> Option<Usage> {
        self.0.usage()
    }

    fn fail(&mut self, error: &ChatError) -> Vec<u8> {
        let open_event = if self.0.between_events() { "" } else { "\n" };
        format!("{open_event}{}", openai::error::event(error)).into_bytes()
    }
}
