//! One answer of the web chat, over all its streams: what the decoder reads, with usage, continued a bounded number of times.
use std::cell::Cell;
use std::rc::Rc;

use super::decode::{self, Decoder, State};
use super::settings::DeepseekWeb;
use super::wire::{self, Trouble};
use crate::chat::{ChatEvent, ErrorKind, FinishReason, Usage};
use crate::tokens::Counter;
use crate::upstream::decode::Decode;
use crate::upstream::decode::Phase;
use crate::upstream::failure::{Failure, broken};

/// Reads one answer.
pub struct Reading {
    decoder: Decoder,
    rounds_left: u32,
    /// The answer that the chat is still writing, for who must stop or continue it.
    writing: Rc<Cell<Option<i64>>>,
    prompt_tokens: u64,
    context_tokens: u64,
    text: Counter,
    reasoning: Counter,
    /// It ended without a word.
    is_empty: bool,
}

impl Reading {
    /// `prompt_tokens` is our own count, for a chat that gives no figures.
    pub fn new(settings: &DeepseekWeb, prompt_tokens: u64, writing: Rc<Cell<Option<i64>>>) -> Reading {
        Reading {
            decoder: Decoder::new(settings.citations),
            rounds_left: settings.continue_max,
            writing,
            prompt_tokens,
            context_tokens: settings.context_tokens,
            text: Counter::default(),
            reasoning: Counter::default(),
            is_empty: false,
        }
    }

    fn take(&mut self, mut events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        if self.rounds_left == 0 {
            events.extend(self.decoder.give_up());
        }
        let mut out = Vec::with_capacity(events.len());
        for event in events {
            match &event {
                ChatEvent::Text(text) => self.text.push(text),
                ChatEvent::Reasoning(text) => self.reasoning.push(text),
                ChatEvent::Finish(FinishReason::Stop) if self.text.count() == 0 && self.reasoning.count() == 0 => {
                    self.is_empty = true;
                    break;
                }
                ChatEvent::Finish(_) => out.push(ChatEvent::Usage(self.used())),
                _ => {}
            }
            out.push(event);
        }
        // The chat knows nothing of a frame that we could not read.
        let garbled = State::Broken(decode::Trouble::Garbage);
        let state = self.decoder.state();
        let goes_on = matches!(state, State::Running | State::Incomplete { .. }) || *state == garbled;
        self.writing.set(self.decoder.message_id().or(self.writing.get()).filter(|_| goes_on));
        out
    }

    /// The chat counts prompt and text together, and no thoughts (protocols: §8.6).
    fn used(&self) -> Usage {
        let (text, reasoning) = (self.text.count(), self.reasoning.count());
        let prompt = match self.decoder.usage_total().and_then(|total| total.checked_sub(text)) {
            Some(prompt) if prompt > 0 => prompt,
            _ => self.prompt_tokens,
        };
        Usage { prompt, completion: text.saturating_add(reasoning), reasoning, cached: 0 }
    }

    fn failure(&self, trouble: &decode::Trouble) -> Failure {
        let trouble = match trouble {
            decode::Trouble::Cut => return broken(ErrorKind::Upstream, "DeepSeek's answer was cut off."),
            decode::Trouble::Garbage => {
                return broken(ErrorKind::Upstream, "DeepSeek sent something that is no answer.");
            }
            decode::Trouble::Hint { reason, content } => match Trouble::of_hint(reason, content) {
                Trouble::TooLong => return wire::too_long_by(self.prompt_tokens, self.context_tokens),
                trouble => trouble,
            },
            decode::Trouble::Json { muted_until: Some(seconds), .. } => Trouble::muted(*seconds),
            decode::Trouble::Json { code, biz_code, message, .. } => Trouble::of_codes(*code, *biz_code, message),
        };
        // Only a firewall's rest needs the time, and its page is met before any stream.
        trouble.failure(0)
    }
}

impl Decode for Reading {
    fn feed(&mut self, read: &[u8]) -> Vec<ChatEvent> {
        let events = self.decoder.feed(read);
        self.take(events)
    }

    fn end(&mut self) -> Vec<ChatEvent> {
        let events = self.decoder.end();
        self.take(events)
    }

    fn phase(&self) -> Phase {
        match self.decoder.state() {
            // It happens, and asking again helps (protocols: §10).
            _ if self.is_empty => Phase::Broken(broken(ErrorKind::Upstream, "DeepSeek gave an empty answer.")),
            State::Running => Phase::Running,
            State::Complete => Phase::Complete,
            State::Incomplete { .. } => Phase::Paused,
            State::Broken(trouble) => Phase::Broken(self.failure(trouble)),
        }
    }

    fn usage(&self) -> Option<Usage> {
        Some(self.used())
    }

    fn resume(&mut self) {
        self.rounds_left = self.rounds_left.saturating_sub(1);
        self.decoder.next_round();
    }
}
