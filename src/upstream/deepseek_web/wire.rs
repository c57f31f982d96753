//! The web chat's JSON calls: what is sent, and what an answer means. Failures come as HTTP 200 (protocols: §1–§4).
use serde::Deserialize;
use serde_json::{Value, json};

use super::settings::DeepseekWeb;
use crate::chat::{ChatError, ErrorKind, Outcome, Passed};
use crate::json;
use crate::upstream::failure::{Failure, broken};

/// Where proofs of work are for.
pub const COMPLETION_PATH: &str = "/api/v0/chat/completion";
/// How long an account rests after DeepSeek's firewall stopped it.
const FIREWALL_REST_MS: u64 = 600_000;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The token is missing, wrong or has expired.
    Token,
    /// The proof of work was wrong, late or used before.
    Work,
    /// The conversation is not there any more: its owner may have cleared them all.
    Gone,
    /// E-mail, mobile or password is wrong.
    Password,
    /// The account is banned.
    Banned,
    /// The login's device id is not accepted.
    Device,
    /// DeepSeek wants a captcha solved.
    Captcha,
    /// The account may not write.
    Muted {
        /// Until when, in Unix milliseconds, where known.
        until_ms: Option<u64>,
    },
    /// Too many calls.
    Limited {
        /// `Retry-After`.
        retry_after_ms: Option<u64>,
    },
    /// The account is answering another call.
    Parallel,
    /// A page of DeepSeek's firewall came instead of an answer.
    Firewall,
    /// The caller's prompt is too long.
    TooLong,
    /// DeepSeek refuses to process the prompt.
    Policy,
    /// DeepSeek is overloaded.
    Busy,
    /// Something else, in DeepSeek's words.
    Other(String),
}

/// An HTTP answer that is no event stream.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Whether its headers are a firewall's.
    pub firewall: bool,
    /// `Retry-After`.
    pub retry_after_ms: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    code: i64,
    msg: Option<String>,
    data: Option<Data>,
    /// Which field of a call is wrong.
    detail: Option<Value>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    biz_code: i64,
    biz_msg: Option<String>,
    #[serde(default)]
    biz_data: Value,
}

impl Reply {
    /// `biz_data` of a good answer.
    ///
    /// # Errors
    /// What the answer says went wrong.
    pub fn read(&self) -> Result<Value, Trouble> {
        let body = self.body.trim_ascii_start();
        let Ok(envelope) = json::read::<Envelope>(body) else {
            return Err(match self.status {
                429 => Trouble::Limited { retry_after_ms: self.retry_after_ms },
                _ if self.firewall || self.status < 400 || matches!(self.status, 403 | 405) => Trouble::Firewall,
                401 => Trouble::Token,
                status => Trouble::Other(format!("status {status}")),
            });
        };
        if self.status == 429 {
            return Err(Trouble::Limited { retry_after_ms: self.retry_after_ms });
        }
        let Envelope { code, msg, data, detail } = envelope;
        let data = data.unwrap_or(Data { biz_code: 0, biz_msg: None, biz_data: Value::Null });
        let said = data.biz_msg.filter(|said| !said.is_empty()).or(msg).or(detail.map(|detail| detail.to_string()));
        let said = said.unwrap_or_default();
        match trouble(self.status, code, data.biz_code, &said, &data.biz_data) {
            None => Ok(data.biz_data),
            Some(trouble) => Err(trouble),
        }
    }
}

fn trouble(status: u16, code: i64, biz_code: i64, said: &str, data: &Value) -> Option<Trouble> {
    if data.get("is_muted").is_some_and(is_true) {
        return Some(Trouble::Muted { until_ms: seconds(data.get("mute_until")) });
    }
    if code == 0 && biz_code == 0 && status < 400 {
        return None;
    }
    Some(match Trouble::of_codes(code, biz_code, said) {
        Trouble::Other(_) if data.get("rid").is_some() => Trouble::Captcha,
        Trouble::Other(_) if matches!(status, 401 | 403) => Trouble::Token,
        trouble => trouble,
    })
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_f64().is_some_and(|number| number != 0.0)
}

