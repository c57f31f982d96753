//! Counts tokens.

/// Counts a text that comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    bytes: u64,
}

impl Counter {
    /// More of the text.
    pub fn push(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len() as u64);
    }

    /// The tokens so far.
    pub fn count(&self) -> u64 {
        self.bytes.div_ceil(4)
    }
}

/// The tokens of a text.
pub fn count(text: &str) -> u64 {
    let mut counter = Counter::default();
    counter.push(text);
    counter.count()
}
