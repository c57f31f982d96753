//! DeepSeek's web chat stream: bytes in, [`ChatEvent`]s out (protocols: §8).
//!
//! Patches build a message; what is new in its texts is given. So a text that is set as a whole, a snapshot that repeats
//! it and the rounds of `/chat/continue` never give anything twice. The older flat patches (V2) and chunks (V1) are read
//! too.

mod citation;
mod envelope;
mod fragment;
mod give;
mod json;
mod message;

use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::settings::CitationStyle;
use crate::chat::{ChatEvent, FinishReason};
use fragment::Kind;
use give::Giver;
use json::{Frame, Garbage, each, is_string, part, read};
use message::Message;

/// The longest line that is held until it is whole: a list of search results takes some 100 KB.
const LINE_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Why a stream did not end as it should.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// DeepSeek said so in the stream: a `hint`, an `error` frame, V1's `finish_reason`, or the status `TIMEOUT`.
    Hint {
        /// `rate_limit_reached`, `parallel_chat_limit`, `input_exceeds_limit`, … (protocols: §8.5 F); may be empty.
        reason: String,
        /// Its words for a reader; may be empty.
        content: String,
    },
    /// The body was a JSON envelope instead of a stream (protocols: §1).
    Json {
        /// The envelope's `code`; 0 if it has none.
        code: i64,
        /// `data.biz_code`; 0 if it has none.
        biz_code: i64,
        /// `biz_msg`, `msg` or `detail`.
        message: String,
        /// When the account's mute ends, in seconds since 1970.
        muted_until: Option<f64>,
    },
    /// It ended without a final status.
    Cut,
    /// It sent something that is no stream of this kind, or without measure.
    Garbage,
}

/// Where a stream stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// More is to come.
    Running,
    /// The answer was finished.
    Complete,
    /// The output budget was exhausted: `/chat/continue` gives more ([`Decoder::next_round`]), or the answer is finished
    /// as it is ([`Decoder::give_up`]).
    Incomplete {
        /// The message to continue.
        message_id: i64,
    },
    /// It broke.
    Broken(Trouble),
}

/// Reads the streams of one answer.
pub struct Decoder {
    state: State,
    body: Body,
    /// The begin of a line, or all of an envelope.
    carry: Vec<u8>,
    event: Event,
    /// Where a V1 chunk without a `type` belongs.
    chunk_kind: Option<Kind>,
    message: Message,
    giver: Giver,
}

/// What the body turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Nothing but spaces came.
    Unknown,
    /// Lines, none of them an event's yet.
    Lines,
    /// A stream of events.
    Stream,
    /// A JSON envelope.
    Json,
}

/// The name of the event that a data line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Patch,
    Ready,
    Hint,
    Close,
    Other,
}

#[derive(Deserialize)]
struct Ready {
    response_message_id: i64,
}

/// `{"type":"error","content":"…","clear_response":true,"finish_reason":"…"}` (protocols: §8.4).
#[derive(Deserialize)]
struct Hint {
    r#type: Option<String>,
    content: Option<String>,
    finish_reason: Option<String>,
}

/// The `error` of a frame, if it is more than a text.
#[derive(Deserialize)]
struct ErrorFrame<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    r#type: Option<String>,
    message: Option<String>,
}

/// V1 (protocols: §8.8).
#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    content: Option<String>,
    r#type: Option<String>,
    #[serde(borrow)]
    search_results: Option<&'a RawValue>,
}

impl Decoder {
    /// Reads a new answer.
    pub fn new(citations: CitationStyle) -> Self {
        Decoder {
            state: State::Running,
            body: Body::Unknown,
            carry: Vec::new(),
            event: Event::Patch,
            chunk_kind: None,
            message: Message::default(),
            giver: Giver::new(citations),
        }
    }

    /// Where the stream stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The answer's `response_message_id`: what continue and stop refer to, and the next question's parent.
    pub fn message_id(&self) -> Option<i64> {
        self.message.id
    }

    /// `accumulated_token_usage`: the session's tokens up to this answer, its thoughts not counted (protocols: §8.6).
    pub fn usage_total(&self) -> Option<u64> {
        self.message.usage
    }