fn seconds(value: Option<&Value>) -> Option<u64> {
    let seconds = value?.as_f64().filter(|seconds| *seconds > 0.0)?;
    // A cast from float saturates.
    Some((seconds * 1000.0) as u64)
}

impl Trouble {
    /// What an envelope's codes and words mean (protocols: §2, §3).
    pub fn of_codes(code: i64, biz_code: i64, said: &str) -> Trouble {
        let lower = said.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        match (code, biz_code) {
            _ if says(&["muted"]) => Trouble::Muted { until_ms: None },
            (40001..=40003 | 40012 | 40029, _) => Trouble::Token,
            (40300 | 40301, _) => Trouble::Work,
            (1001 | 1201, _) => Trouble::Busy,
            _ if says(&["illegal_chat_session_id", "chat session not found"]) => Trouble::Gone,
            _ if says(&["password_or_user_name_is_wrong"]) => Trouble::Password,
            (10, _) | (_, 10 | 40012) => Trouble::Banned,
            (_, 11) => Trouble::Device,
            _ if says(&["banned"]) => Trouble::Banned,
            _ if says(&["device"]) => Trouble::Device,
            _ if says(&["captcha"]) => Trouble::Captcha,
            _ if says(&["rate limit", "too many", "too frequent"]) => Trouble::Limited { retry_after_ms: None },
            _ if says(&["token", "unauthorized", "expired", "not login", "login required", "invalid jwt"]) => {
                Trouble::Token
            }
            _ if said.is_empty() => Trouble::Other(format!("code {code}, {biz_code}")),
            _ => Trouble::Other(said.to_owned()),
        }
    }

    /// Muted until a moment in Unix seconds.
    pub fn muted(until: f64) -> Trouble {
        Trouble::Muted { until_ms: seconds(Some(&Value::from(until))) }
    }

    /// What a `hint` event's reason means (protocols: §8.5 F).
    pub fn of_hint(reason: &str, said: &str) -> Trouble {
        match reason {
            "rate_limit_reached" => Trouble::Limited { retry_after_ms: None },
            "parallel_chat_limit" | "parallel_chat_limit_by_queue" => Trouble::Parallel,
            "input_exceeds_limit" => Trouble::TooLong,
            "expert_busy_use_default" | "generation_timeout" | "server_busy" | "busy" => Trouble::Busy,
            "content_filter" => Trouble::Policy,
            _ => Trouble::Other(if said.is_empty() { reason } else { said }.to_owned()),
        }
    }

    /// The same in the middle of an answer: a token that died is found out, and renewed, by the next call.
    pub fn failure_midway(&self, now_ms: u64) -> Failure {
        match self {
            Trouble::Token => broken(ErrorKind::Upstream, "DeepSeek's token died in the middle of the answer."),
            trouble => trouble.failure(now_ms),
        }
    }

    /// What it means for the account, for the caller, and for another try.
    pub fn failure(&self, now_ms: u64) -> Failure {
        let parked = |cause: &str, until_ms: Option<u64>| of_account(Outcome::Parked { cause: cause.into(), until_ms });
        let login = |cause: &str| of_account(Outcome::NeedsLogin { cause: cause.into() });
        match self {
            Trouble::Token => {
                login("its token is not valid any more, and logging in does not help or there is no password")
            }
            Trouble::Password => {
                of_account(Outcome::InvalidCredential { cause: "wrong e-mail, mobile or password".into() })
            }
            Trouble::Banned => parked("banned by DeepSeek", None),
            Trouble::Device => login(
                "DeepSeek did not accept the device at login: set settings.deepseek_web.device_id to your browser's own, \
                 or give a token instead of the password",
            ),
            Trouble::Captcha => login("DeepSeek wants a captcha: log in with a browser and give the token"),
            Trouble::Muted { until_ms } => parked("muted by DeepSeek", *until_ms),
            Trouble::Firewall => {
                parked("stopped by DeepSeek's firewall", Some(now_ms.saturating_add(FIREWALL_REST_MS)))
            }
            Trouble::Limited { retry_after_ms } => Failure {
                outcome: Outcome::RateLimited { retry_after_ms: *retry_after_ms },
                error: ChatError::new(ErrorKind::Upstream, "DeepSeek says that this account asks too often."),
                retry: true,
            },
            Trouble::Parallel => Failure {
                outcome: Outcome::RateLimited { retry_after_ms: None },
                error: ChatError::new(ErrorKind::Upstream, "The DeepSeek account is answering another call."),
                retry: true,
            },
            Trouble::TooLong => too_long("prompt is too long for DeepSeek's chat."),
            Trouble::Policy => of_caller("DeepSeek refuses to process this conversation.", None),
            Trouble::Busy => broken(ErrorKind::Upstream, "DeepSeek is busy."),
            Trouble::Gone => broken(ErrorKind::Upstream, "DeepSeek does not know the conversation."),
            Trouble::Work => broken(ErrorKind::Upstream, "DeepSeek did not accept the proof of work."),
            Trouble::Other(said) => {
                let said: String = said.chars().take(200).collect();
                broken(ErrorKind::Upstream, &format!("DeepSeek answered: {said}"))
            }
        }
    }
}

