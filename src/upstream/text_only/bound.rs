//! Ends an answer's text where the caller said: before a stop sequence, or at a number of tokens (api-conformance C30).
use crate::chat::FinishReason;
use crate::tokens::Counter;

/// Watches one answer's text.
pub(super) struct Bound {
    stop: Vec<String>,
    max_tokens: Option<u64>,
    counter: Counter,
    /// What may be the beginning of a stop sequence.
    held: String,
}

impl Bound {
    pub(super) fn new(stop: Vec<String>, max_tokens: Option<u64>) -> Bound {
        Bound { stop, max_tokens, counter: Counter::default(), held: String::new() }
    }

    /// The text that may go out, and whether it ends here.
    pub(super) fn push(&mut self, text: &str) -> (String, Option<FinishReason>) {
        let mut text = std::mem::take(&mut self.held) + text;
        let first = self.stop.iter().filter_map(|stop| text.find(stop.as_str())).min();
        if let Some(at) = first {
            text.truncate(at);
            self.counter.push(&text);
            return (text, Some(FinishReason::Stop));
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
    pub(super) fn given(&self) -> u64 {
        self.counter.count().min(self.max_tokens.unwrap_or(u64::MAX))
    }

    /// What was held back: no stop sequence came of it.
    pub(super) fn flush(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stop: &[&str], pieces: &[&str]) -> (String, Option<FinishReason>) {
        let mut bound = Bound::new(stop.iter().map(|&stop| stop.to_owned()).collect(), None);
        let mut out = String::new();
        for piece in pieces {
            let (text, end) = bound.push(piece);
            out.push_str(&text);
            if end.is_some() {
                return (out, end);
            }
        }
        (out + &bound.flush(), None)
    }

    #[test]
    fn ends_before_the_first_stop_sequence_however_it_is_split() {
        let text = "one END two STOP";
        for at in 0..text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(run(&["STOP", "END"], &[left, right]), ("one ".to_owned(), Some(FinishReason::Stop)));
        }
        assert_eq!(run(&["END"], &["a E", "N", "x 你"]), ("a ENx 你".to_owned(), None));
        assert_eq!(run(&["END"], &["a EN"]), ("a EN".to_owned(), None));
        assert_eq!(run(&["aab"], &["aa", "ab"]), ("a".to_owned(), Some(FinishReason::Stop)));
    }

    #[test]
    fn ends_at_a_number_of_tokens_however_they_come() {
        let text = "word ".repeat(50);
        for length in [1, 5, 7, text.len()] {
            let mut bound = Bound::new(Vec::new(), Some(3));
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
        let mut bound = Bound::new(Vec::new(), Some(3));
        assert_eq!(bound.push("word word"), ("word word".to_owned(), None));
    }
}
