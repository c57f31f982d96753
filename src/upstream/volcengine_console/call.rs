//! One call to Volcengine's console.
use std::cell::Cell;

use web_sys::AbortSignal;
use worker::Date;

use super::body;
use super::decode::Decoder;
use super::failure::{self, Context};
use super::settings::VolcengineConsole;
use crate::chat::{ChatError, ChatRequest, ErrorKind, Outcome};
use crate::config::Secrets;
use crate::tokens;
use crate::upstream::bound::Bounded;
use crate::upstream::failure::{Failure, of_network};
use crate::upstream::fetch::{self, USER_AGENT};
use crate::upstream::service::Opened;
use crate::upstream::text_only::{self, TextOnly};

/// One call.
pub struct Call<'a> {
    /// Where the service is: all of the address.
    pub url: &'a str,
    /// The service's name for the model.
    pub model: &'a str,
    /// How it is asked.
    pub settings: &'a VolcengineConsole,
    /// The id, and its authorization where it has one of its own.
    pub secrets: &'a Secrets,
    /// The authorization of all other ids.
    pub shared_authorization: Option<String>,
    /// What the caller wants.
    pub request: &'a ChatRequest,
    /// Nothing is sent to the caller before the answer is complete.
    pub whole: bool,
}

impl Call<'_> {
    /// Makes the call.
    ///
    /// # Errors
    /// What the service answered instead, or that it did not.
    pub async fn open(&self, signal: &AbortSignal, headers_seen: &Cell<bool>) -> Result<Opened, Failure> {
        let own = self.secrets.get("authorization");
        let (Some(web_id), Some(authorization)) =
            (self.secrets.get("web_id"), own.or(self.shared_authorization.as_deref()))
        else {
            return Err(lacks_authorization());
        };
        let settings = self.settings;
        let texts = text_only::flatten(self.request);
        let prompt_tokens = texts.iter().map(|(_, text)| tokens::count(text)).fold(0, u64::saturating_add);
        let body = body::build(settings, self.model, &texts, self.request).to_string();
        let says = |name: &str| settings.headers.keys().any(|header| header.eq_ignore_ascii_case(name));
        let mut headers =
            vec![("content-type", "application/json"), ("x-web-id", web_id), ("authorization", authorization)];
        headers.extend(settings.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if !says("user-agent") {
            headers.push(("user-agent", USER_AGENT));
        }
        let now_ms = Date::now().as_millis();
        let reply = fetch::open(self.url, &headers, body.as_bytes(), signal).await?;
        headers_seen.set(true);
        let context = Context {
            settings: settings.clone(),
            secrets: [web_id.to_owned(), authorization.to_owned()],
            own_authorization: own.is_some(),
            status: reply.header("x-real-status").and_then(|status| status.trim().parse().ok()).unwrap_or(200),
            now_ms,
            retry_after_ms: reply.retry_after(),
        };
        if reply.status() != 200 {
            return Err(failure::of_status(reply.status(), &reply.beginning().await?, &context));
        }
        let source = reply.source().ok_or_else(of_network)?;
        let decode = Box::new(Decoder::new(context, prompt_tokens));
        let decode = TextOnly::new(decode, self.request, self.whole);
        let decode = Bounded::new(Box::new(decode), self.request.stop.clone(), self.request.max_tokens);
        Ok(Opened::Events(source, Box::new(decode)))
    }
}

fn lacks_authorization() -> Failure {
    let cause = "it has no authorization, and the secret VOLCENGINE_AUTHORIZATION is not set".to_owned();
    let error = ChatError::new(ErrorKind::Upstream, "The account has no authorization for Volcengine's console.");
    Failure { outcome: Outcome::InvalidCredential { cause }, error, retry: true }
}
