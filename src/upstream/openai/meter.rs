//! Reads an OpenAI stream as it passes: usage, the end marker, errors. Bytes that need no change are not copied.
//!
//! Lines are forwarded whole, so whatever follows a cut stream begins on a line of its own. `id:` and `retry:` are
//! dropped (api-conformance T6), and so is the usage chunk of a caller who did not ask for it (C22).

use std::ops::Range;

use memchr::memchr;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;
use weir_shape::Shape;

use super::answer::{WireUsage, instead_of_events};
use super::failure::{self, Context};
use crate::chat::Usage;
use crate::json;
use crate::stream::splice::{Edit, span_of, splice};
use crate::upstream::decode::Phase;

/// The longest line that is held until it is whole; images in an answer may take megabytes.
pub(in crate::upstream) const LINE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// May begin an event stream, and means nothing.
pub(in crate::upstream) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What to write for one read: `lead`, then `read[rest]`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Bytes to write first.
    pub lead: Vec<u8>,
    /// The part of the read that follows unchanged.
    pub rest: Range<usize>,
}

/// Why a stream did not end as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The upstream sent an error; its `error` value as JSON.
    Error(String),
    /// It ended without an end marker.
    Cut,
    /// It sent something that is no chunk.
    Garbage,
    /// It gave the answer up, with this `finish_reason`.
    GaveUp(String),
}

impl Fault {
    /// The fault that a `finish_reason` tells of; `None` where the answer is whole, or as long as it may be.
    pub fn of_finish(reason: &str) -> Option<Fault> {
        failure::gave_up(reason).then(|| Fault::GaveUp(reason.to_owned()))
    }
}

/// Where a stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// More is to come.
    Running,
    /// It reached its end marker.
    Complete,
    /// It broke.
    Broken(Fault),
}

/// Watches one stream.
pub struct Meter {
    /// The JSON text of the model name that the caller used.
    asked_model: String,
    usage_asked: bool,
    choices: u64,
    finished: u64,
    carry: Vec<u8>,
    started: bool,
    state: State,
    usage: Option<Usage>,
    /// The last line written ended an event.
    between_events: bool,
    /// The event before was dropped, so its blank line goes too.
    drop_blank: bool,
    /// How the last event looked that needed no change.
    shape: Shape,
    /// The account's credential, which no message may hold.
    secret: String,
    retry_after_ms: Option<u64>,
    finders: Finders,
}

struct Finders {
    finish: Finder<'static>,
    usage: Finder<'static>,
    error: Finder<'static>,
    model: Finder<'static>,
}

enum Fate {
    Keep,
    Drop,
    Edited(Vec<Edit>),
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    choices: Option<Vec<Choice>>,
    usage: Option<WireUsage>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice {
    finish_reason: Option<String>,
}

impl Meter {
    /// Watches a stream of `choices` choices; `asked_model` replaces the upstream's own name for the model (C15).
    pub fn new(asked_model: &str, usage_asked: bool, choices: u64) -> Self {
        Meter {
            asked_model: serde_json::Value::from(asked_model).to_string(),
            usage_asked,
            choices,
            finished: 0,
            carry: Vec::new(),
            started: false,
            state: State::Running,
            usage: None,
            between_events: true,
            drop_blank: false,
            shape: Shape::default(),
            secret: String::new(),
            retry_after_ms: None,
            finders: Finders {
                finish: Finder::new("\"finish_reason\""),
                usage: Finder::new("\"usage\""),
                error: Finder::new("\"error\""),
                model: Finder::new("\"model\""),
            },
        }
    }

    /// The same meter, which tells failures with what the answer came with.
    pub fn within(self, context: Context) -> Self {
        Meter { secret: context.secret.to_owned(), retry_after_ms: context.retry_after_ms, ..self }
    }

    /// Where the stream stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The same, with what a failure means.
    pub fn phase(&self) -> Phase {
        match &self.state {
            State::Running => Phase::Running,
            State::Complete => Phase::Complete,
            State::Broken(fault) => {
                let context = Context { secret: &self.secret, retry_after_ms: self.retry_after_ms };
                Phase::Broken(failure::of_fault(fault, context))
            }
        }
    }

    /// A chunk of the answer has passed.
    pub fn started(&self) -> bool {
        self.started
    }

