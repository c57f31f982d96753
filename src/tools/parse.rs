//! Reads a model's answer for tool calls, as it streams. Text leaves at once but for what may be the beginning of a call; a
//! call leaves when its block is complete, so that half of one is never seen. What turns out to be no call is text.
use serde_json::Value;

use super::markup::{self, At, Written};
use super::{json, schema};
use crate::chat::{ChatEvent, FinishReason, Tool, ToolChoice};

/// The longest block that is waited for.
const BLOCK_MAX: usize = 1024 * 1024;
/// How much of a block's end is looked at for its closing tag, before all of it is.
const TAIL: usize = 96;

/// Reads one answer.
pub struct Parser {
    tools: Vec<Tool>,
    named: Option<String>,
    parallel: bool,
    /// Text that may be part of a call.
    held: String,
    block: Option<Block>,
    made: u32,
    misfit: Option<String>,
    /// The code fence that the text is in: its letter, and how many.
    fence: Option<(char, usize)>,
    /// So far the line ends the fence; a word after it would make it a line of the code.
    fence_ends: bool,
    inline_code: bool,
    line_start: bool,
    /// Spaces at the end of the text, which are nobody's where a call follows.
    blank: String,
    /// Something other than spaces was given.
    said: bool,
    /// A call was the last that was given.
    after_call: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// Ends with the closing tag of this name.
    Tag(&'static str),
    /// The whole answer.
    Json,
}

enum Found {
    Block(usize, Block),
    /// From here on it must be held back.
    Hold(usize),
    Nothing,
}

impl Parser {
    /// Reads an answer to a request with these tools.
    pub fn new(tools: &[Tool], choice: &ToolChoice, parallel: bool) -> Parser {
        let named = match choice {
            ToolChoice::Named(name) => Some(name.clone()),
            _ => None,
        };
        Parser {
            tools: tools.to_vec(),
            named,
            parallel,
            held: String::new(),
            block: None,
            made: 0,
            misfit: None,
            fence: None,
            fence_ends: false,
            inline_code: false,
            line_start: true,
            blank: String::new(),
            said: false,
            after_call: false,
        }
    }

    /// No call was made.
    pub fn unmet(&self) -> bool {
        self.made == 0
    }

    /// The call of a strict tool whose arguments do not fit, which was not given: which, and why.
    pub fn misfit(&self) -> Option<&str> {
        self.misfit.as_deref()
    }

    /// Takes the next event, of which only text is looked at.
    pub fn push(&mut self, event: ChatEvent) -> Vec<ChatEvent> {
        let ChatEvent::Text(text) = event else { return vec![event] };
        let mut out = Vec::new();
        self.held.push_str(&text);
        let mut fresh = text.len();
        loop {
            let goes_on = match self.block {
                None => self.scan(&mut out),
                Some(block) => self.end_block(block, fresh, &mut out),
            };
            if !goes_on {
                return out;
            }
            fresh = self.held.len();
        }
    }

    /// Takes the answer's end: what is held back is a call after all, or text.
    pub fn finish(&mut self, reason: FinishReason) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        let rest = std::mem::take(&mut self.held);
        match self.block.take() {
            // What was cut off in its middle must not be made, and half a call is no text.
            Some(_) if reason != FinishReason::Stop => self.blank.clear(),
            Some(block) => self.close(&rest, block, &mut out),
            None => self.say(&rest, &mut out),
        }
        if self.made == 0 && !self.blank.is_empty() {
            out.push(ChatEvent::Text(std::mem::take(&mut self.blank)));
        }
        let called = self.made > 0 && reason == FinishReason::Stop;
        out.push(ChatEvent::Finish(if called { FinishReason::ToolCalls } else { reason }));
        out
    }

    /// Gives text up to where a block may begin. Whether there is more to do.
    fn scan(&mut self, out: &mut Vec<ChatEvent>) -> bool {
        let held = std::mem::take(&mut self.held);
        let (until, block) = match self.find(&held) {
            Found::Block(at, block) => (at, Some(block)),
            Found::Hold(at) => (at, None),
            Found::Nothing => (held.len(), None),
        };
        let (text, rest) = held.split_at(until);
        self.say(text, out);
        self.held = rest.to_owned();
        self.block = block;
        block.is_some()
    }

