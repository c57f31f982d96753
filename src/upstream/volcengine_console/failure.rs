//! What the console's errors mean: for the id, for the caller, and whether another id should try (protocols: A.6, A.7).
use serde_json::Value;

use super::settings::VolcengineConsole;
use crate::chat::{ChatError, ErrorKind, Outcome, Passed};
use crate::json;
use crate::pattern;
use crate::upstream::failure::{Failure, broken};
use crate::upstream::openai::failure::clean;

/// Objects that an error may be wrapped in, as JSON or as text.
const DEPTH_MAX: usize = 4;

/// What a call came with, and what is known of its id.
#[derive(Clone, Debug)]
pub struct Context {
    /// The signs of a used-up id, and how long it rests.
    pub settings: VolcengineConsole,
    /// What no message may hold.
    pub secrets: [String; 2],
    /// The authorization is the id's own, and not the one that all ids share.
    pub own_authorization: bool,
    /// The status that the console's back end had, whatever the console made of it.
    pub status: u16,
    /// When the call began, in Unix milliseconds.
    pub now_ms: u64,
    /// The service's `Retry-After`, in milliseconds from then.
    pub retry_after_ms: Option<u64>,
}

/// An error as the service words it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// From the outermost to the innermost.
    codes: Vec<String>,
    /// The innermost one.
    message: String,
}

enum Meaning {
    /// The id is used up.
    Exhausted,
    /// The id came too fast.
    Limited,
    /// The account behind the id must be put in order by its owner.
    Parked,
    Credential,
    Caller,
    Broken,
}

impl Words {
    /// The error in an answer or event, wherever it stands; `None` where there is none.
    pub fn find(value: &Value) -> Option<Words> {
        let nested = ["ResponseMetadata", "Result"].into_iter().filter_map(|name| value.get(name));
        nested.chain([value]).find_map(|place| {
            let error =
                ["Error", "error"].into_iter().filter_map(|name| place.get(name)).find(|error| !is_empty(error))?;
            let mut words = Words::default();
            words.read(error, DEPTH_MAX);
            Some(words)
        })
    }

    fn read(&mut self, error: &Value, depth: usize) {
        let text = |names: [&str; 2]| match names.iter().find_map(|name| error.get(name)) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        self.codes.extend(text(["code", "Code"]).filter(|code| !code.is_empty()));
        let message = error.as_str().map(str::to_owned).or_else(|| text(["message", "Message"]));
        let Some(message) = message else { return };
        // A message may be another error's JSON.
        let inner = (depth > 0).then(|| json::parse(&message).ok()).flatten();
        match inner.filter(Value::is_object) {
            Some(inner) => {
                let error = inner.pointer("/ResponseMetadata/Error").or_else(|| inner.get("error"));
                self.read(error.unwrap_or(&inner), depth.saturating_sub(1));
            }
            None => self.message = message,
        }
    }

    /// Whether the service holds an answer's text back.
    pub fn is_of_answers_text(&self) -> bool {
        self.codes.iter().any(|code| matches!(code.as_str(), "RespTextExistRisk" | "BFFResponseTextExistRisk"))
    }
}

