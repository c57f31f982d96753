//! stub
use super::settings::CitationStyle;
use super::wire::Trouble;
use crate::chat::ChatEvent;
/// State.
pub enum State {
    /// r
    Running,
    /// c
    Complete,
    /// i
    Incomplete,
    /// b
    Broken(Trouble),
}
/// Decoder
pub struct Decoder {
    state: State,
}
impl Decoder {
    /// new
    pub fn new(_: CitationStyle) -> Self {
        Decoder { state: State::Running }
    }
    /// feed
    pub fn feed(&mut self, _: &[u8]) -> Vec<ChatEvent> {
        Vec::new()
    }
    /// end
    pub fn end(&mut self) -> Vec<ChatEvent> {
        Vec::new()
    }
    /// next
    pub fn next_round(&mut self) {}
    /// state
    pub fn state(&self) -> &State {
        &self.state
    }
    /// m
    pub fn message_id(&self) -> Option<i64> {
        None
    }
    /// u
    pub fn usage_total(&self) -> Option<u64> {
        None
    }
}
