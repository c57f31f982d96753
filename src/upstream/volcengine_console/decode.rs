//! Reads one answer of the console, in every form that is known or likely (protocols: A.6, A.7): a stream of events or
//! one JSON body, keys in either case, wrapped or not, with or without an end mark; and errors wherever they come.
use memchr::memchr;
use serde_json::Value;

use super::failure::{self, Context, Words};
use crate::chat::{ChatEvent, ErrorKind, FinishReason, Usage};
use crate::json;
use crate::tokens::Counter;
use crate::upstream::decode::{Decode, Phase};
use crate::upstream::failure::{Failure, broken};
use crate::upstream::openai::failure::gave_up;
use crate::upstream::openai::meter::LINE_MAX_BYTES;

const NO_ANSWER: &str = "The console sent something that is no answer.";
const CUT: &str = "The console's answer was cut off.";
const EMPTY: &str = "The console gave an empty answer.";

/// Reads one answer.
pub struct Decoder {
    form: Form,
    /// A line, or all of a JSON body, that is not complete yet.
    carry: Vec<u8>,
    /// The service sends what is new, and not messages that hold all so far.
    has_deltas: bool,
    has_spoken: bool,
    finish: Option<FinishReason>,
    is_done: bool,
    failed: Option<Failure>,
    usage: Option<Usage>,
    /// Our own counts, where the service gives none.
    prompt_tokens: u64,
    text: Counter,
    reasoning: Counter,
    context: Context,
}

/// How an answer comes; its first letter tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Unknown,
    Events,
    Json,
}

impl Decoder {
    /// Reads an answer that came with `context`. For a service that gives no figures, `prompt_tokens` is our own count.
    pub fn new(context: Context, prompt_tokens: u64) -> Decoder {
        Decoder {
            form: Form::Unknown,
            carry: Vec::new(),
            has_deltas: false,
            has_spoken: false,
            finish: None,
            is_done: false,
            failed: None,
            usage: None,
            prompt_tokens,
            text: Counter::default(),
            reasoning: Counter::default(),
            context,
        }
    }

    /// Takes one line; false where it cannot be read.
    fn line(&mut self, line: &[u8], out: &mut Vec<ChatEvent>) -> bool {
        match line.trim_ascii().strip_prefix(b"data:").map(<[u8]>::trim_ascii) {
            None | Some(b"") => {}
            Some(b"[DONE]") => self.complete(out),
            Some(data) => match json::parse(data) {
                Ok(event) => self.event(&event, out),
                Err(_) => return false,
            },
        }
        true
    }

    fn event(&mut self, event: &Value, out: &mut Vec<ChatEvent>) {
        if let Some(words) = Words::find(event) {
            // What was said until then stays said.
            if words.is_of_answers_text() && self.has_spoken {
                self.finish = Some(FinishReason::ContentFilter);
                return self.complete(out);
            }
            return self.failed = Some(failure::of_error(self.context.status, words, &self.context));
        }
        let payload = either(event, "result", "Result").filter(|payload| payload.is_object()).unwrap_or(event);
        if let Some(usage) = either(payload, "usage", "Usage").and_then(usage) {
            self.usage = Some(usage);
        }
        let choice = either(payload, "choices", "Choices").and_then(|choices| choices.get(0));
        if let Some(choice) = choice {
            let delta = either(choice, "delta", "Delta");
            self.has_deltas |= delta.is_some();
            // Beside deltas a message only repeats them.
            let message = || either(choice, "message", "Message").filter(|_| !self.has_deltas);
            if let Some(said) = delta.or_else(message) {
                self.say(said, out);
            }
        }
        let places = [choice, Some(payload), Some(event)];
        let reason = places.into_iter().flatten().find_map(|place| {
            either(place, "finish_reason", "FinishReason").and_then(Value::as_str).filter(|reason| !reason.is_empty())
        });
        if let Some(reason) = reason {
            self.finish = Some(match reason.to_ascii_lowercase().as_str() {
                "length" => FinishReason::Length,
                "content_filter" => FinishReason::ContentFilter,
                reason if gave_up(reason) => return self.fail("The console broke its answer off."),
                _ => FinishReason::Stop,
            });
        }
    }

