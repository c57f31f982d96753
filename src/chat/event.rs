//! An answer in no dialect, as it comes: what a decoder of an upstream gives and an encoder of a dialect takes.
use super::Usage;

/// One step of an answer. A whole answer ends with [`ChatEvent::Finish`], and only that one does.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// More of the model's thoughts.
    Reasoning(String),
    /// More of the answer.
    Text(String),
    /// A page that the answer's text so far refers to.
    Citation(Citation),
    /// The model begins to call a tool. Calls come one after the other.
    ToolCall {
        /// Counts the calls of one answer, from 0.
        index: u32,
        /// What the tool's answer will refer to.
        id: String,
        /// The function's name.
        name: String,
    },
    /// More of the arguments' JSON text of the call that began last.
    Arguments(String),
    /// What the call has used so far: running totals.
    Usage(Usage),
    /// The answer is whole.
    Finish(FinishReason),
}

impl ChatEvent {
    /// How many bytes of the answer's text it brings.
    pub fn length(&self) -> usize {
        match self {
            ChatEvent::Reasoning(text) | ChatEvent::Text(text) | ChatEvent::Arguments(text) => text.len(),
            ChatEvent::Citation(page) => page.url.len().saturating_add(page.title.len()),
            ChatEvent::ToolCall { id, name, .. } => id.len().saturating_add(name.len()),
            ChatEvent::Usage(_) | ChatEvent::Finish(_) => 0,
        }
    }
}

/// A page on the web.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// Its address.
    pub url: String,
    /// Its title; may be empty.
    pub title: String,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// The model wrote this text, which the caller set as an end.
    StopSequence(String),
    /// A bound on its length.
    Length,
    /// It called tools and waits for their answers.
    ToolCalls,
    /// The upstream withdrew it; what was sent already stays sent.
    ContentFilter,
}
