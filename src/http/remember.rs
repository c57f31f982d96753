//! What one call remembers for the next: stored responses, and the thoughts behind tool calls.
use serde_json::{Value, json};
use worker::Env;

use crate::chat::{ChatError, ErrorKind};
use crate::config;
use crate::dialect::openai::responses::Kept;
use crate::dialect::openai::responses::request::{Earlier, Wanted};
use crate::memory::{self, Entry, Keep, Recall};

/// One caller's memory.
#[derive(Clone)]
pub(super) struct Memory {
    pub(super) env: Env,
    /// Whose it is: the keyed hash of what the caller presents.
    pub(super) owner: String,
    pub(super) settings: config::Memory,
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
            let mut kept: Value = serde_json::from_str(&text).unwrap_or_default();
            for list in ["/input", "/response/output"] {
                if let Some(Value::Array(items)) = kept.pointer_mut(list) {
                    conversation.append(items);
                }
            }
        }
        let item = |(id, text): (String, String)| Some((id, serde_json::from_str(&text).ok()?));
        Ok(Earlier { conversation, items: recalled.found.into_iter().filter_map(item).collect() })
    }

    /// A stored response.
    ///
    /// # Errors
    /// `NotFound` where there is none (any more).
    pub(super) async fn response(&self, id: &str) -> Result<Value, ChatError> {
        let recall = Recall { ids: vec![id.to_owned()], chain: None };
        let recalled = memory::recall(&self.env, &self.owner, &recall).await?;
        let kept = recalled.found.get(id).and_then(|text| serde_json::from_str::<Value>(text).ok());
        let response = kept.and_then(|mut kept| kept.get_mut("response").map(Value::take));
        response.filter(Value::is_object).ok_or_else(|| not_found(id))
    }

    /// Forgets a stored response.
    ///
    /// # Errors
    /// `NotFound` where there is none (any more).
    pub(super) async fn forget(&self, id: &str) -> Result<Value, ChatError> {
        self.response(id).await?;
        memory::forget(&self.env, &self.owner, id).await?;
        Ok(json!({"id": id, "object": "response", "deleted": true}))
    }

    /// Stores a response, and each of its items under its own id.
    pub(super) async fn keep_response(&self, kept: Kept) {
        let ttl_s = self.settings.responses_s;
        let item = |item: &Value| {
            let id = item.get("id")?.as_str()?.to_owned();
            Some(Entry { id, previous: None, text: item.to_string(), ttl_s })
        };
        let output = kept.response.get("output").and_then(Value::as_array);
        let mut entries: Vec<Entry> = output.into_iter().flatten().filter_map(item).collect();
        let text = json!({"input": kept.input, "response": kept.response}).to_string();
        entries.push(Entry { id: kept.id, previous: kept.previous, text, ttl_s });
        self.keep(entries).await;
    }

    async fn keep(&self, entries: Vec<Entry>) {
        let keep = Keep { entries, max_bytes: self.settings.max_bytes };
        memory::keep(&self.env, &self.owner, &keep).await;
    }
}

fn not_found(id: &str) -> ChatError {
    ChatError::new(ErrorKind::NotFound, format!("There is no response `{id}` here (any more)."))
}