    fn say(&mut self, said: &Value, out: &mut Vec<ChatEvent>) {
        let text = |lower: &str, upper: &str| {
            either(said, lower, upper).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        if let Some(text) = text("reasoning_content", "ReasoningContent") {
            self.has_spoken = true;
            self.reasoning.push(&text);
            out.push(ChatEvent::Reasoning(text));
        }
        if let Some(text) = text("content", "Content") {
            self.has_spoken = true;
            self.text.push(&text);
            out.push(ChatEvent::Text(text));
        }
    }

    /// All of a body that is no stream of events. A JSON text shows by itself that it is whole.
    fn body(&mut self, body: &[u8], out: &mut Vec<ChatEvent>) {
        let Ok(answer) = json::parse(body) else {
            return self.fail(CUT);
        };
        self.event(&answer, out);
        if self.is_over() {
            return;
        }
        if self.has_spoken {
            self.finish.get_or_insert(FinishReason::Stop);
        }
        self.complete(out);
    }

    fn complete(&mut self, out: &mut Vec<ChatEvent>) {
        match self.finish.take() {
            None => self.fail(CUT),
            Some(FinishReason::Stop) if !self.has_spoken => self.fail(EMPTY),
            Some(reason) => {
                out.extend(self.usage().map(ChatEvent::Usage));
                out.push(ChatEvent::Finish(reason));
                self.is_done = true;
            }
        }
    }

    fn fail(&mut self, text: &str) {
        self.failed = Some(broken(ErrorKind::Upstream, text));
    }

    fn is_over(&self) -> bool {
        self.is_done || self.failed.is_some()
    }

    fn keep(&mut self, rest: &[u8]) {
        if self.carry.len().saturating_add(rest.len()) > LINE_MAX_BYTES {
            self.fail(NO_ANSWER);
        } else {
            self.carry.extend_from_slice(rest);
        }
    }
}

/// A field by its name in either case; null is as good as absent.
fn either<'a>(value: &'a Value, lower: &str, upper: &str) -> Option<&'a Value> {
    let field = |name: &str| value.get(name).filter(|field| !field.is_null());
    field(lower).or_else(|| field(upper))
}

fn usage(usage: &Value) -> Option<Usage> {
    let details = |lower, upper| either(usage, lower, upper).unwrap_or(&Value::Null);
    let (completion, prompt) = (
        details("completion_tokens_details", "CompletionTokensDetails"),
        details("prompt_tokens_details", "PromptTokensDetails"),
    );
    Some(Usage {
        prompt: number(usage, "prompt_tokens", "PromptTokens")?,
        completion: number(usage, "completion_tokens", "CompletionTokens")?,
        reasoning: number(completion, "reasoning_tokens", "ReasoningTokens").unwrap_or(0),
        cached: number(prompt, "cached_tokens", "CachedTokens").unwrap_or(0),
    })
}

fn number(value: &Value, lower: &str, upper: &str) -> Option<u64> {
    either(value, lower, upper).and_then(Value::as_u64)
}

impl Decode for Decoder {
    fn feed(&mut self, read: &[u8]) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        let mut rest = read;
        if self.form == Form::Unknown {
            rest = read.trim_ascii_start();
            self.form = match rest.first() {
                None => return out,
                Some(b'{') => Form::Json,
                Some(_) => Form::Events,
            };
        }
        while !self.is_over() {
            let end = memchr(b'\n', rest).filter(|_| self.form == Form::Events);
            let Some(length) = end else {
                self.keep(rest);
                break;
            };
            let (line, after) = rest.split_at(length);
            rest = after.get(1..).unwrap_or_default();
            let mut begun = std::mem::take(&mut self.carry);
            let line = if begun.is_empty() {
                line
            } else {
                begun.extend_from_slice(line);
                &begun
            };
            if !self.line(line, &mut out) {
                self.fail(NO_ANSWER);
            }
        }
        out
    }

    /// A stream that has finished is whole without `[DONE]`.
    fn end(&mut self) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        let rest = std::mem::take(&mut self.carry);
        match self.form {
            _ if self.is_over() => {}
            Form::Json => self.body(&rest, &mut out),
            Form::Unknown => self.fail(EMPTY),
            Form::Events => {
                // What was cut off after the finish says nothing of the answer.
                if !self.line(&rest, &mut out) && self.finish.is_none() {
                    self.fail(CUT);
                }
                if !self.is_over() {
                    self.complete(&mut out);
                }
            }
        }
        out
    }

    fn phase(&self) -> Phase {
        match &self.failed {
            Some(failure) => Phase::Broken(failure.clone()),
            None if self.is_done => Phase::Complete,
            None => Phase::Running,
        }
    }

    fn usage(&self) -> Option<Usage> {
        let reasoning = self.reasoning.count();
        let completion = reasoning.saturating_add(self.text.count());
        self.usage.or(Some(Usage { prompt: self.prompt_tokens, completion, reasoning, cached: 0 }))
    }

    fn resume(&mut self) {}
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