    /// The last usage that passed; upstreams that report more than once report running totals.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the last line written ended an event. If not, a line break must come before another event.
    pub fn between_events(&self) -> bool {
        self.between_events
    }

    /// Takes one read of the upstream's body. Nothing is written past the end marker or a fault.
    pub fn feed(&mut self, chunk: &[u8]) -> Fed {
        let mut fed = Fed::default();
        if self.state != State::Running {
            return fed;
        }
        let mut at = 0;
        while self.state == State::Running {
            let Some(tail) = chunk.get(at..) else { break };
            if self.carry.is_empty() && !self.started && tail.starts_with(BYTE_ORDER_MARK) {
                at += BYTE_ORDER_MARK.len();
                continue;
            }
            if self.carry.is_empty() {
                // Nearly all events of most streams.
                let run = self.shape.run(tail);
                if run > 0 {
                    self.between_events = true;
                    self.drop_blank = false;
                    add(&mut fed, chunk, at..at + run, Fate::Keep);
                    at += run;
                    continue;
                }
            }
            let Some(length) = memchr(b'\n', tail) else {
                self.hold(tail);
                break;
            };
            let end = at + length + 1;
            let line = tail.get(..=length).unwrap_or_default();
            if self.carry.is_empty() {
                let fate = self.line(line);
                add(&mut fed, chunk, at..end, fate);
            } else {
                self.carry.extend_from_slice(line);
                let carried = std::mem::take(&mut self.carry);
                let mark = if self.started { None } else { carried.strip_prefix(BYTE_ORDER_MARK) };
                let line = mark.unwrap_or(&carried);
                match self.line(line) {
                    Fate::Keep => fed.lead.extend_from_slice(line),
                    Fate::Edited(edits) => splice(line, edits, &mut fed.lead),
                    Fate::Drop => {}
                }
            }
            at = end;
        }
        if self.state == State::Complete {
            self.end(&mut fed, chunk);
        }
        fed
    }

    /// Ends the stream at the upstream's clean end. A stream whose choices have all finished is whole without `[DONE]`.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut fed = Fed::default();
        if self.state == State::Running && !self.carry.is_empty() {
            fed = self.feed(b"\n");
        }
        if self.state == State::Running {
            if self.finished >= self.choices {
                if !self.between_events {
                    fed.lead.push(b'\n');
                }
                fed.lead.extend_from_slice(b"data: [DONE]\n\n");
                self.state = State::Complete;
            } else {
                self.state = State::Broken(Fault::Cut);
            }
        }
        fed.lead
    }

    fn end(&mut self, fed: &mut Fed, chunk: &[u8]) {
        flush(fed, chunk);
        fed.lead.push(b'\n');
        self.between_events = true;
    }

    fn hold(&mut self, tail: &[u8]) {
        if self.carry.len().saturating_add(tail.len()) > LINE_MAX_BYTES {
            self.state = State::Broken(Fault::Garbage);
        } else {
            self.carry.extend_from_slice(tail);
        }
    }

    fn line(&mut self, line: &[u8]) -> Fate {
        let text = line.trim_ascii_end();
        let fate = match text.first() {
            None if self.drop_blank => Fate::Drop,
            None => {
                self.between_events = true;
                Fate::Keep
            }
            Some(b':') => Fate::Keep,
            Some(_) => match text.strip_prefix(b"data:") {
                Some(data) => self.data(line, data.trim_ascii_start()),
                None if text.starts_with(b"event:") => Fate::Keep,
                None if self.started => Fate::Drop,
                None => instead_of_events(text).map_or(Fate::Drop, |fault| self.broken(fault)),
            },
        };
        // The blank line of what was kept before it stays.
        self.drop_blank = matches!(fate, Fate::Drop) && !text.is_empty() && self.between_events;
        if !matches!(fate, Fate::Drop) && !text.is_empty() {
            self.between_events = false;
        }
        fate
    }

