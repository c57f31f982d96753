//! OpenAI's Responses API as callers speak it, as far as Codex and the SDKs need (api-conformance §5).
mod items;
pub mod request;
pub mod stream;
mod tools;

use std::cell::RefCell;

use serde_json::{Map, Value};

/// What an answer needs to know of its request.
#[derive(Debug, Default)]
pub struct Form {
    /// The fields that a response repeats of its request (R20).
    pub(super) echo: Map<String, Value>,
    /// The tools that the model knows otherwise than the caller, by the model's names.
    pub(super) names: Vec<(String, Name)>,
    /// The request's own items, if the response is to be kept.
    pub(super) kept_input: Option<Vec<Value>>,
    /// The response that the request continues.
    pub(super) previous: Option<String>,
    /// The whole response, once there is one.
    pub(super) response: RefCell<Option<Value>>,
}

/// A tool as the caller knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// Where the tool has its name (R7).
    pub(super) namespace: Option<String>,
    /// Its name there.
    pub(super) name: String,
    /// It takes a text, where functions take JSON.
    pub(super) is_custom: bool,
}

/// What is kept of a response, for who asks for it or continues it.
#[derive(Debug, PartialEq)]
pub struct Kept {
    /// The response's id.
    pub id: String,
    /// The response.
    pub response: Value,
    /// The request's own items.
    pub input: Vec<Value>,
    /// The response that this one continues.
    pub previous: Option<String>,
}

impl Form {
    /// What is to be kept, once the answer is whole.
    pub fn kept(&self) -> Option<Kept> {
        let response = self.response.take()?;
        let input = self.kept_input.clone()?;
        Some(Kept { id: response.get("id")?.as_str()?.to_owned(), response, input, previous: self.previous.clone() })
    }
}
