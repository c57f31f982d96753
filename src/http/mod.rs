//! The way in: request ids, CORS, routes, who is calling; then on to the room that answers.
mod admit;
mod answer;
mod attempt;
mod caller;
mod credentials;
mod incoming;
mod me;
mod passage;
mod path;
mod pooled;
pub mod probe;
mod question;
mod remember;
mod respond;
mod status;
mod translation;

use std::cell::RefCell;
use std::rc::Rc;

use futures::channel::oneshot;
use serde_json::json;
use web_sys::{Request, Response};
use worker::{Context, Date, Env};

use crate::admin;
use crate::chat::{ChatError, Endpoint, ErrorKind};
use crate::config::source;
use crate::dialect::fields::parse;
use crate::dialect::{self, Dialect, Reply, anthropic, openai};
use crate::stats::{self, Capture, Record, plan};
use crate::stream::pipe::Departure;
use answer::{Answer, Head};
use caller::Caller;
use incoming::Incoming;
use path::{Path, Route};
use pooled::Call;
use remember::Memory;
use respond::Outgoing;

/// What a request's id begins with; an answer's own id has the same end.
const REQUEST: &str = "req_";

/// Answers one request.
///
/// # Errors
/// None but the platform's own.
pub async fn handle(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    plan::count_request();
    let request_id = request_id();
    let request = Incoming::new(request);
    let path = Path::of(&request.path);
    let is_admin = path.is_operators();
    let answer = if request.method == "OPTIONS" && !is_admin {
        respond::preflight(request.header("access-control-request-headers"))
    } else {
        let dialect = path.dialect(request.header("anthropic-version").is_some());
        let answer = match path.route(&request.method) {
            Ok(route) => recorded(&request, &env, &context, route, dialect, &request_id).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => answer,
            Err(error) => {
                request.drain().await;
                respond::error(&error, dialect, &request_id)
            }
        }
    };
    let answer = answer.finish(&request_id, (!is_admin).then(source::cors_origin));
    if request.method == "HEAD" { answer.without_body() } else { answer }.send()
}

/// Answers, and records a call that is refused before its task begins; whatever a client asks for, if it has no good key.
async fn recorded(
    request: &Incoming,
    env: &Env,
    context: &Context,
    route: Route,
    dialect: Dialect,
    request_id: &str,
) -> Result<Outgoing, ChatError> {
    let mut record = Record::of(request_id, Date::now().as_millis(), dialect, route.name());
    let is_call = matches!(route, Route::Call(..));
    let answer = answer(request, env, context, route, dialect, &mut record).await;
    if let Err(error) = &answer
        && (is_call || record.stranger)
        && !record.endpoint.is_empty()
    {
        record.fail(Date::now().as_millis(), error);
        record.address = request.header("cf-connecting-ip").map(str::to_owned);
        let env = env.clone();
        context.wait_until(async move { stats::client::record(&env, &source::stats(), &record).await });
    }
    answer
}

async fn answer(
    request: &Incoming,
    env: &Env,
    context: &Context,
    route: Route,
    dialect: Dialect,
    record: &mut Record,
) -> Result<Outgoing, ChatError> {
    Ok(match route {
        Route::Health => respond::json(200, &health()),
        Route::Admin(segments) => return admin_answer(request, env, context, &segments).await,
        Route::Call(dialect, endpoint) => return call(request, env, context, (dialect, endpoint), record).await,
        Route::CountTokens => {
            let caller = identify(request, env, record).await?;
            let body = request.body(caller.hot().settings.max_body_bytes).await?;
            respond::json(200, &json!({"input_tokens": anthropic::request::count(&body)?}))
        }
        Route::Response(id) => {
            let caller = identify(request, env, record).await?;
            // Never JSON where a stream is wanted (T1).
            if request.query().iter().any(|(field, value)| field == "stream" && value != "false") {
                return Err(ChatError::field("stream", "`stream`: a response that is kept is given as a whole."));
            }
            respond::json(200, &memory(env, &caller)?.response(&id).await?)
        }
        Route::DeleteResponse(id) => {
            let caller = identify(request, env, record).await?;
            respond::json(200, &memory(env, &caller)?.forget(&id).await?)
        }
        Route::ResponseSocket => Err(upgrade(request))?,
        Route::Models => {
            let models = identify(request, env, record).await?.models();
            respond::json(
                200,
                &match dialect {
                    Dialect::Anthropic => anthropic::models::page(&models, &request.query()),
                    Dialect::Openai | Dialect::Responses => openai::models::list(&models),
                },
            )
        }
        Route::Model(id) => {
            let models = identify(request, env, record).await?.models();
            let (id, owner) = models.iter().find(|(name, _)| *name == id).ok_or_else(|| caller::not_found(&id))?;
            respond::json(200, &openai::models::entry(id, owner))
        }
        Route::Me => {
            let caller = identify(request, env, record).await?;
            respond::json(200, &me::body(env, &caller).await?)
        }
        Route::Status => {
            // It names accounts: not for everybody who makes a credential up.
            identify(request, env, record).await?.require_key()?;
            respond::json(200, &status::body(env).await?)
        }
    })
}

