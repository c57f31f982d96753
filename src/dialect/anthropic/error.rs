//! Anthropic's error bodies (api-conformance A39, A40).
use serde_json::{Value, json};

use crate::chat::ChatError;

/// `{"type":"error","error":{type,message},"request_id"}`.
pub fn body(error: &ChatError, request_id: &str) -> Value {
    let mut said = json!({"type": kind(error), "message": error.message});
    // The SDKs' tool runners go on without threads only after this very answer (A18).
    if let (Some("thread"), Some(fields)) = (error.param.as_deref(), said.as_object_mut()) {
        let details = json!({"error_code": "thread_unsupported_request", "unsupported": []});
        fields.insert("details".to_owned(), details);
    }
    json!({"type": "error", "error": said, "request_id": request_id})
}

fn kind(error: &ChatError) -> &'static str {
    match error.status() {
        // Claude Code takes 404 for an issue with the model, and for that alone.
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        status if status < 500 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ErrorKind;

    #[test]
    fn has_the_whole_envelope() {
        let error = ChatError::new(ErrorKind::ModelNotFound, "no");
        assert_eq!(
            body(&error, "req_1"),
            json!({"type": "error", "error": {"type": "not_found_error", "message": "no"}, "request_id": "req_1"})
        );
        assert_eq!(body(&ChatError::field("system", "no"), "r")["error"]["type"], "invalid_request_error");
        let thread = body(&ChatError::field("thread", "no"), "r");
        assert_eq!(thread["error"]["details"]["error_code"], "thread_unsupported_request");
    }
}