    fn data(&mut self, line: &[u8], data: &[u8]) -> Fate {
        match data {
            b"" => return Fate::Drop,
            // The end of nothing is no answer: another account may have one.
            b"[DONE]" if !self.started => return self.broken(Fault::Cut),
            b"[DONE]" => {
                self.state = State::Complete;
                return Fate::Keep;
            }
            [b'{', .., b'}'] => {}
            _ => return self.broken(Fault::Garbage),
        }
        let finish = value_of(&self.finders.finish, data);
        let usage = value_of(&self.finders.usage, data);
        // Of several choices the first may go on where another ends.
        let ends = if self.choices > 1 { finish.is_some() } else { !is_null(finish) };
        let plain = !ends && is_null(usage) && value_of(&self.finders.error, data).is_none();
        let model = value_of(&self.finders.model, data);
        let renamed = model.is_some_and(|model| !model.starts_with(self.asked_model.as_bytes()));
        let mut edits = Vec::new();
        if !plain || renamed {
            let Ok(chunk) = json::scan::<Chunk>(data) else { return self.broken(Fault::Garbage) };
            if let Some(error) = chunk.error.filter(|error| error.get() != "null") {
                return self.broken(Fault::Error(error.get().to_owned()));
            }
            if let Some(fault) = self.note(&chunk) {
                return self.broken(fault);
            }
            let only_usage = chunk.usage.is_some() && chunk.choices.as_ref().is_some_and(Vec::is_empty);
            if only_usage && !self.usage_asked {
                return Fate::Drop;
            }
            if let Some(model) = chunk.model.filter(|model| model.get() != self.asked_model) {
                edits.extend(span_of(line, model.get()).map(|span| Edit::new(span, self.asked_model.as_str())));
            }
        }
        self.started = true;
        if let Some(value) = usage.filter(|_| !self.usage_asked && is_null(usage)) {
            edits.extend(null_field(line, value).map(|span| Edit::new(span, "")));
        }
        if !edits.is_empty() {
            return Fate::Edited(edits);
        }
        if plain {
            self.shape.learn(line);
        }
        Fate::Keep
    }

    fn note(&mut self, chunk: &Chunk) -> Option<Fault> {
        if let Some(usage) = &chunk.usage {
            self.usage = Some(usage.into());
        }
        let mut reasons = chunk.choices.iter().flatten().filter_map(|choice| choice.finish_reason.as_deref());
        reasons.find_map(|reason| {
            self.finished = self.finished.saturating_add(1);
            Fault::of_finish(reason)
        })
    }

    fn broken(&mut self, fault: Fault) -> Fate {
        self.state = State::Broken(fault);
        Fate::Drop
    }
}

fn add(fed: &mut Fed, chunk: &[u8], line: Range<usize>, fate: Fate) {
    match fate {
        Fate::Keep if fed.rest.end == line.start => fed.rest.end = line.end,
        Fate::Keep => {
            flush(fed, chunk);
            fed.rest = line;
        }
        Fate::Drop => {}
        Fate::Edited(edits) => {
            flush(fed, chunk);
            splice(chunk.get(line).unwrap_or_default(), edits, &mut fed.lead);
        }
    }
}

fn flush(fed: &mut Fed, chunk: &[u8]) {
    fed.lead.extend_from_slice(chunk.get(std::mem::take(&mut fed.rest)).unwrap_or_default());
}

/// What follows `"key":`. A key cannot be met inside a JSON string, where its quotes are escaped.
fn value_of<'a>(key: &Finder, data: &'a [u8]) -> Option<&'a [u8]> {
    let after = data.get(key.find(data)? + key.needle().len()..)?;
    Some(after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

fn is_null(value: Option<&[u8]>) -> bool {
    value.is_none_or(|value| value.starts_with(b"null"))
}

/// The span of `"usage":null` in `line` with one comma, where `value` is the part of `line` from `null` on.
fn null_field(line: &[u8], value: &[u8]) -> Option<Range<usize>> {
    let null = (value.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
    let end = null + b"null".len();
    let key = line.get(..null)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let start = key.strip_suffix(b"\"usage\"")?.len();
    let before = line.get(..start)?.trim_ascii_end();
    if before.ends_with(b",") {
        return Some(before.len() - 1..end);
    }
    let after = line.get(end..)?;
    let spaces = after.len() - after.trim_ascii_start().len();
    let comma = usize::from(after.trim_ascii_start().starts_with(b","));
    Some(start..end + if comma == 1 { spaces + 1 } else { 0 })
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
