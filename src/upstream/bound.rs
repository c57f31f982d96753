//! Ends an answer's text where the caller said: before a stop sequence, or at a number of tokens (api-conformance C30).
use super::decode::Decode;
use super::decode::Phase;
use crate::chat::{ChatEvent, FinishReason, Usage};
use crate::tokens::Counter;

/// Reads an answer up to where it ends.
pub struct Bounded {
    inner: Box<dyn Decode>,
    bound: Bound,
    is_over: bool,
}

/// Watches one answer's text.
struct Bound {
    stop: Vec<String>,
    max_tokens: Option<u64>,
    counter: Counter,
    /// What may be the beginning of a stop sequence.
    held: String,
}

impl Bounded {
    /// Ends what `inner` reads before one of the texts `stop`, and at `max_tokens`.
    pub fn new(inner: Box<dyn Decode>, stop: Vec<String>, max_tokens: Option<u64>) -> Bounded {
        let bound = Bound { stop, max_tokens, counter: Counter::default(), held: String::new() };
        Bounded { inner, bound, is_over: false }
    }

    fn take(&mut self, events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        let mut out = Vec::with_capacity(events.len());
        let text_of = |text: String| (!text.is_empty()).then_some(ChatEvent::Text(text));
        for event in events {
            match event {
                ChatEvent::Text(text) => {
                    let (text, end) = self.bound.push(&text);
                    out.extend(text_of(text));
                    if let Some(reason) = end {
                        self.is_over = true;
                        out.extend(self.usage().map(ChatEvent::Usage));
                        out.push(ChatEvent::Finish(reason));
                        return out;
                    }
                }
                // No stop sequence came of what was held back.
                event @ (ChatEvent::Finish(_) | ChatEvent::ToolCall { .. } | ChatEvent::Reasoning(_)) => {
                    out.extend(text_of(std::mem::take(&mut self.bound.held)));
                    out.push(event);
                }
                event => out.push(event),
            }
        }
        out
    }
}

impl Decode for Bounded {
    fn feed(&mut self, read: &[u8]) -> Vec<ChatEvent> {
        if self.is_over {
            return Vec::new();
        }
        let events = self.inner.feed(read);
        self.take(events)
    }

    fn end(&mut self) -> Vec<ChatEvent> {
        if self.is_over {
            return Vec::new();
        }
        let events = self.inner.end();
        self.take(events)
    }

    fn phase(&self) -> Phase {
        if self.is_over { Phase::Complete } else { self.inner.phase() }
    }

    fn usage(&self) -> Option<Usage> {
        // What was read past the end was not asked for.
        let asked_for = |usage: Usage| match self.is_over {
            true => Usage { completion: usage.reasoning.saturating_add(self.bound.given()), ..usage },
            false => usage,
        };
        self.inner.usage().map(asked_for)
    }

    fn is_cut(&self) -> bool {
        self.is_over
    }

    fn resume(&mut self) {
        self.inner.resume();
    }
}

impl Bound {
    /// The text that may go out, and whether it ends here.
    fn push(&mut self, text: &str) -> (String, Option<FinishReason>) {
        let mut text = std::mem::take(&mut self.held) + text;
        let found = self.stop.iter().filter_map(|stop| Some((text.find(stop.as_str())?, stop)));
        if let Some((at, stop)) = found.min_by_key(|(at, _)| *at) {
            text.truncate(at);
            self.counter.push(&text);
            return (text, Some(FinishReason::StopSequence(stop.clone())));
        }
        let begins = |at: &usize| {
            let rest = text.get(*at..).unwrap_or_default();
            self.stop.iter().any(|stop| stop.starts_with(rest))
        };
        let held_from = text.char_indices().map(|(at, _)| at).find(begins).unwrap_or(text.len());
        self.held = text.split_off(held_from);
        let whole = text.len();
        text.truncate(self.fitting(&text));
        let is_cut = text.len() < whole;
        (text, is_cut.then_some(FinishReason::Length))
    }

    /// How many bytes of a text still fit.
    fn fitting(&mut self, text: &str) -> usize {
        let Some(most) = self.max_tokens else {
            self.counter.push(text);
            return text.len();
        };
        // One read may bring much more than was asked for.
        for (at, letter) in text.char_indices() {
            self.counter.push(letter.encode_utf8(&mut [0; 4]));
            if self.counter.count() > most {
                return at;
            }
        }
        text.len()
    }

    /// The tokens that went out.
    fn given(&self) -> u64 {
        self.counter.count().min(self.max_tokens.unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(stop: &[&str], max_tokens: Option<u64>) -> Bound {
        let stop = stop.iter().map(|&stop| stop.to_owned()).collect();
        Bound { stop, max_tokens, counter: Counter::default(), held: String::new() }
    }

    fn run(stop: &[&str], pieces: &[&str]) -> (String, Option<FinishReason>) {
        let mut bound = bound(stop, None);
        let mut out = String::new();
        for piece in pieces {
            let (text, end) = bound.push(piece);
            out.push_str(&text);
            if end.is_some() {
                return (out, end);
            }
        }
        (out + &bound.held, None)
    }

    #[test]
    fn ends_before_the_first_stop_sequence_however_it_is_split() {
        let text = "one END two STOP";
        for at in 0..text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(
                run(&["STOP", "END"], &[left, right]),
                ("one ".to_owned(), Some(FinishReason::StopSequence("END".into())))
            );
        }
        assert_eq!(run(&["END"], &["a E", "N", "x 你"]), ("a ENx 你".to_owned(), None));
        assert_eq!(run(&["END"], &["a EN"]), ("a EN".to_owned(), None));
        assert_eq!(run(&["aab"], &["aa", "ab"]), ("a".to_owned(), Some(FinishReason::StopSequence("aab".into()))));
    }

    #[test]
    fn ends_at_a_number_of_tokens_however_they_come() {
        let text = "word ".repeat(50);
        for length in [1, 5, 7, text.len()] {
            let mut bound = bound(&[], Some(3));
            let (mut out, mut end) = (String::new(), None);
            for piece in text.as_bytes().chunks(length) {
                let (more, ended) = bound.push(std::str::from_utf8(piece).unwrap());
                out.push_str(&more);
                end = ended;
                if end.is_some() {
                    break;
                }
            }
            assert_eq!((out.as_str(), end, bound.given()), ("word word word ", Some(FinishReason::Length), 3));
        }
        let mut bound = bound(&[], Some(3));
        assert_eq!(bound.push("word word"), ("word word".to_owned(), None));
    }
}