    /// Takes one read of the body. Nothing is read past the final status.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<ChatEvent> {
        let mut events = Vec::new();
        if self.state != State::Running {
            return events;
        }
        let bytes = self.begin(bytes);
        if self.body == Body::Json {
            self.hold(bytes);
            return events;
        }
        let mut rest = bytes;
        while let Some(length) = memchr(b'\n', rest) {
            let (line, tail) = rest.split_at(length);
            rest = tail.get(1..).unwrap_or_default();
            if self.carry.is_empty() {
                self.line(line, &mut events);
            } else {
                self.hold(line);
                let line = std::mem::take(&mut self.carry);
                self.line(&line, &mut events);
            }
            if self.state != State::Running {
                return events;
            }
        }
        self.hold(rest);
        events
    }

    /// The body ended.
    pub fn end(&mut self) -> Vec<ChatEvent> {
        let mut events = Vec::new();
        if self.state != State::Running {
            return events;
        }
        let rest = std::mem::take(&mut self.carry);
        if self.body == Body::Json {
            self.state = State::Broken(envelope::trouble(&rest));
            return events;
        }
        if !rest.is_empty() {
            self.line(&rest, &mut events);
            if self.state == State::Broken(Trouble::Garbage) {
                self.state = State::Running;
            }
        }
        self.settle(true, &mut events);
        if self.state == State::Running {
            self.state = match self.message.id {
                Some(message_id) if self.message.auto_continue => State::Incomplete { message_id },
                _ => State::Broken(Trouble::Cut),
            };
        }
        events
    }

    /// The stream of `/chat/continue` follows, which repeats what there is. A complete answer stays complete.
    pub fn next_round(&mut self) {
        if self.state != State::Complete {
            self.state = State::Running;
            self.body = Body::Unknown;
            self.carry.clear();
            self.event = Event::Patch;
            self.message.restart();
        }
    }

    /// Finishes an incomplete answer as it is.
    pub fn give_up(&mut self) -> Vec<ChatEvent> {
        let mut events = Vec::new();
        if matches!(self.state, State::Incomplete { .. }) {
            self.finish(FinishReason::Length, &mut events);
        }
        events
    }

    /// Finds out what the body is; says where it begins.
    fn begin<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.body != Body::Unknown {
            return bytes;
        }
        // A byte order mark is skipped too.
        let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\xEF\xBB\xBF".contains(byte);
        let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
        let bytes = bytes.get(start..).unwrap_or_default();
        match bytes.first() {
            None => {}
            Some(b'{') => self.body = Body::Json,
            Some(_) => self.body = Body::Lines,
        }
        bytes
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.carry.len().saturating_add(bytes.len()) > LINE_MAX_BYTES {
            self.carry = Vec::new();
            self.broken(Trouble::Garbage);
        } else {
            self.carry.extend_from_slice(bytes);
        }
    }

    fn broken(&mut self, trouble: Trouble) {
        self.state = State::Broken(trouble);
    }

    fn line(&mut self, line: &[u8], events: &mut Vec<ChatEvent>) {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            self.event = Event::Patch;
        } else if let Some(data) = line.strip_prefix(b"data:") {
            self.body = Body::Stream;
            if self.data(data.trim_ascii_start(), events) == Err(Garbage) {
                self.broken(Trouble::Garbage);
            }
        } else if let Some(name) = line.strip_prefix(b"event:") {
            self.body = Body::Stream;
            self.event = match name.trim_ascii_start() {
                b"message" => Event::Patch,
                b"ready" => Event::Ready,
                b"hint" => Event::Hint,
                b"close" => Event::Close,
                _ => Event::Other,
            };
        } else if self.body != Body::Stream && !line.starts_with(b":") {
            // A page of HTML, say.
            self.broken(Trouble::Garbage);
        }
    }

    fn data(&mut self, data: &[u8], events: &mut Vec<ChatEvent>) -> Result<(), Garbage> {
        match (self.event, data) {
            (Event::Other, _) | (_, b"") => {}
            (Event::Close, _) => self.settle(true, events),
            (_, b"[DONE]") => {
                self.settle(true, events);
                if self.state == State::Running && self.chunk_kind.is_some() {
                    self.finish(FinishReason::Stop, events);
                }
            }
            (Event::Ready, _) => {
                if let Some(ready) = read::<Ready>(data)? {
                    self.message.id = Some(ready.response_message_id);
                }
            }
            (Event::Hint, _) => {
                if let Some(hint) = read::<Hint>(data)? {
                    self.hint(hint, events)?;
                }
            }
            (Event::Patch, _) => {
                if let Some(frame) = read::<Frame>(data)? {
                    self.frame(data, &frame, events)?;
                }
            }
        }
        Ok(())
    }

    fn frame(&mut self, data: &[u8], frame: &Frame, events: &mut Vec<ChatEvent>) -> Result<(), Garbage> {
        if let Some(choices) = frame.choices {
            if let Some(id) = frame.message_id {
                self.message.id = part(id)?.or(self.message.id);
            }
            return each(choices, |choice| match part::<Choice>(choice)? {
                Some(choice) if self.state == State::Running => self.choice(choice, events),
                _ => Ok(()),
            });
        }
        if frame.v.is_none()
            && let Some(refused) = frame.error.or(frame.code)
        {
            if frame.error.is_none() && !is_string(refused) {
                // An envelope in a frame.
                self.broken(envelope::trouble(data));
                return Ok(());
            }
            return self.refused(refused, events);
        }
        self.message.patch(frame)?;
        self.giver.give(&mut self.message, events);
        self.settle(false, events);
        Ok(())
    }

    fn choice(&mut self, choice: Choice, events: &mut Vec<ChatEvent>) -> Result<(), Garbage> {
        if let Some(delta) = choice.delta {
            let kind = match delta.r#type.as_deref() {
                None => self.chunk_kind.unwrap_or(Kind::Answer),
                Some("text") => Kind::Answer,
                Some("thinking") => Kind::Thoughts,
                Some(_) => Kind::Silent,
            };
            self.chunk_kind = Some(kind);
            if let Some(pages) = delta.search_results {
                self.message.flat_pages(pages)?;
            }
            if let Some(text) = delta.content.filter(|_| kind != Kind::Silent) {
                self.message.flat(kind, &text)?;
            }
            self.giver.give(&mut self.message, events);
        }
        match choice.finish_reason.as_deref() {
            None => {}
            Some("stop") => self.finish(FinishReason::Stop, events),
            Some("length") => self.finish(FinishReason::Length, events),
            Some("content_filter") => self.finish(FinishReason::ContentFilter, events),
            Some(reason) => self.broken(Trouble::Hint { reason: reason.to_owned(), content: String::new() }),
        }
        Ok(())
    }

    fn hint(&mut self, hint: Hint, events: &mut Vec<ChatEvent>) -> Result<(), Garbage> {
        let (reason, content) = (hint.finish_reason.unwrap_or_default(), hint.content.unwrap_or_default());
        if reason == "content_filter" {
            self.message.flat(Kind::Template, &content)?;
            self.giver.give(&mut self.message, events);
            self.finish(FinishReason::ContentFilter, events);
        } else if hint.r#type.as_deref() == Some("error") || !reason.is_empty() {
            self.broken(Trouble::Hint { reason, content });
        }
        Ok(())
    }

    /// A frame `{"error":…}` or `{"code":"…"}`: a text, a number, or an object that says more.
    fn refused(&mut self, refused: &RawValue, events: &mut Vec<ChatEvent>) -> Result<(), Garbage> {
        let text = |value: &RawValue| match is_string(value) {
            true => part::<String>(value).map(Option::unwrap_or_default),
            false => Ok(value.get().to_owned()),
        };
        let (reason, content) = match part::<ErrorFrame>(refused)? {
            Some(error) => {
                let code = error.code.map(text).transpose()?;
                (code.or(error.r#type).unwrap_or_default(), error.message.unwrap_or_default())
            }
            None => (text(refused)?, String::new()),
        };
        self.hint(
            Hint { r#type: Some("error".to_owned()), content: Some(content), finish_reason: Some(reason) },
            events,
        )
    }

    /// Ends the answer if its status is final. The `last` look takes a status that only a snapshot had.
    fn settle(&mut self, last: bool, events: &mut Vec<ChatEvent>) {
        if self.state != State::Running || !(self.message.settled || last) {
            return;
        }
        match (self.message.status.as_deref(), self.message.id) {
            (Some("FINISHED"), _) => self.finish(FinishReason::Stop, events),
            // The text in place of the answer comes with the status, or after it.
            (Some("CONTENT_FILTER"), _) if last || self.giver.replaced() => {
                self.finish(FinishReason::ContentFilter, events);
            }
            (Some("CONTEXT_LENGTH_EXCEEDED"), _) | (Some("INCOMPLETE" | "AUTO_CONTINUE"), None) => {
                self.finish(FinishReason::Length, events);
            }
            (Some("INCOMPLETE" | "AUTO_CONTINUE"), Some(message_id)) => self.state = State::Incomplete { message_id },
            (Some("TIMEOUT"), _) => {
                self.broken(Trouble::Hint { reason: "TIMEOUT".to_owned(), content: String::new() });
            }
            _ => {}
        }
    }

    fn finish(&mut self, reason: FinishReason, events: &mut Vec<ChatEvent>) {
        self.giver.rest(&mut self.message, events);
        events.push(ChatEvent::Finish(reason));
        self.state = State::Complete;
    }
}

#[cfg(test)]
mod tests;
