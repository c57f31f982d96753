//! OpenAI's error bodies (api-conformance C40, contract §5).
use serde_json::{Value, json};

use crate::chat::{ChatError, ErrorKind};

/// `{"error":{message,type,param,code}}`.
pub fn body(error: &ChatError) -> Value {
    let (kind, code) = names(error);
    json!({"error": {"message": error.message, "type": kind, "param": error.param, "code": code}})
}

/// The error as an event of a stream; nothing may follow it.
pub fn event(error: &ChatError) -> String {
    format!("data: {}\n\n", body(error))
}

fn names(error: &ChatError) -> (&str, Option<&str>) {
    if let Some(passed) = &error.passed {
        return (passed.kind.as_deref().unwrap_or("invalid_request_error"), passed.code.as_deref());
    }
    match error.kind {
        ErrorKind::InvalidRequest => ("invalid_request_error", None),
        ErrorKind::RequestTooLarge => ("invalid_request_error", Some("request_too_large")),
        ErrorKind::InvalidKey => ("authentication_error", Some("invalid_api_key")),
        ErrorKind::ModelNotAllowed => ("permission_denied", Some("model_not_allowed")),
        ErrorKind::ModelNotFound => ("invalid_request_error", Some("model_not_found")),
        ErrorKind::UnknownUrl => ("invalid_request_error", Some("unknown_url")),
        ErrorKind::NotFound => ("invalid_request_error", Some("not_found")),
        ErrorKind::MethodNotAllowed => ("invalid_request_error", Some("method_not_allowed")),
        ErrorKind::UpgradeRequired => ("invalid_request_error", Some("upgrade_required")),
        ErrorKind::Conflict => ("invalid_request_error", Some("conflict")),
        ErrorKind::QueueFull => ("rate_limit_error", Some("queue_full")),
        ErrorKind::DailyLimit => ("rate_limit_error", Some("daily_limit")),
        ErrorKind::RateLimited => ("rate_limit_error", Some("rate_limited")),
        ErrorKind::KeyLimit => ("rate_limit_error", Some("key_limit")),
        ErrorKind::Upstream => ("upstream_error", Some("upstream_error")),
        ErrorKind::NoAccount => ("service_unavailable", Some("no_account")),
        ErrorKind::NotConfigured => ("service_unavailable", Some("not_configured")),
        ErrorKind::UpstreamTimeout => ("upstream_timeout", Some("upstream_timeout")),
        ErrorKind::Internal => ("server_error", Some("internal_error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Passed;

    #[test]
    fn has_all_four_keys() {
        let error = ChatError::field("messages[0].role", "no");
        assert_eq!(
            body(&error),
            json!({"error": {"message": "no", "type": "invalid_request_error", "param": "messages[0].role", "code": null}})
        );
    }

    #[test]
    fn passes_an_upstreams_words_on() {
        let passed = Passed { status: 422, kind: Some("BadRequest".into()), code: Some("InvalidParameter".into()) };
        let error = ChatError { passed: Some(passed), ..ChatError::new(ErrorKind::InvalidRequest, "bad") };
        assert_eq!(error.status(), 422);
        assert_eq!(
            event(&error),
            "data: {\"error\":{\"message\":\"bad\",\"type\":\"BadRequest\",\"param\":null,\"code\":\"InvalidParameter\"}}\n\n"
        );
    }
}
