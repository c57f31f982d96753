//! The lines of one stream are alike but for one text. What was found in one need not be looked for in the next.
use memchr::memchr;
use memchr::memmem;

/// All of a line but the text of its delta.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Up to the quote that opens the text; empty before a line was learnt.
    head: Vec<u8>,
    /// From the quote that closes it.
    tail: Vec<u8>,
}

impl Shape {
    /// Remembers a line that has a text.
    pub(super) fn learn(&mut self, line: &[u8]) {
        const TEXT: &[u8] = b"content\":\"";
        let Some(at) = memmem::find(line, TEXT) else { return };
        let (head, rest) = line.split_at(at + TEXT.len());
        let Some(end) = closing_quote(rest) else { return };
        self.head = head.to_vec();
        self.tail = rest.get(end..).unwrap_or_default().to_vec();
    }

    /// Whether a line differs in its text alone.
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        let Some(text) = line.len().checked_sub(self.tail.len()).and_then(|end| line.get(self.head.len()..end)) else {
            return false;
        };
        !self.head.is_empty()
            && is_equal(line.get(line.len() - self.tail.len()..).unwrap_or_default(), &self.tail)
            && is_equal(line.get(..self.head.len()).unwrap_or_default(), &self.head)
            && closing_quote(text).is_none()
            // Else the quote after it is part of the text.
            && !is_escaped(text, text.len())
    }
}

/// Where a JSON string ends whose opening quote is just before `text`.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr(b'"', text.get(from..)?)?;
        if !is_escaped(text, at) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    // Nearly always not, and the count takes longer than to look.
    before.ends_with(b"\\") && before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Sixteen bytes at a time: what `==` becomes in Wasm takes one.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    let (left, left_rest) = left.as_chunks::<16>();
    let (right, right_rest) = right.as_chunks::<16>();
    let differ = |(left, right): (&[u8; 16], &[u8; 16])| u128::from_ne_bytes(*left) != u128::from_ne_bytes(*right);
    left.len() == right.len() && left_rest == right_rest && !left.iter().zip(right).any(differ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_what_differs_in_its_text_alone() {
        let line = |text: &str, end: &str| {
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{end}}}]}}\n")
                .into_bytes()
        };
        let mut shape = Shape::default();
        assert!(!shape.fits(&line("a", "null")));
        shape.learn(&line("a", "null"));
        for text in ["", "a", "much longer 你好", r#"\""#, r"\\", r#"\\\"x"#, r#"\"content\":\""#] {
            assert!(shape.fits(&line(text, "null")), "{text}");
        }
        for text in [r#"""#, r#"\\""#, r"\", r#"x","usage":{},"y":"z"#] {
            assert!(!shape.fits(&line(text, "null")), "{text}");
        }
        assert!(!shape.fits(&line("a", "\"stop\"")));
        let whole = line("", "null");
        for end in 0..whole.len() {
            assert!(!shape.fits(whole.get(..end).unwrap()), "cut at {end}");
        }
    }
}
