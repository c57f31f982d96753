//! Calls of a Durable Object's methods: one JSON text in, one out, always with a deadline.
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::prelude::*;
use worker::Env;

use crate::chat::{ChatError, ErrorKind};
use crate::json;
use crate::stats::plan;

#[wasm_bindgen(module = "/src/rpc.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = call)]
    async fn call_js(
        env: &JsValue,
        binding: &str,
        name: &str,
        method: &str,
        argument: &str,
        deadline_ms: f64,
    ) -> Result<JsValue, JsValue>;
}

/// Calls `method` of the object `name` behind `binding`.
///
/// # Errors
/// `Internal` when the binding is missing, and when the object fails, answers nonsense or is silent for `deadline`.
pub async fn call<A: Serialize, R: DeserializeOwned>(
    env: &Env,
    binding: &str,
    name: &str,
    method: &str,
    argument: &A,
    deadline: Duration,
) -> Result<R, ChatError> {
    let text = serde_json::to_string(argument).map_err(|error| fault(method, &error))?;
    let answer = call_text(env, binding, name, method, &text, deadline).await?;
    json::read(&answer).map_err(|error| fault(method, &error))
}

/// Calls `method` with a text of any kind, and answers its answer's.
///
/// # Errors
/// As [`call`].
pub async fn call_text(
    env: &Env,
    binding: &str,
    name: &str,
    method: &str,
    text: &str,
    deadline: Duration,
) -> Result<String, ChatError> {
    plan::count_object_request();
    let deadline_ms = deadline.as_secs_f64() * 1000.0;
    let answer = call_js(env, binding, name, method, text, deadline_ms).await;
    let answer = answer.map_err(|error| fault(method, &worker::Error::from(error)))?;
    answer.as_string().map(plan::uncarried).ok_or_else(|| fault(method, &"not a text"))
}

fn fault(method: &str, cause: &dyn std::fmt::Display) -> ChatError {
    worker::console_error!("durable object call {method} failed: {cause}");
    ChatError::new(ErrorKind::Internal, "An internal service did not answer. Please try again.")
}
