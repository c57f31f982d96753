//! The APIs that callers speak: their bytes to `chat`, and an answer's events to their bytes. A dialect never sees an
//! upstream.
use std::cell::Cell;
use std::rc::Rc;

use serde_json::Value;

use crate::chat::{ChatError, ChatEvent};

pub mod anthropic;
pub mod fields;
pub mod openai;

/// An API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's, but for Responses.
    Openai,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
}

/// What every answer says of itself.
#[derive(Clone, Debug)]
pub struct Head {
    /// Random, and the same all over the answer; each API puts its own mark before it.
    pub id: String,
    /// Unix seconds.
    pub created: u64,
    /// The model's name as the caller knows it.
    pub model: String,
    /// The request's id.
    pub request_id: String,
}

/// Writes an answer in one API.
pub trait Encode {
    /// Adds an event's bytes to `out`. After [`ChatEvent::Finish`] nothing may follow.
    ///
    /// # Errors
    /// `Upstream` where the API cannot say what the event says.
    fn push(&mut self, event: ChatEvent, out: &mut Vec<u8>) -> Result<(), ChatError>;

    /// Adds the event that ends a broken stream to `out`; nothing may follow it (api-conformance T9).
    fn fail(&mut self, error: &ChatError, out: &mut Vec<u8>);
}

/// How one call is answered.
#[derive(Clone)]
pub struct Reply {
    /// What the answer says of itself.
    pub head: Head,
    /// Whether it is a stream.
    pub stream: bool,
    /// The stream's beginning is out already.
    opened: Rc<Cell<bool>>,
    form: Form,
}

/// What an answer needs to know of its request.
#[derive(Clone, Debug)]
pub enum Form {
    /// Of a chat, or one of OpenAI's smaller routes.
    Openai {
        /// A stream ends with the usage chunk.
        usage_asked: bool,
    },
    /// Of OpenAI's Responses.
    Responses(Rc<openai::responses::Form>),
    /// Of Anthropic's Messages.
    Anthropic(anthropic::answer::Form),
}

impl Dialect {
    /// The body of an error.
    pub fn error_body(self, error: &ChatError, request_id: &str) -> Value {
        match self {
            Dialect::Openai | Dialect::Responses => openai::error::body(error),
            Dialect::Anthropic => anthropic::error::body(error, request_id),
        }
    }
}

impl Reply {
    /// How a call that came in this `form` is answered.
    pub fn new(head: Head, stream: bool, form: Form) -> Reply {
        Reply { head, stream, opened: Rc::default(), form }
    }

    /// Writes the answer.
    pub fn encoder(&self) -> Box<dyn Encode> {
        let head = self.head.clone();
        match (&self.form, self.stream) {
            (Form::Openai { usage_asked }, true) => Box::new(openai::answer::Encoder::new(&head, *usage_asked)),
            (Form::Openai { .. }, false) => Box::new(openai::answer::Completion::new(head)),
            (Form::Anthropic(form), true) => Box::new(anthropic::stream::Encoder::new(&head, *form)),
            (Form::Anthropic(form), false) => Box::new(anthropic::answer::Message::new(head, *form)),
            (Form::Responses(form), stream) => {
                Box::new(openai::responses::stream::Encoder::new(head, form.clone(), stream, self.opened.clone()))
            }
        }
    }

    /// The event that ends a stream in which nothing was said yet; nothing may follow it.
    pub fn failure(&self, error: &ChatError) -> Vec<u8> {
        let mut out = Vec::new();
        self.encoder().fail(error, &mut out);
        out
    }

    /// What is to be kept of the answer, once it is whole.
    pub fn kept(&self) -> Option<openai::responses::Kept> {
        match &self.form {
            Form::Responses(form) => form.kept(),
            Form::Openai { .. } | Form::Anthropic(_) => None,
        }
    }

    /// What keeps a stream's connection alive while there is nothing to say (T7); the first time also what begins it.
    pub fn ping(&self) -> Vec<u8> {
        match &self.form {
            Form::Openai { .. } => b": keep-alive\n\n".to_vec(),
            Form::Anthropic(_) => b"event: ping\ndata: {\"type\":\"ping\"}\n\n".to_vec(),
            // Codex' idle timer takes no comments, and SDKs take nothing before `response.created`.
            Form::Responses(form) if !self.opened.replace(true) => openai::responses::stream::opening(&self.head, form),
            Form::Responses(_) => b"event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n".to_vec(),
        }
    }
}

#[cfg(test)]
mod round_trip_tests;
