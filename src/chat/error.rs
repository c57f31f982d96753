//! Why a call was not answered. A dialect turns this into its own error body; nothing here may hold a secret.
use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of failure of contract §5, one per row or code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// Bad JSON or a wrong field. 400.
    InvalidRequest,
    /// The body is over the limit. 413.
    RequestTooLarge,
    /// No key, or an unknown, disabled or expired one. 401.
    InvalidKey,
    /// The key may not use the model. 403.
    ModelNotAllowed,
    /// No upstream has the model. 404.
    ModelNotFound,
    /// No such route. 404.
    UnknownUrl,
    /// No such thing under a route. 404.
    NotFound,
    /// The route exists, but not for this method. 405.
    MethodNotAllowed,
    /// A WebSocket was asked for. 426.
    UpgradeRequired,
    /// Another thing stands in the way, such as a duplicate id. 409.
    Conflict,
    /// Every account is busy and the queue is full, or the wait would be too long. 429.
    QueueFull,
    /// Every account has used up its day, or its uses. 429.
    DailyLimit,
    /// Every account is at its rate limit. 429.
    RateLimited,
    /// The client key is at its own limit. 429.
    KeyLimit,
    /// Every try failed. 502.
    Upstream,
    /// No account is enabled, or all are muted or need a login. 503.
    NoAccount,
    /// A secret or binding that Weir needs is not set. 503.
    NotConfigured,
    /// No first token, or a stall, past its deadline. 504.
    UpstreamTimeout,
    /// Weir's own fault. 500.
    Internal,
}

/// An upstream's refusal of the caller's own request, passed on as it came (cleaned of credentials).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The upstream's HTTP status, 400–499.
    pub status: u16,
    /// The upstream's `error.type`, where it gave one.
    pub kind: Option<String>,
    /// The upstream's `error.code`, where it gave one.
    pub code: Option<String>,
}

/// One failure, in no dialect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// A sentence for the caller.
    pub message: String,
    /// The field that is wrong, as a JSON path.
    pub param: Option<String>,
    /// When a new try makes sense, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
    /// Set when an upstream refused the caller's request itself.
    pub passed: Option<Passed>,
}

impl ChatError {
    /// A failure of this kind with a sentence for the caller.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        ChatError { kind, message: message.into(), param: None, retry_after_ms: None, passed: None }
    }

    /// A wrong field of the caller's request.
    pub fn field(param: impl Into<String>, message: impl Into<String>) -> Self {
        ChatError { param: Some(param.into()), ..ChatError::new(ErrorKind::InvalidRequest, message) }
    }

    /// The same failure with a time after which a new try makes sense.
    pub fn retry_after(self, milliseconds: u64) -> Self {
        ChatError { retry_after_ms: Some(milliseconds), ..self }
    }

    /// The HTTP status, in every dialect that has no other rule.
    pub fn status(&self) -> u16 {
        if let Some(passed) = &self.passed {
            return passed.status;
        }
        match self.kind {
            ErrorKind::InvalidRequest => 400,
            ErrorKind::InvalidKey => 401,
            ErrorKind::ModelNotAllowed => 403,
            ErrorKind::ModelNotFound | ErrorKind::UnknownUrl | ErrorKind::NotFound => 404,
            ErrorKind::MethodNotAllowed => 405,
            ErrorKind::Conflict => 409,
            ErrorKind::UpgradeRequired => 426,
            ErrorKind::RequestTooLarge => 413,
            ErrorKind::QueueFull | ErrorKind::DailyLimit | ErrorKind::RateLimited | ErrorKind::KeyLimit => 429,
            ErrorKind::Internal => 500,
            ErrorKind::Upstream => 502,
            ErrorKind::NoAccount | ErrorKind::NotConfigured => 503,
            ErrorKind::UpstreamTimeout => 504,
        }
    }
}

impl fmt::Display for ChatError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ChatError {}
