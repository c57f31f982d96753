//! The web chat's calls over HTTP, one function each.
use serde_json::{Value, json};
use web_sys::AbortSignal;

use super::pow::{Challenge, HEADER, Progress};
use super::settings::DeepseekWeb;
use super::wire::{self, COMPLETION_PATH, Trouble};
use crate::json;
use crate::upstream::failure::Failure;
use crate::upstream::fetch::{self, Reply};

/// How long a call may take that is no stream.
const DEADLINE_MS: u32 = 20_000;

/// How long the end of an answer that nobody reads may take: the account's next caller waits for it.
const STOP_DEADLINE_MS: u32 = 5_000;

/// Where the chat is, and what its client says of itself.
pub struct Client<'a> {
    /// Without a trailing slash.
    pub base_url: &'a str,
    /// What the client says of itself.
    pub settings: &'a DeepseekWeb,
}

/// A conversation that is ready for its first prompt.
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// The value of `x-ds-pow-response` for one completion.
    pub work: String,
    /// When the work is worth nothing any more, in Unix milliseconds.
    pub expires_ms: u64,
}

impl Client<'_> {
    /// Logs in.
    ///
    /// # Errors
    /// `Password`, `Banned`, `Device`, `Captcha`, `Muted` and the troubles of any call.
    pub async fn login(&self, email: Option<&str>, mobile: Option<&str>, password: &str) -> Result<String, Trouble> {
        let body = wire::login(self.settings, email, mobile, password);
        wire::token(&self.call("/api/v0/users/login", None, &body).await?)
    }

    /// Opens a conversation, and works for its first completion; both are asked for at once.
    ///
    /// # Errors
    /// `Token`, and the troubles of any call.
    pub async fn converse(&self, token: &str) -> Result<Conversation, Trouble> {
        let target = json!({"target_path": COMPLETION_PATH});
        let (created, challenge) = futures::future::join(
            self.call("/api/v0/chat_session/create", Some(token), &json!({"agent": "chat"})),
            self.call("/api/v0/chat/create_pow_challenge", Some(token), &target),
        )
        .await;
        let id = wire::conversation(&created?).ok_or_else(|| Trouble::Other("a conversation without an id".into()))?;
        let (work, expires_ms) = work(challenge?)?;
        Ok(Conversation { id, work, expires_ms })
    }

    /// Works for one more completion.
    ///
    /// # Errors
    /// `Token`, and the troubles of any call.
    pub async fn work(&self, token: &str) -> Result<String, Trouble> {
        let target = json!({"target_path": COMPLETION_PATH});
        work(self.call("/api/v0/chat/create_pow_challenge", Some(token), &target).await?).map(|(work, _)| work)
    }

    /// Sends a prompt, or asks for the rest of an answer; `path` says which. The answer is a stream, or a trouble.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn stream(
        &self,
        path: &str,
        token: &str,
        work: Option<&str>,
        body: &Value,
        signal: &AbortSignal,
    ) -> Result<Reply, Failure> {
        self.post(path, Some(token), work, body, signal).await
    }

    /// Ends an answer that nobody reads.
    ///
    /// # Errors
    /// The troubles of any call.
    pub async fn stop(&self, token: &str, conversation: &str, message_id: i64) -> Result<(), Trouble> {
        let body = json!({"chat_session_id": conversation, "message_id": message_id});
        self.call_within(STOP_DEADLINE_MS, "/api/v0/chat/stop_stream", Some(token), &body).await.map(drop)
    }

    /// Deletes a conversation.
    ///
    /// # Errors
    /// The troubles of any call.
    pub async fn delete(&self, token: &str, conversation: &str) -> Result<(), Trouble> {
        let body = json!({"chat_session_id": conversation});
        self.call("/api/v0/chat_session/delete", Some(token), &body).await.map(drop)
    }

    async fn call(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Value, Trouble> {
        self.call_within(DEADLINE_MS, path, token, body).await
    }

    async fn call_within(
        &self,
        deadline_ms: u32,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Value, Trouble> {
        let signal = AbortSignal::timeout_with_u32(deadline_ms);
        let reply = self.post(path, token, None, body, &signal).await;
        read(&reply.map_err(|failure| Trouble::Other(failure.error.message))?).await?.read()
    }

    async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        work: Option<&str>,
        body: &Value,
        signal: &AbortSignal,
    ) -> Result<Reply, Failure> {
        let settings = self.settings;
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![
            ("accept", "application/json"),
            ("accept-charset", "UTF-8"),
            ("content-type", "application/json"),
            ("user-agent", settings.user_agent.as_str()),
            ("x-client-platform", settings.platform.as_str()),
            ("x-client-version", settings.client_version.as_str()),
            ("x-client-locale", settings.locale.as_str()),
        ];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        headers.extend(work.map(|work| (HEADER, work)));
        let url = format!("{}{path}", self.base_url.trim_end_matches('/'));
        fetch::open(&url, &headers, body.to_string().as_bytes(), signal).await
    }
}

/// A reply that is no stream. It is small.
///
/// # Errors
/// When the connection breaks.
pub async fn read(reply: &Reply) -> Result<wire::Reply, Trouble> {
    let body = reply.beginning().await.map_err(|failure| Trouble::Other(failure.error.message))?;
    let firewall = reply.header("x-amzn-waf-action").is_some() || reply.header("cf-mitigated").is_some();
    Ok(wire::Reply { status: reply.status(), firewall, retry_after_ms: reply.retry_after(), body })
}

fn work(biz_data: Value) -> Result<(String, u64), Trouble> {
    let challenge: Challenge = json::read_value(biz_data.get("challenge").unwrap_or(&biz_data))
        .map_err(|_| Trouble::Other("a challenge that cannot be read".to_owned()))?;
    let mut solver = challenge
        .solver()
        .ok_or_else(|| Trouble::Other("a challenge of an unknown kind, or one that is too hard".to_owned()))?;
    let work = match solver.run(u64::MAX) {
        Progress::Found(answer) => challenge.header(answer).ok(),
        _ => None,
    };
    let work = work.ok_or_else(|| Trouble::Other("a challenge without an answer".to_owned()))?;
    Ok((work, challenge.expire_at))
}
