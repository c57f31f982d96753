//! The admin API (contract §4): who may, what to do, and the answer as JSON.
mod accounts_test;
mod models;
mod resources;
mod session;
mod stats;
mod status;
mod transfer;
mod vercel;
mod webids;

use serde_json::{Value, json};
use worker::{Context, Env};

use crate::chat::{ChatError, ErrorKind};
use crate::config::{List, source};
use crate::dialect::fields;
use crate::json;

/// An operator may always send this much: a bound that is too small must not lock out who can change it.
const BODY_BYTES: u64 = 4 * 1024 * 1024;
/// The largest body of a stranger, who has a password to send and no more.
const LOGIN_BODY_BYTES: u64 = 16 * 1024;
/// The largest whole number that every reader of JSON takes as it is: 2⁵³ − 1.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// One request below `/admin`.
pub struct AdminCall<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The segments below `admin`.
    pub path: &'a [&'a str],
    /// The query.
    pub query: &'a [(String, String)],
    /// What stands in `Authorization`.
    pub bearer: Option<&'a str>,
    /// Where the request came from.
    pub address: Option<&'a str>,
    /// The body; empty until it is known who sends it.
    pub body: Vec<u8>,
    /// Whether this is local development.
    pub local: bool,
    /// Fires when the caller leaves.
    pub signal: &'a web_sys::AbortSignal,
    /// For what goes on after the answer.
    pub context: &'a Context,
}

/// The answer.
pub struct AdminReply {
    /// 200 or 201.
    pub status: u16,
    /// JSON.
    pub body: Value,
    /// A stream of events in its place.
    pub stream: Option<web_sys::ReadableStream>,
}

impl AdminReply {
    fn ok(body: Value) -> AdminReply {
        AdminReply { status: 200, body, stream: None }
    }

    fn created(body: Value) -> AdminReply {
        AdminReply { status: 201, body, stream: None }
    }
}

impl AdminCall<'_> {
    /// Who makes this request, for throttling and the log.
    fn actor(&self) -> String {
        self.address.unwrap_or("local").to_owned()
    }

    fn json(&self) -> Result<Value, ChatError> {
        json::parse(&self.body).map_err(|error| fields::bad_json(&error.to_string()))
    }

    /// The body, where only an object will do.
    fn object(&self) -> Result<Value, ChatError> {
        fields::parse(&self.body)
    }

    /// A flag of the query: a word that is neither is not taken for a no.
    fn asks(&self, name: &str) -> Result<bool, ChatError> {
        match self.query(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ChatError::field(name, format!("`{name}` must be true or false."))),
        }
    }

    /// A whole number of the query.
    fn number(&self, name: &str) -> Result<Option<u64>, ChatError> {
        let wrong = || ChatError::field(name, format!("`{name}` must be an integer from 0 to {NUMBER_MAX}."));
        let read = |text: &str| text.parse().ok().filter(|number| *number <= NUMBER_MAX).ok_or_else(wrong);
        self.query(name).map(read).transpose()
    }

    /// Whether only a preview is wanted: whatever else is said but no is a wish to see first.
    fn is_dry_run(&self) -> bool {
        self.query("dry_run").is_some_and(|value| value != "false")
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Answers one request, and writes down what it changed. Its body of so many bytes at most is read once it is known to be
/// the operator's, but for a login's.
///
/// # Errors
/// `NotConfigured` without `ADMIN_KEY`, `InvalidKey` without a session, and what the request itself runs into.
pub async fn handle(
    mut call: AdminCall<'_>,
    env: &Env,
    read_body: impl AsyncFnOnce(u64) -> Result<Vec<u8>, ChatError>,
) -> Result<AdminReply, ChatError> {
    let password = session::password(env, call.local)?;
    let limit_bytes = if call.path == ["login"] {
        allow(&call, &["POST"])?;
        LOGIN_BODY_BYTES
    } else {
        session::check(&call, &*source::vault(env)?, &password)?;
        source::max_body_bytes().max(BODY_BYTES)
    };
    call.body = read_body(limit_bytes).await?;
    let session = call.bearer.and_then(|token| session::name(&*source::vault(env).ok()?, token));
    let write = stats::write_of(&call, session);
    let reply = answer(call, env, &password).await?;
    if let Some(write) = write {
        stats::note(env, write, &reply).await;
    }
    Ok(reply)
}

async fn answer(call: AdminCall<'_>, env: &Env, password: &str) -> Result<AdminReply, ChatError> {
    match call.path {
        ["login"] => session::login(&call, env, password).await,
        ["config"] => resources::config(&call, env).await,
        ["keys", rest @ ..] => resources::list(&call, env, List::Keys, rest).await,
        ["accounts", "batch"] => transfer::batch(&call, env).await,
        ["accounts", "test"] => accounts_test::one(&call, env).await,
        ["accounts", "test-all"] => accounts_test::all(&call, env).await,
        ["accounts", id, "reset"] => webids::reset_account(&call, env, id).await,
        ["accounts", rest @ ..] => resources::list(&call, env, List::Accounts, rest).await,
        ["upstreams", id, "models"] => models::of_upstream(&call, env, id).await,
        ["upstreams", rest @ ..] => resources::list(&call, env, List::Upstreams, rest).await,
        ["webids", rest @ ..] => webids::handle(&call, env, rest).await,
        ["import"] => transfer::import(&call, env).await,
        ["export"] => transfer::export(&call, env).await,
        ["backups", rest @ ..] => transfer::backups(&call, env, rest).await,
        ["vercel", "sync"] => vercel::sync(&call, env).await,
        ["vercel", "config" | "status"] => vercel::state(&call, env).await,
        ["stats"] => stats::stats(&call, env).await,
        ["logs"] => stats::page(&call, env, "logs").await,
        ["audit"] => stats::page(&call, env, "audit").await,
        ["plan"] => stats::plan(&call, env).await,
        ["queue", "status"] => {
            allow(&call, &["GET"])?;
            status::queue(env).await
        }
        ["explain"] => {
            allow(&call, &["POST"])?;
            status::explain(&call, env).await
        }
        path => {
            let message = format!("Unknown request URL: {} /admin/{}.", call.method, path.join("/"));
            Err(ChatError::new(ErrorKind::UnknownUrl, message))
        }
    }
}

fn allow(call: &AdminCall, methods: &[&str]) -> Result<(), ChatError> {
    if methods.contains(&call.method) {
        return Ok(());
    }
    let allowed = methods.join(", ");
    let message = format!("Not allowed: {} /admin/{}. Use {allowed}.", call.method, call.path.join("/"));
    Err(ChatError { param: Some(allowed), ..ChatError::new(ErrorKind::MethodNotAllowed, message) })
}

fn success(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.insert("success".to_owned(), json!(true));
    }
    body
}