/// Whether a field stands for no error.
fn is_empty(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// An answer whose status is not 200.
pub fn of_status(status: u16, body: &[u8], context: &Context) -> Failure {
    let value = json::parse(body).unwrap_or_default();
    match Words::find(&value) {
        Some(words) => of_error(status, words, context),
        // A 404 without an error of the service comes from a wrong address, not from the caller.
        None if status == 404 => broken(ErrorKind::Upstream, "The console has no such route: is base_url right?"),
        None => of_error(status, Words::default(), context),
    }
}

/// An error, wherever it came.
pub fn of_error(status: u16, words: Words, context: &Context) -> Failure {
    let clean = |text: &str| {
        let [first, second] = &context.secrets;
        clean(&clean(text, first), second)
    };
    let code = words.codes.last().map(|code| clean(code));
    let message = clean(&words.message);
    let said = [code.as_deref().unwrap_or_default(), &message]
        .iter()
        .filter(|text| !text.is_empty())
        .copied()
        .collect::<Vec<_>>();
    let cause = format!("{status} {}", said.join(": ")).trim_end().to_owned();
    let (outcome, retry) = match meaning(status, &words, &context.settings) {
        Meaning::Exhausted => {
            let rest_ms = context.settings.rest_s.saturating_mul(1000);
            let until_ms = (rest_ms > 0).then(|| context.now_ms.saturating_add(rest_ms));
            (Outcome::Parked { cause: cause.clone(), until_ms }, true)
        }
        Meaning::Limited => (Outcome::RateLimited { retry_after_ms: context.retry_after_ms }, true),
        Meaning::Parked => (Outcome::Parked { cause: cause.clone(), until_ms: None }, true),
        Meaning::Credential if context.own_authorization => (Outcome::InvalidCredential { cause: cause.clone() }, true),
        // Once it is renewed, the ids are well again: none is switched off for it.
        Meaning::Credential => {
            (Outcome::Failure { cause: format!("VOLCENGINE_AUTHORIZATION was refused: {cause}") }, true)
        }
        Meaning::Broken => (Outcome::Failure { cause: cause.clone() }, true),
        Meaning::Caller => {
            let status = if (400..500).contains(&status) { status } else { 400 };
            let message = if message.is_empty() { "The console refused the request.".to_owned() } else { message };
            let error = ChatError::new(ErrorKind::InvalidRequest, message);
            let error = ChatError { passed: Some(Passed { status, kind: None, code }), ..error };
            return Failure { outcome: Outcome::CallerError, error, retry: false };
        }
    };
    let text = match &outcome {
        // What a service says of a credential may quote it.
        Outcome::InvalidCredential { .. } => format!("The console refused the account's credential ({status})."),
        _ => format!("The console answered {cause}"),
    };
    Failure { outcome, error: ChatError::new(ErrorKind::Upstream, text), retry }
}

fn meaning(status: u16, words: &Words, settings: &VolcengineConsole) -> Meaning {
    let by_pattern = |text: &str| {
        let fits = |patterns: &[String]| patterns.iter().any(|pattern| pattern::fits(pattern, text));
        match text {
            "" => None,
            _ if fits(&settings.exhausted_on) => Some(Meaning::Exhausted),
            _ if fits(&settings.limited_on) => Some(Meaning::Limited),
            _ => None,
        }
    };
    // The innermost code says most; a status says least, since many codes share one.
    let codes = || words.codes.iter().rev().map(String::as_str);
    codes()
        .find_map(by_pattern)
        .or_else(|| by_pattern(&words.message))
        .or_else(|| codes().find_map(by_code))
        .or_else(|| by_pattern(&status.to_string()))
        .unwrap_or(match status {
            401 | 403 => Meaning::Credential,
            402 => Meaning::Parked,
            429 => Meaning::Limited,
            408 | 409 | 425 => Meaning::Broken,
            400..=499 if *words != Words::default() => Meaning::Caller,
            _ => Meaning::Broken,
        })
}

fn by_code(code: &str) -> Option<Meaning> {
    Some(match code {
        "NotLogin" | "AuthenticationError" | "AuthenticationExpire" | "ApiKeyBannedError" | "InvalidCSRFToken"
        | "InvalidAccessKey" | "SignatureDoesNotMatch" | "InvalidAuthorization" | "InvalidCredential"
        | "InvalidSecretToken" => Meaning::Credential,
        "ServiceNotOpen" | "MaasPlatformNotOpen" | "ServiceOverdue" | "AccountOverdueError" => Meaning::Parked,
        "ReqTextExistRisk" | "BFFPromptTextExistRisk" | "RespTextExistRisk" | "BFFResponseTextExistRisk" => Meaning::Caller,
        "ServerOverloaded" | "RequestTimeout" | "RequestCanceled" | "ModelLoading" | "ModelLoadingError"
        | "InternalError" | "InternalServiceTimeout" | "InternalServiceError" | "ServiceUnavailableTemp"
        // The address is wrong, which no caller can help.
        | "ServiceNotFound" | "InvalidActionOrVersion" | "MissingRequestInfo" | "InvalidTimestamp" => Meaning::Broken,
        code if code.starts_with("SensitiveContentDetected") || code.starts_with("InvalidEndpoint") => Meaning::Caller,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
