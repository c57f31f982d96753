//! What reads the stream of a service that does not speak the caller's language.
use super::failure::Failure;
use crate::chat::{ChatEvent, Usage};

/// Where an answer stands.
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

/// Reads one answer, bytes in, events out.
pub trait Decode {
    /// Takes one read of the service's body.
    fn feed(&mut self, read: &[u8]) -> Vec<ChatEvent>;
    /// Takes the clean end of the body.
    fn end(&mut self) -> Vec<ChatEvent>;
    /// Where it stands.
    fn phase(&self) -> Phase;
    /// What was used so far, for an answer that ends before its service says so.
    fn usage(&self) -> Option<Usage>;
    /// After [`Phase::Paused`]: the stream that follows is the rest of the same answer.
    fn resume(&mut self);
    /// Whether the answer was ended while its service goes on writing it.
    fn is_cut(&self) -> bool {
        false
    }
}
