//! What one call remembers for the next: stored responses, and the thoughts behind tool calls.
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use worker::Env;

use crate::chat::{ChatError, ChatEvent, ErrorKind};
use crate::config;
use crate::dialect::openai::responses::Kept;
use crate::dialect::openai::responses::request::{Earlier, Wanted};
use crate::json;
use crate::memory::{self, Entry, Keep, Recall};
use crate::upstream::openai::chunks::is_lasting;

/// Thoughts that are longer are remembered in part: the upstream wants them, and does not compare.
const THOUGHTS_MAX: usize = 256 * 1024;

/// One caller's memory.
#[derive(Clone)]
pub(super) struct Memory {
    pub(super) env: Env,
    /// Whose it is: the keyed hash of what the caller presents.
    pub(super) owner: String,
    pub(super) settings: config::Memory,
    /// The thoughts that the call lacks: asked for once, however many accounts are tried.
    pub(super) known: Rc<OnceCell<Rc<BTreeMap<String, String>>>>,
}

impl Memory {
    /// What a request of the Responses API refers to.
    ///
    /// # Errors
    /// `InvalidRequest` where the response it continues is not kept (any more).
    pub(super) async fn earlier(&self, wanted: Wanted) -> Result<Earlier, ChatError> {
        if wanted == Wanted::default() {
            return Ok(Earlier::default());
        }
        let recall = Recall { ids: wanted.items, chain: wanted.previous.clone() };
        let recalled = memory::recall(&self.env, &self.owner, &recall).await?;
        if let (Some(id), None) = (&wanted.previous, &recalled.chain) {
            let message = format!("The response `{id}` is not kept here (any more).");
            return Err(ChatError::field("previous_response_id", message));
        }
        let mut conversation = Vec::new();
        for text in recalled.chain.into_iter().flatten() {
            let mut kept = json::parse(text).unwrap_or_default();
            for list in ["/input", "/response/output"] {
                if let Some(Value::Array(items)) = kept.pointer_mut(list) {
                    conversation.append(items);
                }
            }
        }
        let item = |(id, text): (String, String)| Some((id, json::parse(text).ok()?));
        Ok(Earlier { conversation, items: recalled.found.into_iter().filter_map(item).collect() })
    }

    /// A stored response.
    ///
    /// # Errors
    /// `NotFound` where there is none (any more).
    pub(super) async fn response(&self, id: &str) -> Result<Value, ChatError> {
        let recall = Recall { ids: vec![id.to_owned()], chain: None };
        let recalled = memory::recall(&self.env, &self.owner, &recall).await?;
        let kept = recalled.found.get(id).and_then(|text| json::parse(text).ok());
        let response = kept.and_then(|mut kept| kept.get_mut("response").map(Value::take));
        response.filter(Value::is_object).ok_or_else(|| not_found(id))
    }

    /// Forgets a stored response and its items.
    ///
    /// # Errors
    /// `NotFound` where there is none (any more).
    pub(super) async fn forget(&self, id: &str) -> Result<Value, ChatError> {
        let response = self.response(id).await?;
        let items = response.get("output").and_then(Value::as_array).into_iter().flatten();
        let ids = items.filter_map(|item| item.get("id")?.as_str()).chain([id]).collect();
        memory::forget(&self.env, &self.owner, ids).await?;
        Ok(json!({"id": id, "object": "response", "deleted": true}))
    }

    /// Stores what an answer leaves, in one go: a response, and the thoughts behind its calls.
    pub(super) async fn keep(&self, kept: Option<Kept>, thoughts: Option<Thoughts>) {
        let mut entries = kept.map(|kept| self.response_entries(kept)).unwrap_or_default();
        entries.extend(thoughts.and_then(|thoughts| self.thoughts_entry(thoughts)));
        // Pictures of tens of megabytes need not travel to a memory that has no room for them.
        entries.retain(|entry| entry.text.len() <= memory::TEXT_MAX);
        let keep = Keep { entries, max_bytes: self.settings.max_bytes };
        memory::keep(&self.env, &self.owner, &keep).await;
    }

    /// A response, and each of its items under its own id.
    fn response_entries(&self, kept: Kept) -> Vec<Entry> {
        let ttl_s = self.settings.responses_s;
        let item = |item: &Value| {
            let id = item.get("id")?.as_str()?.to_owned();
            Some(Entry { id, previous: None, text: item.to_string(), ttl_s })
        };
        let output = kept.response.get("output").and_then(Value::as_array);
        let mut entries: Vec<Entry> = output.into_iter().flatten().filter_map(item).collect();
        let text = json!({"input": kept.input, "response": kept.response}).to_string();
        entries.push(Entry { id: kept.id, previous: kept.previous, text, ttl_s });
        entries
    }

    /// The thoughts behind tool calls, by the calls' ids, as far as they are remembered.
    pub(super) async fn thoughts(&self, calls: Vec<String>) -> Rc<BTreeMap<String, String>> {
        if calls.is_empty() {
            return Rc::default();
        }
        if let Some(known) = self.known.get() {
            return known.clone();
        }
        let recall = Recall { ids: calls.iter().map(|call| thoughts_id(call)).collect(), chain: None };
        // Without them the upstream may refuse the call, which the caller is told then.
        let found = memory::recall_soon(&self.env, &self.owner, &recall).await.found;
        let of = |call: String| Some((found.get(&thoughts_id(&call))?.clone(), call));
        let known = Rc::new(calls.into_iter().filter_map(of).map(|(text, call)| (call, text)).collect());
        self.known.get_or_init(|| known).clone()
    }

    fn thoughts_entry(&self, Thoughts { text, call }: Thoughts) -> Option<Entry> {
        let call = call.filter(|_| !text.is_empty())?;
        Some(Entry { id: thoughts_id(&call), previous: None, text, ttl_s: self.settings.reasoning_s })
    }
}

/// What an answer thought, and the first tool that it called then.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Thoughts {
    text: String,
    call: Option<String>,
}

impl Thoughts {
    /// Listens to an answer.
    pub(super) fn hear(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Reasoning(text) if self.text.len() < THOUGHTS_MAX => self.text.push_str(text),
            ChatEvent::ToolCall { id, .. } => {
                self.call.get_or_insert_with(|| id.clone());
            }
            _ => {}
        }
    }

    /// Of a whole `chat.completion`.
    pub(super) fn of_completion(body: &[u8]) -> Thoughts {
        let body = json::parse(body).unwrap_or_default();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Thoughts {
            text: text("/choices/0/message/reasoning_content").unwrap_or_default(),
            // Else another conversation, whose calls are counted alike, had these thoughts.
            call: text("/choices/0/message/tool_calls/0/id").filter(|id| is_lasting(id)),
        }
    }
}

fn thoughts_id(call: &str) -> String {
    format!("thoughts {call}")
}

fn not_found(id: &str) -> ChatError {
    ChatError::new(ErrorKind::NotFound, format!("There is no response `{id}` here (any more)."))
}
