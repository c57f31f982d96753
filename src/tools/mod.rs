//! stub
use crate::chat::*;
use serde_json::Value;
/// p
pub struct Parser;
/// i
pub fn instructions(_: &[Tool], _: &ToolChoice, _: bool) -> Option<String> {
    None
}
/// f
pub fn format_instructions(_: &Format) -> Option<String> {
    None
}
/// r
pub fn render_calls(_: &[ToolCall]) -> String {
    String::new()
}
/// r
pub fn render_result(_: &str, text: &str) -> String {
    text.to_owned()
}
/// m
pub fn misfit(_: &Value, _: &Value) -> Option<String> {
    None
}
impl Parser {
    /// n
    pub fn new(_: &[Tool], _: &ToolChoice, _: bool) -> Self {
        Parser
    }
    /// p
    pub fn push(&mut self, event: ChatEvent) -> Vec<ChatEvent> {
        vec![event]
    }
    /// f
    pub fn finish(&mut self, reason: FinishReason) -> Vec<ChatEvent> {
        vec![ChatEvent::Finish(reason)]
    }
    /// u
    pub fn unmet(&self) -> bool {
        false
    }
}
