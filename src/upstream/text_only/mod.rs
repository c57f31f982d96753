//! What a service that gives text alone lacks: tools and bare JSON. Its prompt asks for them, and its answer is read for
//! them.
mod json;

use crate::chat::{
    ChatError, ChatEvent, ChatRequest, ErrorKind, FinishReason, Format, Message, Outcome, Role, ToolChoice, Usage,
};
use crate::tools::{self, Parser};
use crate::upstream::decode::Decode;
use crate::upstream::decode::Phase;
use crate::upstream::failure::Failure;
use json::Json;

/// Who says what, as text alone: tools, their calls and results, and the wanted format included.
pub fn flatten(request: &ChatRequest) -> Vec<(Role, String)> {
    let tools = tools::instructions(&request.tools, &request.tool_choice, request.parallel_tool_calls);
    let rules: Vec<String> = tools.into_iter().chain(tools::format_instructions(&request.format)).collect();
    let mut messages: Vec<(Role, String)> =
        in_order(&request.messages).into_iter().map(|message| (message.role, said(message))).collect();
    if !rules.is_empty() {
        let rules = rules.join("\n\n");
        match messages.iter_mut().find(|(role, _)| *role == Role::System) {
            Some((_, text)) => *text = format!("{text}\n\n{rules}"),
            None => messages.insert(0, (Role::System, rules)),
        }
    }
    messages
}

/// The messages with the results of an answer's calls in the order of the calls: a text tells them apart by nothing else.
fn in_order(messages: &[Message]) -> Vec<&Message> {
    let mut placed = Vec::with_capacity(messages.len());
    let mut caller = 0;
    for (index, message) in messages.iter().enumerate() {
        if message.role != Role::Tool {
            caller = index;
            placed.push(((caller, 0), message));
            continue;
        }
        let calls = messages.get(caller).map(|message| message.tool_calls.as_slice()).unwrap_or_default();
        let call = calls.iter().position(|call| Some(call.id.as_str()) == message.tool_call_id.as_deref());
        placed.push(((caller, call.map_or(usize::MAX, |call| call.saturating_add(1))), message));
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, message)| message).collect()
}

fn said(message: &Message) -> String {
    let text = message.text();
    match (message.role, message.tool_calls.as_slice()) {
        (Role::Tool, _) => {
            let text = if message.failed { format!("Error: {text}") } else { text };
            tools::render_result(message.tool_call_id.as_deref().unwrap_or_default(), &text)
        }
        (_, []) => text,
        (_, calls) if text.is_empty() => tools::render_calls(calls),
        (_, calls) => format!("{text}\n\n{}", tools::render_calls(calls)),
    }
}

/// Reads an answer for what its request asked.
pub struct TextOnly {
    inner: Box<dyn Decode>,
    tools: Option<Parser>,
    must_call: bool,
    json: Option<(Json, Format)>,
    /// Set where the answer is not what was asked for.
    failed: Option<Failure>,
    /// A caller who gets the answer as a whole is spared one that is not what was asked for.
    whole: bool,
}

impl TextOnly {
    /// `whole` where nothing is sent before the answer is complete.
    pub fn new(inner: Box<dyn Decode>, request: &ChatRequest, whole: bool) -> TextOnly {
        let uses_tools = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
        TextOnly {
            inner,
            tools: uses_tools.then(|| Parser::new(&request.tools, &request.tool_choice, request.parallel_tool_calls)),
            // Where there is nothing to call, the text is the answer.
            must_call: uses_tools && matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Named(_)),
            json: json(&request.format),
            failed: None,
            whole,
        }
    }

    fn take(&mut self, events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        for event in events {
            let parsed = match (&mut self.tools, event) {
                (Some(parser), ChatEvent::Finish(reason)) => parser.finish(reason),
                (Some(parser), event) => parser.push(event),
                (None, event) => vec![event],
            };
            for event in parsed {
                if self.failed.is_some() {
                    return out;
                }
                self.pass(event, &mut out);
            }
        }
        out
    }

    fn pass(&mut self, event: ChatEvent, out: &mut Vec<ChatEvent>) {
        match event {
            // Who must call a tool has nothing to say.
            ChatEvent::Text(_) if self.must_call => {}
            ChatEvent::Text(text) => {
                let text = match &mut self.json {
                    Some((json, _)) => json.push(&text),
                    None => text,
                };
                if !text.is_empty() {
                    out.push(ChatEvent::Text(text));
                }
            }
            ChatEvent::Finish(reason) => match self.unmet(&reason) {
                Some(failure) => self.failed = Some(failure),
                None => out.push(ChatEvent::Finish(reason)),
            },
            event => out.push(event),
        }
    }

    /// What of the request the answer does not do.
    fn unmet(&self, reason: &FinishReason) -> Option<Failure> {
        if !matches!(reason, FinishReason::Stop | FinishReason::ToolCalls) {
            return None;
        }
        if self.must_call && self.tools.as_ref().is_some_and(Parser::unmet) {
            return Some(unmet("The model did not call the tool that `tool_choice` asks for."));
        }
        if let Some(misfit) = self.tools.as_ref().and_then(Parser::misfit) {
            return Some(unmet(&format!("The model's arguments do not fit the tool's schema: {misfit}.")));
        }
        let (json, format) = self.json.as_ref().filter(|_| *reason == FinishReason::Stop)?;
        let Some(value) = json.value() else {
            return Some(unmet("The model did not give the JSON that `response_format` asks for."));
        };
        match format {
            // What has left cannot be made to fit any more.
            Format::Schema { schema, .. } if self.whole => tools::misfit(schema, &value)
                .map(|what| unmet(&format!("The model's JSON does not fit the schema of `response_format`: {what}."))),
            Format::Text | Format::Json | Format::Schema { .. } => None,
        }
    }
}

