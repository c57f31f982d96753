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
            return (text, Some(FinishReason::Stop));
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
    fn ends_at_a_number_of_tokens() {
        let mut bound = Bound::new(Vec::new(), Some(3));
        let mut given = 0;
        let end = (0..50).find_map(|_| {
            given += 1;
            bound.push("word word ").1
        });
        assert_eq!(end, Some(FinishReason::Length));
        assert!(given < 4, "{given}");
    }
}