    fn find(&mut self, text: &str) -> Found {
        let mut at = 0;
        while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let rest = text.get(at..).unwrap_or_default();
            let mut length = letter.len_utf8();
            if matches!(letter, '`' | '~') && self.line_start {
                let run = rest.len() - rest.trim_start_matches(letter).len();
                if run == rest.len() && run < 8 {
                    return Found::Hold(at);
                }
                if run >= 3 {
                    self.fence = match self.fence {
                        None => Some((letter, run)),
                        fence => {
                            self.fence_ends = fence.is_some_and(|(open, least)| open == letter && run >= least);
                            fence
                        }
                    };
                    length = run;
                } else {
                    self.inline_code ^= letter == '`' && self.fence.is_none() && run == 1;
                    length = run;
                }
                self.line_start = false;
            } else if letter == '`' && self.fence.is_none() {
                self.inline_code = !self.inline_code;
                self.line_start = false;
            } else if letter == '\n' {
                if std::mem::take(&mut self.fence_ends) {
                    self.fence = None;
                }
                (self.line_start, self.inline_code) = (true, false);
            } else if self.fence.is_none() && !self.inline_code && matches!(letter, '<' | '{') {
                match self.begins(rest, at, text) {
                    Found::Nothing => {}
                    found => return found,
                }
                self.line_start = false;
            } else if !letter.is_whitespace() {
                (self.line_start, self.fence_ends) = (false, false);
            }
            at += length;
        }
        Found::Nothing
    }

    /// Whether a block begins with `rest`, which stands at `at` of `text`.
    fn begins(&self, rest: &str, at: usize, text: &str) -> Found {
        if rest.starts_with('{') {
            let is_first = !self.said && text.get(..at).is_some_and(|before| before.trim().is_empty());
            let compact: String = rest.chars().take(64).filter(|letter| !letter.is_whitespace()).collect();
            return match is_first {
                true if compact.starts_with("{\"tool_calls\"") => Found::Block(at, Block::Json),
                true if "{\"tool_calls\"".starts_with(&compact) => Found::Hold(at),
                _ => Found::Nothing,
            };
        }
        match markup::at(rest) {
            At::Partial => Found::Hold(at),
            At::Tag(tag) if !tag.closes => match tag.name {
                "tool_calls" | "tool_call" | "json_calls" => {
                    let closing = if tag.name == "json_calls" { "json_calls_end" } else { tag.name };
                    match rest.get(tag.length..).and_then(|inside| inside.trim_start().chars().next()) {
                        None => Found::Hold(at),
                        Some('<' | '[' | '{') => Found::Block(at, Block::Tag(closing)),
                        // Merely a word of the text.
                        Some(_) => Found::Nothing,
                    }
                }
                "invoke" if tag.attribute.is_some_and(|name| self.tool(name).is_some()) => {
                    Found::Block(at, Block::Tag("invoke"))
                }
                _ => Found::Nothing,
            },
            At::Tag(_) | At::Text => Found::Nothing,
        }
    }

    /// Looks for a block's end. Whether there is more to do.
    fn end_block(&mut self, block: Block, fresh: usize, out: &mut Vec<ChatEvent>) -> bool {
        let end = match block {
            Block::Tag(name) => {
                let word = if name == "json_calls_end" { "end" } else { name };
                let mut from = self.held.len().saturating_sub(fresh + TAIL);
                while !self.held.is_char_boundary(from) {
                    from -= 1;
                }
                let may_end = self.held.get(from..).is_some_and(|tail| tail.contains('>') && tail.contains(word));
                may_end.then(|| markup::end_of(&self.held, name)).flatten()
            }
            Block::Json => None,
        };
        let end = match end {
            Some(end) => end,
            None if self.held.len() > BLOCK_MAX => self.held.len(),
            None => return false,
        };
        let rest = self.held.split_off(end);
        let text = std::mem::replace(&mut self.held, rest);
        self.block = None;
        self.close(&text, block, out);
        true
    }

    /// A block is complete, or never will be.
    fn close(&mut self, text: &str, block: Block, out: &mut Vec<ChatEvent>) {
        let written = match block {
            Block::Json => json::calls(text),
            Block::Tag("json_calls_end") if text.contains("tool▁sep") => markup::native_calls(text),
            Block::Tag("tool_call" | "json_calls_end") => json::calls(markup::inside(text)),
            Block::Tag(_) => {
                let calls = markup::calls(text, &|name, parameter, value| {
                    self.tool(name).is_some_and(|tool| schema::means_text(&tool.parameters, parameter, value))
                });
                if calls.is_empty() { json::calls(markup::inside(text)) } else { calls }
            }
        };
        let known: Vec<Written> = written.into_iter().filter(|call| self.tool(&call.name).is_some()).collect();
        if known.is_empty() {
            return self.say(text, out);
        }
        for call in known {
            if self.parallel || self.made == 0 {
                self.call(call, out);
            }
        }
    }

    fn tool(&self, name: &str) -> Option<&Tool> {
        let wanted = self.named.as_deref().is_none_or(|named| named == name);
        self.tools.iter().find(|tool| wanted && tool.name == name)
    }

    fn call(&mut self, call: Written, out: &mut Vec<ChatEvent>) {
        let tool = self.tool(&call.name);
        let schema = tool.map_or(&Value::Null, |tool| &tool.parameters);
        let arguments = schema::coerced(schema, call.arguments);
        if tool.is_some_and(|tool| tool.strict == Some(true))
            && let Some(what) = schema::misfit(schema, &arguments)
        {
            self.misfit.get_or_insert_with(|| format!("{}: {what}", call.name));
            return;
        }
        self.blank.clear();
        let arguments = arguments.to_string();
        out.push(ChatEvent::ToolCall { index: self.made, id: call_id(), name: call.name });
        out.push(ChatEvent::Arguments(arguments));
        self.made = self.made.saturating_add(1);
        self.after_call = true;
    }

    /// Gives text. The spaces and ends of tags around calls are nobody's.
    fn say(&mut self, text: &str, out: &mut Vec<ChatEvent>) {
        let mut text = text;
        if self.after_call {
            text = text.trim_start();
            while let At::Tag(tag) = markup::at(text)
                && tag.closes
            {
                text = text.get(tag.length..).unwrap_or_default().trim_start();
            }
        }
        let (said, blank) = text.split_at(text.trim_end().len());
        if !said.is_empty() {
            self.said = true;
            self.after_call = false;
            out.push(ChatEvent::Text(std::mem::take(&mut self.blank) + said));
        }
        self.blank.push_str(blank);
    }
}

/// A new call's id, unique for ever (api-conformance T12).
pub fn call_id() -> String {
    let mut random = [0; 12];
    // Without randomness ids repeat, and calls still answer.
    let _ = getrandom::fill(&mut random);
    format!("call_{}", hex::encode(random))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