/// Watches for the JSON that a format asks for.
fn json(format: &Format) -> Option<(Json, Format)> {
    let object_only = match format {
        Format::Text => return None,
        Format::Json => true,
        Format::Schema { schema, .. } => schema.get("type").is_some_and(|kind| kind == "object"),
    };
    Some((Json::new(object_only), format.clone()))
}

/// Not the account's fault, but another try may do better.
fn unmet(message: &str) -> Failure {
    Failure { outcome: Outcome::CallerError, error: ChatError::new(ErrorKind::Upstream, message), retry: true }
}

impl Decode for TextOnly {
    fn feed(&mut self, read: &[u8]) -> Vec<ChatEvent> {
        let events = self.inner.feed(read);
        self.take(events)
    }

    fn end(&mut self) -> Vec<ChatEvent> {
        let events = self.inner.end();
        self.take(events)
    }

    fn phase(&self) -> Phase {
        match &self.failed {
            Some(failure) => Phase::Broken(failure.clone()),
            None => self.inner.phase(),
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.inner.usage()
    }

    fn resume(&mut self) {
        self.inner.resume();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ToolCall;

    /// Gives these events at the end of its body.
    struct Given(Vec<ChatEvent>);

    impl Decode for Given {
        fn feed(&mut self, _read: &[u8]) -> Vec<ChatEvent> {
            Vec::new()
        }

        fn end(&mut self) -> Vec<ChatEvent> {
            std::mem::take(&mut self.0)
        }

        fn phase(&self) -> Phase {
            Phase::Complete
        }

        fn usage(&self) -> Option<Usage> {
            None
        }

        fn resume(&mut self) {}
    }

    #[test]
    fn who_must_call_a_tool_and_has_none_gets_the_text() {
        let request = ChatRequest { tool_choice: ToolChoice::Required, ..ChatRequest::default() };
        let events = vec![ChatEvent::Text("Hi".into()), ChatEvent::Finish(FinishReason::Stop)];
        let mut read = TextOnly::new(Box::new(Given(events.clone())), &request, true);
        assert_eq!(read.end(), events);
    }

    #[test]
    fn a_failed_result_says_so() {
        let result =
            Message { tool_call_id: Some("a".into()), failed: true, ..Message::new(Role::Tool, "no such file") };
        let [(_, text)] = &flatten(&ChatRequest { messages: vec![result], ..ChatRequest::default() })[..] else {
            panic!("not one message")
        };
        assert!(text.contains("Error: no such file"), "{text}");
    }

    #[test]
    fn results_stand_in_the_order_of_their_calls() {
        let call = |id: &str| ToolCall { id: id.into(), name: "f".into(), arguments: "{}".into() };
        let result = |id: &str| Message { tool_call_id: Some(id.into()), ..Message::new(Role::Tool, id) };
        let calls = |ids: &[&str]| Message {
            tool_calls: ids.iter().map(|id| call(id)).collect(),
            ..Message::empty(Role::Assistant)
        };
        let messages = [
            Message::new(Role::User, "u"),
            calls(&["a", "b"]),
            result("b"),
            result("x"),
            result("a"),
            calls(&["c"]),
            result("c"),
        ];
        let texts: Vec<String> = in_order(&messages).into_iter().map(Message::text).collect();
        assert_eq!(texts, ["u", "", "a", "b", "x", "", "c"]);
    }
}
