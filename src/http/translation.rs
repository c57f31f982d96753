//! An answer in the caller's format, made of a service's events.
use super::passage::Passage;
use super::remember::Thoughts;
use crate::chat::{ChatError, ChatEvent, Outcome, Usage};
use crate::dialect::Encode;
use crate::upstream::decode::{Decode, Phase};
use crate::upstream::failure::{Failure, of_length};
use crate::upstream::openai::meter::Fed;

/// Writes what a decoder reads.
pub(super) struct Translation {
    decode: Box<dyn Decode>,
    encode: Box<dyn Encode>,
    started: bool,
    usage: Option<Usage>,
    thoughts: Thoughts,
    length: u64,
    max_bytes: u64,
    /// The service's answer cannot be put in the caller's format.
    failed: Option<Failure>,
}

impl Translation {
    /// Reads an answer whose text has at most `max_bytes`: most encoders hold all of it.
    pub(super) fn new(decode: Box<dyn Decode>, encode: Box<dyn Encode>, max_bytes: u64) -> Translation {
        let thoughts = Thoughts::default();
        Translation { decode, encode, started: false, usage: None, thoughts, length: 0, max_bytes, failed: None }
    }

    fn write(&mut self, events: Vec<ChatEvent>) -> Vec<u8> {
        let mut out = Vec::new();
        for event in events {
            if let ChatEvent::Usage(usage) = event {
                self.usage = Some(usage);
            }
            self.length = self.length.saturating_add(event.length() as u64);
            if self.length > self.max_bytes {
                self.failed = Some(of_length(self.max_bytes));
                break;
            }
            self.thoughts.hear(&event);
            if let Err(error) = self.encode.push(event, &mut out) {
                // Not the account's fault, but another try may do better.
                self.failed = Some(Failure { outcome: Outcome::CallerError, error, retry: true });
                break;
            }
        }
        self.started |= !out.is_empty();
        out
    }
}

impl Passage for Translation {
    fn feed(&mut self, read: &[u8]) -> Fed {
        let events = self.decode.feed(read);
        Fed { lead: self.write(events), rest: 0..0 }
    }

    fn end(&mut self) -> Vec<u8> {
        let events = self.decode.end();
        self.write(events)
    }

    fn phase(&self) -> Phase {
        match &self.failed {
            Some(failure) => Phase::Broken(failure.clone()),
            None => self.decode.phase(),
        }
    }

    fn is_cut(&self) -> bool {
        self.decode.is_cut()
    }

    fn resume(&mut self) {
        self.decode.resume();
    }

    fn started(&self) -> bool {
        self.started
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.or_else(|| self.decode.usage())
    }

    fn thoughts(&mut self) -> Thoughts {
        std::mem::take(&mut self.thoughts)
    }

    fn fail(&mut self, error: &ChatError) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode.fail(error, &mut out);
        out
    }
}
