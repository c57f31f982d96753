//! What stands between an upstream's stream and the caller's: it reads the one and writes the other.
use std::ops::Range;

use super::failure::Failure;
use crate::chat::Usage;

/// What to write for one read: `lead`, then `read[rest]`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Bytes to write first.
    pub lead: Vec<u8>,
    /// The part of the read that follows unchanged.
    pub rest: Range<usize>,
}

/// Where a passage stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// More is to come.
    Running,
    /// The upstream wants to be asked for the rest of the answer, in another stream.
    Paused,
    /// It reached its end marker.
    Complete,
    /// It broke.
    Broken(Failure),
}

/// Reads one answer.
pub trait Passage {
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
    /// Whether the last bytes written ended an event. If not, a line break must come before another one.
    fn between_events(&self) -> bool;
}
