//! The Worker's side of an account's `Session` object.
use std::time::Duration;

use serde::{Deserialize, Serialize};
use worker::Env;

use super::settings::DeepseekWeb;
use crate::chat::ErrorKind;
use crate::rpc;
use crate::upstream::failure::{Failure, broken};

/// How long a login, a new conversation and its proof of work may take together.
const DEADLINE: Duration = Duration::from_secs(60);

/// Asks for a conversation. Prints nothing of itself: it may hold a token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Prepare {
    /// The account's id, which its secrets are sealed for.
    pub account: String,
    /// The account's sealed secrets; for a direct call the caller's own token.
    pub credential: Credential,
    /// Where the chat is.
    pub base_url: String,
    /// How it is spoken to.
    pub settings: DeepseekWeb,
    /// A token that was refused since the last time.
    pub rejected: Option<String>,
}

/// What an account logs in with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// Of the pool.
    Sealed(String),
    /// A direct caller's own.
    Token(String),
}

/// A conversation that is ready for its first prompt. Prints nothing of itself: it holds a token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Prepared {
    /// The account's token.
    pub token: String,
    /// The conversation's id.
    pub conversation: String,
    /// The value of `x-ds-pow-response`.
    pub work: String,
}

/// Ends the use of a conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finish {
    /// The conversation's id.
    pub conversation: String,
    /// The answer that is still being written and that nobody reads.
    pub stop: Option<i64>,
}

/// Gives a conversation of the account's `Session`, which logs in where it must.
///
/// # Errors
/// What stands in the way, as the account's state.
pub async fn prepare(env: &Env, object: &str, request: &Prepare) -> Result<Prepared, Failure> {
    rpc::call(env, "SESSION", object, "prepare", request, DEADLINE).await.unwrap_or_else(|_| Err(silent()))
}

fn silent() -> Failure {
    broken(ErrorKind::Upstream, "The account's session did not answer.")
}

/// Gives a proof of work for one more call with `token`, solved where the object's CPU limit counts.
///
/// # Errors
/// What stands in the way, as the account's state.
pub async fn work(env: &Env, object: &str, token: &str) -> Result<String, Failure> {
    rpc::call(env, "SESSION", object, "work", &token, DEADLINE).await.unwrap_or_else(|_| Err(silent()))
}

/// Tells the account's `Session` that a conversation is not needed any more.
pub async fn finish(env: &Env, object: &str, request: &Finish) {
    // The call logs its own failure, and a conversation that is left over does no harm.
    drop(rpc::call::<_, bool>(env, "SESSION", object, "finish", request, DEADLINE).await);
}

impl Prepare {
    /// What may be stored as it is.
    pub(super) fn without_tokens(self) -> Prepare {
        let credential = match self.credential {
            Credential::Token(_) => Credential::Token(String::new()),
            sealed @ Credential::Sealed(_) => sealed,
        };
        Prepare { credential, rejected: None, ..self }
    }
}
