//! One short call on one account, past the ledger: also on an account that the pool passes over.
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, OptionFuture, select};
use serde_json::{Value, json};
use web_sys::{AbortController, AbortSignal};
use worker::{Date, Delay, Env};

use super::caller::Caller;
use super::pooled::of_caller;
use super::question::{Login, Question};
use crate::chat::{ChatError, ChatEvent, Endpoint, ErrorKind, Usage};
use crate::config::{Hot, source};
use crate::dialect::openai;
use crate::json;
use crate::upstream::decode::Phase;
use crate::upstream::failure::{self, Failure};
use crate::upstream::service::{Opened, Service};

/// What is said, and how long the answer may be.
const PROMPT: &str = "Say hi.";
const ANSWER_TOKENS: u64 = 16;
/// Of the answer, this much is told.
const TOLD_CHARS: usize = 80;

/// What came of it.
pub struct Probed {
    /// The beginning of the answer, or what went wrong, for the operator and for the account.
    pub result: Result<String, Failure>,
    /// From the call to the end of its answer.
    pub latency_ms: u64,
    /// The model that was asked for.
    pub model: String,
    /// What the upstream counted.
    pub usage: Option<Usage>,
}

/// Makes the call.
pub async fn run(env: &Env, hot: Rc<Hot>, account: &str, upstream: &str, sealed: &str, model: Option<&str>) -> Probed {
    let begun_ms = Date::now().as_millis();
    let caller = Caller::operator(hot);
    let model = model.map(str::to_owned).or_else(|| caller.any_model(upstream));
    let mut usage = None;
    let result = match &model {
        Some(model) => call(env, caller, (account, upstream, sealed), model, &mut usage).await,
        None => {
            let message = "The upstream names no model. Say in `model` which one to ask for.";
            Err(of_caller(ChatError::field("model", message)))
        }
    };
    let latency_ms = Date::now().as_millis().saturating_sub(begun_ms);
    let result = result.map(|answer| answer.chars().take(TOLD_CHARS).collect());
    Probed { result, latency_ms, model: model.unwrap_or_default(), usage }
}

async fn call(
    env: &Env,
    caller: Caller,
    (account, upstream, sealed): (&str, &str, &str),
    model: &str,
    usage: &mut Option<Usage>,
) -> Result<String, Failure> {
    let opened = source::vault(env).and_then(|vault| vault.open(account, sealed));
    let secrets = opened.map_err(of_caller)?;
    let unknown = || ChatError::new(ErrorKind::ModelNotFound, format!("There is no upstream `{upstream}`."));
    let candidate = caller.candidate_for(upstream, model).ok_or_else(unknown).map_err(of_caller)?;
    let deadline = Duration::from_millis(caller.hot().settings.deadlines.connect_ms);
    let body = json!({
        "model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": ANSWER_TOKENS, "stream": false,
    });
    let decoded = openai::request::decode(Endpoint::Chat, body.to_string().into_bytes());
    let (envelope, _) = decoded.map_err(of_caller)?;
    let no_controller = |_| of_caller(ChatError::new(ErrorKind::Internal, "The call cannot be aborted."));
    let abort = AbortController::new().map_err(no_controller)?;
    let settings = &caller.hot().settings;
    let question = Question { env, settings, envelope: &envelope, memory: None };
    let chat = question.chat(&candidate).await.map_err(of_caller)?;
    let login = Login::Pooled { account, secrets: &secrets, sealed };
    let service = question.service(&candidate, login, chat.as_ref(), Vec::new());
    let no_credential = || of_caller(ChatError::new(ErrorKind::NoAccount, "The account has no credential."));
    let service = service.ok_or_else(no_credential)?;
    let signal = abort.signal();
    let asking = pin!(ask(&service, &signal, usage));
    let answered = match select(asking, Delay::from(deadline)).await {
        Either::Left((answered, _)) => answered,
        Either::Right(_) => Err(failure::of_deadline("no answer")),
    };
    if answered.is_err() {
        abort.abort();
    }
    service.stop().await;
    OptionFuture::from(service.finish()).await;
    answered
}

/// The answer's text.
async fn ask(service: &Service<'_>, signal: &AbortSignal, usage: &mut Option<Usage>) -> Result<String, Failure> {
    let (source, mut decode) = match service.open(signal, &Cell::new(false)).await? {
        Opened::Whole(body, counted) => {
            *usage = counted;
            let body = json::parse(body).unwrap_or_default();
            let text = |name: &str| body.pointer(&format!("/choices/0/message/{name}")).and_then(Value::as_str);
            let text = text("content").filter(|text| !text.is_empty()).or_else(|| text("reasoning_content"));
            return Ok(text.unwrap_or_default().to_owned());
        }
        Opened::Events(source, decode) => (source, decode),
        Opened::Stream(source, _) => {
            source.cancel();
            return Ok(String::new());
        }
    };
    let (mut text, mut thoughts) = (String::new(), String::new());
    while decode.phase() == Phase::Running {
        let events = match source.read().await {
            Ok(Some(read)) => decode.feed(&read),
            Ok(None) => decode.end(),
            Err(_) => return Err(failure::of_network()),
        };
        for event in events {
            match event {
                ChatEvent::Text(more) => text.push_str(&more),
                ChatEvent::Reasoning(more) => thoughts.push_str(&more),
                ChatEvent::Usage(counted) => *usage = Some(counted),
                _ => {}
            }
        }
    }
    if let Phase::Broken(failure) = decode.phase() {
        source.cancel();
        return Err(failure);
    }
    service.leave(&source, decode.is_cut()).await;
    Ok(if text.is_empty() { thoughts } else { text })
}
