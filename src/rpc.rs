//! Calls of a Durable Object's methods: one JSON text in, one out, always with a deadline.
//!
//! A Durable Object whose isolate dies never answers (guides: panics and traps), so a caller without a deadline waits for ever.
use std::time::Duration;

use futures::future::{Either, select};
use js_sys::{Array, Function, Promise, Reflect};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{Delay, Env};

use crate::chat::{ChatError, ErrorKind};

/// Calls `method` of the object `name` behind `binding`.
///
/// # Errors
/// `NotConfigured` when the binding is missing; `Internal` when the object fails, answers nonsense or is silent for `deadline`.
pub async fn call<A: Serialize, R: DeserializeOwned>(
    env: &Env,
    binding: &str,
    name: &str,
    method: &str,
    argument: &A,
    deadline: Duration,
) -> Result<R, ChatError> {
    let text = serde_json::to_string(argument).map_err(|error| fault(method, &error))?;
    let promise = start(env, binding, name, method, &text).map_err(|error| fault(method, &error))?;
    let answer = match select(JsFuture::from(promise), Delay::from(deadline)).await {
        Either::Left((answer, _)) => answer.map_err(|error| fault(method, &worker::Error::from(error)))?,
        Either::Right(_) => return Err(fault(method, &"no answer within its deadline")),
    };
    let answer = answer.as_string().ok_or_else(|| fault(method, &"not a text"))?;
    serde_json::from_str(&answer).map_err(|error| fault(method, &error))
}

fn start(env: &Env, binding: &str, name: &str, method: &str, argument: &str) -> worker::Result<Promise> {
    let namespace = Reflect::get(env, &binding.into())?;
    let stub = invoke(&namespace, "getByName", name)?;
    Ok(Promise::resolve(&invoke(&stub, method, argument)?))
}

/// Calls a method without a look at the function itself: a stub would take `call` or `apply` for a method of the object.
fn invoke(object: &JsValue, method: &str, argument: &str) -> Result<JsValue, JsValue> {
    let function = Reflect::get(object, &method.into())?.unchecked_into::<Function>();
    Reflect::apply(&function, object, &Array::of1(&argument.into()))
}

fn fault(method: &str, cause: &dyn std::fmt::Display) -> ChatError {
    worker::console_error!("durable object call {method} failed: {cause}");
    ChatError::new(ErrorKind::Internal, "An internal service did not answer. Please try again.")
}