/// The account cannot serve; a caller whom nobody else can serve is told why.
fn of_account(outcome: Outcome) -> Failure {
    let cause = match &outcome {
        Outcome::Parked { cause, .. } | Outcome::NeedsLogin { cause } | Outcome::InvalidCredential { cause } => cause,
        _ => "",
    };
    let error = ChatError::new(ErrorKind::NoAccount, format!("No DeepSeek account can answer: {cause}."));
    Failure { outcome, error, retry: true }
}

/// A prompt of so many tokens is too long, in the words that agents know: they go on with a shorter one (api-conformance
/// A41).
pub fn too_long_by(tokens: u64, context_tokens: u64) -> Failure {
    let most = context_tokens.min(tokens.saturating_sub(1));
    too_long(&format!("prompt is too long: {tokens} tokens > {most} maximum"))
}

fn too_long(message: &str) -> Failure {
    of_caller(message, Some("context_length_exceeded"))
}

fn of_caller(message: &str, code: Option<&str>) -> Failure {
    let passed = code.map(|code| Passed { status: 400, kind: None, code: Some(code.to_owned()) });
    let error = ChatError { passed, ..ChatError::new(ErrorKind::InvalidRequest, message) };
    Failure { outcome: Outcome::CallerError, error, retry: false }
}

/// The body of a login.
pub fn login(settings: &DeepseekWeb, email: Option<&str>, mobile: Option<&str>, password: &str) -> Value {
    let (mobile, area_code) = mobile.map_or((String::new(), ""), |mobile| (bare_mobile(mobile), "+86"));
    json!({
        "email": email.unwrap_or_default(), "mobile": mobile, "password": password, "area_code": area_code,
        "device_id": settings.device_id, "os": settings.platform,
    })
}

/// The token of a login, which succeeds for a muted account too.
///
/// # Errors
/// `Muted`, and `Other` without a token.
pub fn token(biz_data: &Value) -> Result<String, Trouble> {
    let user = biz_data.get("user").unwrap_or(&Value::Null);
    let chat = user.get("chat").unwrap_or(&Value::Null);
    if chat.get("is_muted").is_some_and(is_true) {
        return Err(Trouble::Muted { until_ms: seconds(chat.get("mute_until")) });
    }
    let token = user.get("token").and_then(Value::as_str).filter(|token| !token.is_empty());
    token.map(str::to_owned).ok_or_else(|| Trouble::Other("the login gave no token".to_owned()))
}

/// The id of a new conversation, in either shape.
pub fn conversation(biz_data: &Value) -> Option<String> {
    let id = biz_data.pointer("/chat_session/id").or_else(|| biz_data.get("id"))?;
    id.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

/// Digits alone; China's country code is sent apart.
fn bare_mobile(mobile: &str) -> String {
    let digits: String = mobile.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("86") {
        Some(bare) if bare.len() == 11 => bare.to_owned(),
        _ => digits,
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
