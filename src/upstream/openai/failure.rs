//! What an upstream's failure means: for its account, for the caller, and whether another account should try.
//!
//! Codes: protocols B1.5 (Ark, where one 429 code has three meanings), B2.4 (DeepSeek platform), OpenAI's own.
use serde_json::Value;

use super::meter::Fault;
use crate::chat::{ChatError, ErrorKind, Outcome, Passed};
use crate::json;
use crate::moment;
use crate::upstream::failure::{Failure, broken};

/// The longest piece of an upstream's own words that is passed on, in characters.
const MESSAGE_MAX: usize = 600;

/// What a failed answer came with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The account's credential, which no message may hold.
    pub secret: &'a str,
    /// The upstream's `Retry-After`, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
}

enum Meaning {
    Caller,
    Limited,
    Parked(Option<u64>),
    Credential,
    /// This account cannot serve this model, but is well otherwise.
    Elsewhere,
    Broken,
}

#[derive(Default)]
struct Words {
    message: String,
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
}

/// An answer whose status is not 200.
pub fn of_status(status: u16, body: &[u8], context: Context) -> Failure {
    let words = json::parse(body).ok().and_then(|body| {
        let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(&body);
        Words::read(error)
    });
    let Some(words) = words else {
        // A 404 without an API error comes from a wrong base URL, not from the caller.
        let meaning = match status {
            401 | 403 => Meaning::Credential,
            402 => Meaning::Parked(None),
            429 => Meaning::Limited,
            _ => Meaning::Broken,
        };
        let message = if status == 404 { "no such route: is base_url right?" } else { "" };
        return failure(status, meaning, Words { message: message.to_owned(), ..Words::default() }, context);
    };
    let meaning = by_code(&words).unwrap_or(match status {
        401 | 403 => Meaning::Credential,
        402 => Meaning::Parked(None),
        429 => Meaning::Limited,
        408 | 409 | 425 => Meaning::Broken,
        400..=499 => Meaning::Caller,
        _ => Meaning::Broken,
    });
    failure(status, meaning, words, context)
}

/// A stream or a 200 answer that turned out to be none.
pub fn of_fault(fault: &Fault, context: Context) -> Failure {
    let text = match fault {
        Fault::Error(error) => return of_error_value(error, context),
        Fault::Cut => "The upstream's answer was cut off.",
        Fault::Garbage => "The upstream sent something that is no answer.",
        Fault::GaveUp(reason) => &format!("The upstream gave its answer up (finish_reason `{reason}`)."),
    };
    broken(ErrorKind::Upstream, text)
}

/// Whether an answer that ends with this `finish_reason` is not whole: DeepSeek's `insufficient_system_resource`, Zhipu's
/// `network_error`, the `abort` of vLLM and SGLang, TensorRT-LLM's `cancelled` and `timeout`, OpenRouter's `error`.
pub(in crate::upstream) fn gave_up(finish_reason: &str) -> bool {
    matches!(
        finish_reason,
        "insufficient_system_resource" | "network_error" | "abort" | "cancelled" | "timeout" | "error"
    )
}

fn of_error_value(error: &str, context: Context) -> Failure {
    let words = json::parse(error).ok().and_then(|error| Words::read(&error)).unwrap_or_default();
    let number = words.code.as_deref().and_then(|code| code.parse::<u16>().ok());
    let meaning = by_code(&words).unwrap_or(match (words.kind.as_deref(), words.code.as_deref(), number) {
        (Some("invalid_request_error" | "BadRequest"), ..) | (.., Some(400 | 404 | 422)) => Meaning::Caller,
        (Some("authentication_error" | "Unauthorized"), ..) | (.., Some(401 | 403)) => Meaning::Credential,
        (Some("rate_limit_error" | "TooManyRequests"), ..) | (_, Some("rate_limit_exceeded"), _) | (.., Some(429)) => {
            Meaning::Limited
        }
        _ => Meaning::Broken,
    });
    failure(number.filter(|number| (400..600).contains(number)).unwrap_or(200), meaning, words, context)
}

