//! Ends an answer's text where the caller said: before a stop sequence, or at a number of tokens (api-conformance C30).
use super::decode::Decode;
use super::decode::Phase;
use crate::chat::{ChatEvent, ChatRequest, FinishReason, Usage};
use crate::tokens::Counter;

/// Reads an answer up to where it ends.
pub struct Bounded {
    inner: Box<dyn Decode>,
    bound: Bound,
    prompt_tokens: u64,
    reasoning: Counter,
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
    /// Ends what `inner` reads at a stop sequence of `request`, and at `max_tokens`. An answer that is ended here has no
    /// figures of its service: `prompt_tokens` is our own count.
    pub fn new(inner: Box<dyn Decode>, request: &ChatRequest, max_tokens: Option<u64>, prompt_tokens: u64) -> Bounded {
        let bound = Bound { stop: request.stop.clone(), max_tokens, counter: Counter::default(), held: String::new() };
        Bounded { inner, bound, prompt_tokens, reasoning: Counter::default(), is_over: false }
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
                        out.extend([ChatEvent::Usage(self.usage()), ChatEvent::Finish(reason)]);
                        return out;
                    }
                }
                ChatEvent::Reasoning(text) => {
                    self.reasoning.push(&text);
                    out.push(ChatEvent::Reasoning(text));
                }
                // No stop sequence came of what was held back.
                event @ (ChatEvent::Finish(_) | ChatEvent::ToolCall { .. }) => {
                    out.extend(text_of(std::mem::take(&mut self.bound.held)));
                    out.push(event);
                }
                event => out.push(event),
            }
        }
        out
    }

    fn usage(&self) -> Usage {
        let reasoning = self.reasoning.count();
        let completion = self.bound.counter.count().saturating_add(reasoning);
        Usage { prompt: self.prompt_tokens, completion, reasoning, cached: 0 }
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
        self.counter.push(&text);
        let is_long = self.max_tokens.is_some_and(|most| self.counter.count() >= most);
        (text, is_long.then_some(FinishReason::Length))
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
    fn ends_at_a_number_of_tokens() {
        let mut bound = bound(&[], Some(3));
        let mut given = 0;
        let end = (0..50).find_map(|_| {
            given += 1;
            bound.push("word word ").1
        });
        assert_eq!(end, Some(FinishReason::Length));
        assert!(given < 4, "{given}");
    }
}
