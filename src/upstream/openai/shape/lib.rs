//! The events of one stream are alike but for one text. What was found in one need not be looked for in the next.
use memchr::{memchr2, memmem};

/// All of an event of one line but the text of its delta.
#[derive(Debug, Default)]
pub struct Shape {
    /// Up to the quote that opens the text; empty before a line was learnt.
    head: Vec<u8>,
    /// From the quote that closes it to the end of the blank line.
    tail: Vec<u8>,
}

impl Shape {
    /// Remembers a line that has a text.
    pub fn learn(&mut self, line: &[u8]) {
        const TEXT: &[u8] = b"content\":\"";
        let Some(at) = memmem::find(line, TEXT) else { return };
        let (head, rest) = line.split_at(at + TEXT.len());
        let Some(end) = text_length(rest) else { return };
        let blank: &[u8] = if line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
        self.head = head.to_vec();
        self.tail = [rest.get(end..).unwrap_or_default(), blank].concat();
    }

    /// How many of `bytes`, which begin a line, are whole events that differ in their text alone.
    pub fn run(&self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !self.head.is_empty()
            && let Some(text) = after(rest, &self.head)
            && let Some(length) = text_length(text)
            && let Some(next) = after(text.get(length..).unwrap_or_default(), &self.tail)
        {
            rest = next;
        }
        bytes.len() - rest.len()
    }
}

/// Up to the quote that ends a JSON string whose opening quote is just before `text`; `None` where its line ends first.
fn text_length(text: &[u8]) -> Option<usize> {
    /// Most texts are a word: to look at its bytes one by one is faster than to set up a search.
    const WORD: usize = 16;
    let special = text.iter().take(WORD).position(|byte| matches!(byte, b'"' | b'\\' | b'\n'));
    special.filter(|at| text.get(*at) == Some(&b'"')).or_else(|| long_text_length(text))
}

#[inline(never)]
fn long_text_length(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\n', text.get(from..)?)?;
        let backslashes = text.get(from..at)?.iter().rev().take_while(|byte| **byte == b'\\').count();
        match text.get(at)? {
            b'\n' => return None,
            _ if backslashes % 2 == 0 => return Some(at),
            _ => from = at + 1,
        }
    }
}

/// What follows `start` in `bytes`. Sixteen bytes at a time: what `starts_with` becomes in Wasm takes one.
fn after<'a>(bytes: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (bytes, rest) = bytes.split_at_checked(start.len())?;
    let differ = |left: &[u8; 16], right: &[u8; 16]| u128::from_ne_bytes(*left) ^ u128::from_ne_bytes(*right);
    let is_equal = match (bytes.last_chunk(), start.last_chunk()) {
        // The last sixteen overlap those before.
        (Some(left), Some(right)) => {
            let pairs = bytes.as_chunks().0.iter().zip(start.as_chunks().0);
            pairs.fold(differ(left, right), |all, (left, right)| all | differ(left, right)) == 0
        }
        _ => bytes == start,
    };
    is_equal.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_over_what_differs_in_its_text_alone() {
        let event = |text: &str, end: &str, line_break: &str| {
            format!(
                "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{end}}}]}}{line_break}{line_break}"
            )
        };
        for line_break in ["\n", "\r\n"] {
            let plain = event("a", "null", line_break);
            let mut shape = Shape::default();
            assert_eq!(shape.run(plain.as_bytes()), 0);
            shape.learn(plain.strip_suffix(line_break).unwrap().as_bytes());
            let texts =
                ["", "a", "much longer 你好, than a word", r#"\""#, r"\\", r#"\\\"x"#, r#"\"content\":\""#, "a"];
            let good: String = texts.iter().map(|text| event(text, "null", line_break)).collect();
            assert_eq!(shape.run(good.as_bytes()), good.len());
            for other in [
                event(r#"""#, "null", line_break),
                event(r#"\\""#, "null", line_break),
                event(r"\", "null", line_break),
                event(r#"x","usage":{},"y":"z"#, "null", line_break),
                event("a\nb", "null", line_break),
                event("longer than short\nand two lines", "null", line_break),
                event("a", "\"stop\"", line_break),
            ] {
                assert_eq!(shape.run(format!("{good}{other}{good}").as_bytes()), good.len(), "{other:?}");
            }
            for end in 0..plain.len() {
                assert_eq!(shape.run(plain.get(..end).unwrap().as_bytes()), 0, "cut at {end}");
            }
        }
    }
}