fn by_code(words: &Words) -> Option<Meaning> {
    let code = words.code.as_deref()?;
    Some(match code {
        "QuotaExceeded" if words.message.contains("reset at") => Meaning::Parked(reset_at(&words.message)),
        "QuotaExceeded" if words.message.contains("free trial") => Meaning::Parked(None),
        "SetLimitExceeded"
        | "AccountOverdueError"
        | "InvalidAccountStatus"
        | "InvalidSubscription"
        | "insufficient_quota"
        | "OperationDenied.ServiceOverdue" => Meaning::Parked(None),
        "ModelNotOpen" | "InvalidEndpointOrModel.ModelIDAccessDisabled" | "AccessDenied" => Meaning::Elsewhere,
        "AuthenticationError" | "invalid_api_key" => Meaning::Credential,
        "QuotaExceeded" | "ServerOverloaded" | "InflightBatchsizeExceeded" => Meaning::Limited,
        code if code.contains("RateLimit") => Meaning::Limited,
        code if code.starts_with("OperationDenied") => Meaning::Elsewhere,
        _ => return None,
    })
}

/// The moment that Ark's plan quota names: `… It will reset at 2026-11-21 20:00:00 +0800 CST.`
fn reset_at(message: &str) -> Option<u64> {
    let moment = message.split("reset at ").nth(1)?.trim_end_matches('.');
    let words: Vec<&str> = moment.split(' ').collect();
    let standard = match words.as_slice() {
        [day, time, zone, ..] => format!("{day}T{time}{zone}"),
        _ => moment.to_owned(),
    };
    moment::of_rfc3339(&standard)
}

fn failure(status: u16, meaning: Meaning, words: Words, context: Context) -> Failure {
    let message = clean(&words.message, context.secret);
    let said = if message.is_empty() { String::new() } else { format!(": {message}") };
    let code = words.code.as_deref().map(|code| clean(code, context.secret));
    let cause = match &code {
        Some(code) => format!("{status} {code}{said}"),
        None => format!("{status}{said}"),
    };
    let (outcome, retry) = match meaning {
        Meaning::Caller => {
            let status = if (400..500).contains(&status) { status } else { 400 };
            let passed = Passed { status, kind: words.kind.map(|kind| clean(&kind, context.secret)), code };
            let param = words.param.map(|param| clean(&param, context.secret));
            let message = if message.is_empty() { "The upstream refused the request.".to_owned() } else { message };
            let error = ChatError::new(ErrorKind::InvalidRequest, message);
            let error = ChatError { passed: Some(passed), param, ..error };
            return Failure { outcome: Outcome::CallerError, error, retry: false };
        }
        Meaning::Limited => (Outcome::RateLimited { retry_after_ms: context.retry_after_ms }, true),
        Meaning::Parked(until_ms) => (Outcome::Parked { cause: cause.clone(), until_ms }, true),
        Meaning::Credential => (Outcome::InvalidCredential { cause: format!("the upstream answered {status}") }, true),
        Meaning::Elsewhere => (Outcome::CallerError, true),
        Meaning::Broken => (Outcome::Failure { cause: cause.clone() }, true),
    };
    // What an upstream says of a credential may quote it.
    let text = match &outcome {
        Outcome::InvalidCredential { .. } => format!("The upstream refused the account's credential ({status})."),
        _ => format!("The upstream answered {cause}"),
    };
    Failure { outcome, error: ChatError::new(ErrorKind::Upstream, text), retry }
}

impl Words {
    fn read(error: &Value) -> Option<Words> {
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        match error {
            Value::String(message) => Some(Words { message: message.clone(), ..Words::default() }),
            Value::Object(fields) => {
                let message = text(fields.get("message")).or_else(|| text(fields.get("detail")));
                let words = Words {
                    kind: text(fields.get("type")),
                    code: text(fields.get("code")),
                    param: text(fields.get("param")),
                    message: message.clone().unwrap_or_default(),
                };
                (message.is_some() || words.kind.is_some() || words.code.is_some()).then_some(words)
            }
            _ => None,
        }
    }
}

/// An upstream's words without the credential, or anything that looks like one, and not too many of them.
pub(in crate::upstream) fn clean(text: &str, secret: &str) -> String {
    let text = if secret.is_empty() { text.to_owned() } else { text.replace(secret, "***") };
    let words: Vec<&str> = text.split(' ').map(|word| if looks_like_a_key(word) { "***" } else { word }).collect();
    words.join(" ").chars().take(MESSAGE_MAX).collect()
}

fn looks_like_a_key(word: &str) -> bool {
    word.len() >= 16 && ["sk-", "ark-", "Bearer"].iter().any(|mark| word.contains(mark))
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
