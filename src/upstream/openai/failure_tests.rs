//! The documented errors of Ark, the DeepSeek platform and OpenAI, one by one.
use super::*;

const SECRET: &str = "sk-secret-0123456789";
const CONTEXT: Context = Context { secret: SECRET, retry_after_ms: Some(7_000) };

fn of(status: u16, kind: &str, code: &str, message: &str) -> Failure {
    let body = serde_json::json!({"error": {"message": message, "type": kind, "code": code, "param": ""}});
    of_status(status, body.to_string().as_bytes(), CONTEXT)
}

#[test]
fn a_callers_error_passes_and_is_never_retried() {
    for (status, kind, code) in [
        (400, "BadRequest", "InvalidParameter.temperature"),
        (400, "BadRequest", "SensitiveContentDetected"),
        (404, "NotFound", "InvalidEndpointOrModel.NotFound"),
        (422, "invalid_request_error", "invalid_request_error"),
        (413, "invalid_request_error", "request_too_large"),
    ] {
        let failure = of(status, kind, code, "no");
        assert_eq!((failure.outcome, failure.retry), (Outcome::CallerError, false), "{code}");
        assert_eq!(failure.error.status(), status);
        let passed = failure.error.passed.unwrap();
        assert_eq!((passed.kind.as_deref(), passed.code.as_deref()), (Some(kind), Some(code)));
    }
}

#[test]
fn a_limit_cools_as_long_as_the_upstream_says() {
    for code in [
        "RateLimitExceeded.EndpointRPMExceeded",
        "ModelAccountTpmRateLimitExceeded",
        "AccountRateLimitExceeded",
        "ServerOverloaded",
        "InflightBatchsizeExceeded",
        "rate_limit_exceeded",
    ] {
        let failure = of(429, "TooManyRequests", code, "slow down");
        assert_eq!(failure.outcome, Outcome::RateLimited { retry_after_ms: Some(7_000) }, "{code}");
        assert!(failure.retry);
    }
    assert_eq!(of_status(429, b"", CONTEXT).outcome, Outcome::RateLimited { retry_after_ms: Some(7_000) });
}

#[test]
fn ark_quota_exceeded_has_three_meanings() {
    let until = |message: &str| match of(429, "TooManyRequests", "QuotaExceeded", message).outcome {
        Outcome::Parked { until_ms, .. } => Some(until_ms),
        Outcome::RateLimited { .. } => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(until("Your account has exhausted its free trial quota for the [m] model"), Some(None));
    assert_eq!(until("The task queue is full"), None);
    let plan = "You have exceeded the 5-hour usage quota. It will reset at 2026-11-21 20:00:00 +0800 CST.";
    assert_eq!(until(plan), Some(Some(1_795_262_400_000)));
    assert_eq!(until("It will reset at 2026-11-21T12:00:00Z."), Some(Some(1_795_262_400_000)));
    assert_eq!(until("It will reset at noon."), Some(None));
}

#[test]
fn what_only_a_human_can_mend_parks_the_account() {
    for (status, kind, code) in [
        (429, "TooManyRequests", "SetLimitExceeded"),
        (403, "Forbidden", "AccountOverdueError"),
        (401, "Forbidden", "InvalidAccountStatus"),
        (400, "Forbidden", "InvalidSubscription"),
        (429, "insufficient_quota", "insufficient_quota"),
        (402, "unknown_error", "invalid_request_error"),
    ] {
        let failure = of(status, kind, code, "pay");
        assert!(matches!(failure.outcome, Outcome::Parked { until_ms: None, .. }), "{code}");
        assert!(failure.retry);
    }
}

#[test]
fn a_model_that_this_account_has_not_opened_is_tried_elsewhere() {
    let failure = of(404, "NotFound", "ModelNotOpen", "Your account has not activated the model");
    assert_eq!((failure.outcome, failure.retry), (Outcome::CallerError, true));
}

#[test]
fn a_refused_credential_is_not_quoted() {
    for status in [401, 403] {
        let failure = of(status, "authentication_error", "x", &format!("Incorrect API key provided: {SECRET}"));
        assert!(matches!(failure.outcome, Outcome::InvalidCredential { .. }));
        assert!(!format!("{failure:?}").contains("secret"));
    }
}

#[test]
fn a_server_error_names_its_status_and_hides_keys() {
    let failure =
        of(500, "InternalServerError", "InternalServiceError", &format!("with {SECRET} and sk-other-0123456789"));
    assert_eq!(failure.error.message, "The upstream answered 500 InternalServiceError: with *** and ***");
    assert!(matches!(failure.outcome, Outcome::Failure { .. }));
    assert_eq!(of_status(502, b"<html>bad gateway</html>", CONTEXT).error.message, "The upstream answered 502");
}

#[test]
fn a_404_without_an_api_error_is_not_the_callers_fault() {
    let failure = of_status(404, b"404 page not found", CONTEXT);
    assert!(failure.retry && failure.error.passed.is_none());
}

#[test]
fn an_error_inside_a_200_is_read_by_its_words() {
    let of = |error: &str| of_fault(&Fault::Error(error.to_owned()), CONTEXT);
    assert_eq!(of(r#"{"type":"BadRequest","code":"InvalidParameter","message":"x"}"#).error.status(), 400);
    assert_eq!(of(r#"{"code":429,"message":"x"}"#).outcome, Outcome::RateLimited { retry_after_ms: Some(7_000) });
    assert!(matches!(of(r#"{"code":"401"}"#).outcome, Outcome::InvalidCredential { .. }));
    assert!(matches!(of(r#""plain text""#).outcome, Outcome::Failure { .. }));
    assert!(matches!(of("{}").outcome, Outcome::Failure { .. }));
}