async fn call(
    request: &Incoming,
    env: &Env,
    context: &Context,
    (dialect, endpoint): (Dialect, Endpoint),
    record: &mut Record,
) -> Result<Outgoing, ChatError> {
    // Its task holds the context from the first, lest a caller who leaves now takes the context away.
    let (start, started) = oneshot::channel::<(Call, Answer)>();
    context.wait_until(async move {
        if let Ok((call, answer)) = started.await {
            call.run(answer).await;
        }
    });
    let departure = Departure::new(&request.signal());
    let caller = identify(request, env, record).await?;
    let body = request.body(caller.hot().settings.max_body_bytes).await?;
    let memory = memory(env, &caller)?;
    let settings = &caller.hot().settings;
    let shown = settings.log_bodies.then(|| body.get(..settings.stats.body_bytes).unwrap_or(&body));
    let shown = shown.map(|body| String::from_utf8_lossy(body).into_owned());
    let capture = shown.as_ref().map(|_| Capture::new(settings.stats.body_bytes)).unwrap_or_default();
    let (envelope, form) = match dialect {
        Dialect::Openai => openai::request::decode(endpoint, body)?,
        Dialect::Responses => {
            let (value, bytes) = (parse(&body)?, body.len());
            drop(body);
            let earlier = memory.earlier(openai::responses::request::wanted(&value)?).await?;
            openai::responses::request::decode(&value, bytes, earlier)?
        }
        Dialect::Anthropic => {
            let decoded = anthropic::request::decode(&body)?;
            // Tens of megabytes, perhaps: not for the whole call.
            drop(body);
            decoded
        }
    };
    record.ask(&envelope);
    record.request = shown;
    // From here on the record is the task's.
    let record = std::mem::take(record);
    let request_id = record.id.clone();
    let head = dialect::Head {
        id: request_id.trim_start_matches(REQUEST).to_owned(),
        created: Date::now().as_millis() / 1000,
        model: envelope.model.clone(),
        request_id: request_id.clone(),
    };
    let reply = Reply::new(head, envelope.stream, form);
    let (answer, head) = Answer::new(departure.clone(), caller.hot().settings.deadlines.stall_ms);
    let call = Call {
        env: env.clone(),
        request_id: request_id.clone(),
        caller,
        envelope,
        reply,
        memory,
        departure,
        record: RefCell::new(record),
        capture,
        sending: RefCell::default(),
    };
    // The task is there: it waits for nothing else.
    drop(start.send((call, answer)));
    let (answer, receipt) = match head.await {
        Ok(Head::Stream(readable, receipt)) => (respond::stream(readable), receipt),
        Ok(Head::Json(body, receipt)) => (respond::bytes(200, body, "application/json"), receipt),
        Ok(Head::Failed(error, receipt)) => (respond::error(&error, dialect, &request_id), receipt),
        Err(oneshot::Canceled) => return Err(ChatError::new(ErrorKind::InvalidRequest, "The caller left.")),
    };
    let answer = answer
        .with("x-weir-attempts", receipt.attempts.to_string())
        .with("x-weir-queue-ms", receipt.waited_ms.to_string());
    Ok(match receipt.model.as_str() {
        "" => answer,
        model => answer.with("x-weir-model", percent_encoded(model)),
    })
}

async fn admin_answer(
    request: &Incoming,
    env: &Env,
    context: &Context,
    segments: &[String],
) -> Result<Outgoing, ChatError> {
    let keys = credentials::presented(request.header("authorization"), None);
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let reply = admin::handle(
        admin::AdminCall {
            method: &request.method,
            path: &path,
            query: &request.query(),
            bearer: keys.first().map(String::as_str),
            address: request.header("cf-connecting-ip"),
            body: Vec::new(),
            local: matches!(request.host.as_str(), "localhost" | "127.0.0.1" | "[::1]"),
            signal: &request.signal(),
            context,
        },
        env,
        async |limit_bytes| request.body(limit_bytes).await,
    )
    .await?;
    Ok(match reply.stream {
        Some(readable) => respond::stream(readable),
        None => respond::json(reply.status, &reply.body),
    })
}

/// Who is calling; noted in the record, but nothing of a key that is not known.
async fn identify(request: &Incoming, env: &Env, record: &mut Record) -> Result<Caller, ChatError> {
    let keys = credentials::presented(request.header("authorization"), request.header("x-api-key"));
    let identified = Caller::identify(env, &keys).await;
    let key = match &identified {
        Ok(caller) => caller.key(),
        Err(refused) => refused.key.as_ref(),
    };
    if let Some(key) = key {
        (record.key, record.key_name) = (key.id.clone(), key.name.clone());
        record.stranger = identified.is_err();
    }
    identified.map_err(|refused| refused.error)
}

fn memory(env: &Env, caller: &Caller) -> Result<Memory, ChatError> {
    let settings = caller.hot().settings.memory.clone();
    Ok(Memory { env: env.clone(), owner: caller.owner(env)?, settings, known: Rc::default() })
}

fn health() -> serde_json::Value {
    json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "timestamp": Date::now().as_millis() / 1000})
}

/// Codex asks for a WebSocket first, and goes on without one after this very status (api-conformance R3).
fn upgrade(request: &Incoming) -> ChatError {
    let (kind, message) = match request.header("upgrade").is_some() {
        true => (ErrorKind::UpgradeRequired, "WebSockets are not served here. Send the request by POST."),
        false => (ErrorKind::MethodNotAllowed, "Use POST."),
    };
    ChatError { param: Some("POST".to_owned()), ..ChatError::new(kind, message) }
}

/// A header's value is ASCII; a model's name may be anything.
fn percent_encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::CONTROLS).to_string()
}

/// 128 random bits.
fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        worker::console_error!("no randomness for an id");
    }
    format!("{REQUEST}{}", hex::encode(bytes))
}
