//! One answer of the web chat, over all its streams: what the decoder reads, with usage, continued a bounded number of times.
use std::cell::Cell;
use std::rc::Rc;

use super::decode::{Decoder, State};
use super::settings::DeepseekWeb;
use crate::chat::{ChatEvent, FinishReason, Usage};
use crate::tokens::Counter;
use crate::upstream::decode::Decode;
use crate::upstream::passage::Phase;

/// Reads one answer.
pub struct Reading {
    decoder: Decoder,
    rounds_left: u32,
    /// The answer that the chat is still writing, for who must stop or continue it.
    writing: Rc<Cell<Option<i64>>>,
    prompt_tokens: u64,
    text: Counter,
    reasoning: Counter,
    finished: bool,
}

impl Reading {
    /// `prompt_tokens` is our own count, for a chat that gives no figures.
    pub fn new(settings: &DeepseekWeb, prompt_tokens: u64, writing: Rc<Cell<Option<i64>>>) -> Reading {
        Reading {
            decoder: Decoder::new(settings.citations),
            rounds_left: settings.continue_max,
            writing,
            prompt_tokens,
            text: Counter::default(),
            reasoning: Counter::default(),
            finished: false,
        }
    }

    fn take(&mut self, events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        let mut out = Vec::with_capacity(events.len());
        for event in events {
            match &event {
                ChatEvent::Text(text) => self.text.push(text),
                ChatEvent::Reasoning(text) => self.reasoning.push(text),
                ChatEvent::Finish(_) => out.push(self.finish()),
                _ => {}
            }
            out.push(event);
        }
        if matches!(self.decoder.state(), State::Incomplete) && self.rounds_left == 0 && !self.finished {
            out.push(self.finish());
            out.push(ChatEvent::Finish(FinishReason::Length));
        }
        let is_writing = matches!(self.decoder.state(), State::Running);
        self.writing.set(self.decoder.message_id().filter(|_| is_writing || self.phase() == Phase::Paused));
        out
    }

    /// The chat counts prompt and text together, and no thoughts (protocols: §8.6).
    fn finish(&mut self) -> ChatEvent {
        self.finished = true;
        let (text, reasoning) = (self.text.count(), self.reasoning.count());
        let prompt = match self.decoder.usage_total().and_then(|total| total.checked_sub(text)) {
            Some(prompt) if prompt > 0 => prompt,
            _ => self.prompt_tokens,
        };
        ChatEvent::Usage(Usage { prompt, completion: text.saturating_add(reasoning), reasoning, cached: 0 })
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
            State::Running => Phase::Running,
            State::Complete => Phase::Complete,
            State::Incomplete if self.finished => Phase::Complete,
            State::Incomplete => Phase::Paused,
            // A firewall's page, whose rest would need the time, is met before any stream.
            State::Broken(trouble) => Phase::Broken(trouble.failure(0)),
        }
    }

    fn resume(&mut self) {
        self.rounds_left = self.rounds_left.saturating_sub(1);
        self.decoder.next_round();
    }
}
