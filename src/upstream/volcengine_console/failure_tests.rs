use serde_json::json;

use super::*;

fn context() -> Context {
    Context {
        settings: VolcengineConsole::default(),
        secrets: ["the-web-id-of-a".to_owned(), "the-authorization".to_owned()],
        own_authorization: true,
        status: 200,
        now_ms: 1_000,
        retry_after_ms: Some(7_000),
    }
}

fn envelope(code: &str, message: &str) -> Value {
    json!({
        "ResponseMetadata": {"Action": "Chat", "RequestId": "x", "Error": {"Code": code, "CodeN": 1_009_000, "Message": message}},
        "Result": null,
    })
}

fn of(status: u16, value: &Value) -> Failure {
    of_status(status, value.to_string().as_bytes(), &context())
}

fn kind(failure: &Failure) -> &'static str {
    match failure.outcome {
        Outcome::Parked { until_ms: Some(86_401_000), .. } => "rests",
        Outcome::Parked { until_ms: None, .. } => "parked",
        Outcome::RateLimited { retry_after_ms: Some(7_000) } => "limited",
        Outcome::InvalidCredential { .. } => "credential",
        Outcome::CallerError => "caller",
        Outcome::Failure { .. } => "failure",
        _ => "?",
    }
}

#[test]
fn by_code_and_status() {
    for (status, code, expected) in [
        (429, "QuotaExceeded", "rests"),
        (200, "QuotaExceeded", "rests"),
        (403, "AccessDenied", "rests"),
        (403, "Whatever", "rests"),
        (429, "Whatever", "limited"),
        (200, "FlowLimitExceeded", "limited"),
        (200, "EndpointRateLimitExceeded", "limited"),
        (429, "RateLimitExceeded.FoundationModelTPDExceeded", "limited"),
        (403, "ModelAccountRpmRateLimitExceeded", "limited"),
        (401, "NotLogin", "credential"),
        (200, "InvalidCSRFToken", "credential"),
        (403, "ReqTextExistRisk", "caller"),
        (200, "BFFPromptTextExistRisk", "caller"),
        (404, "InvalidEndpointOrModel.NotFound", "caller"),
        (400, "SomethingNew", "caller"),
        (429, "ServerOverloaded", "failure"),
        (404, "InvalidActionOrVersion", "failure"),
        (500, "InternalError", "failure"),
        (200, "SomethingNew", "failure"),
        (400, "ServiceOverdue", "parked"),
    ] {
        let failure = of(status, &envelope(code, "m"));
        assert_eq!(kind(&failure), expected, "{status} {code}: {failure:?}");
        assert_eq!(failure.retry, expected != "caller", "{status} {code}");
    }
}

#[test]
fn a_status_alone_says_enough() {
    for (status, body, expected) in [
        (401, "", "credential"),
        (403, "<html>", "rests"),
        (404, "404 page not found", "failure"),
        (400, "<html>", "failure"),
        (429, "{}", "limited"),
        (502, "", "failure"),
    ] {
        assert_eq!(kind(&of_status(status, body.as_bytes(), &context())), expected, "{status} {body}");
    }
}

#[test]
fn finds_an_error_wherever_it_stands() {
    let inner = json!({"error": {"code": "QuotaExceeded", "message": "used up"}});
    for value in [
        envelope("QuotaExceeded", "used up"),
        inner.clone(),
        json!({"Error": {"Code": "QuotaExceeded", "Message": "used up"}}),
        json!({"Result": inner.clone()}),
        envelope("InternalError", &inner.to_string()),
        envelope("InternalError", &envelope("QuotaExceeded", "used up").to_string()),
        json!({"error": inner.to_string()}),
    ] {
        let failure = of(200, &value);
        assert_eq!(kind(&failure), "rests", "{value}");
        assert_eq!(failure.error.message, "The console answered 200 QuotaExceeded: used up", "{value}");
    }
    for value in [
        json!({}),
        json!({"error": "", "Error": {}}),
        json!({"ResponseMetadata": {"RequestId": "x"}, "Result": {"error": null}}),
        json!([]),
        json!(1),
    ] {
        assert_eq!(Words::find(&value), None, "{value}");
    }
}

#[test]
fn goes_by_the_operators_own_patterns() {
    let mut context = context();
    context.settings.exhausted_on = vec!["*次数*".to_owned(), "418".to_owned()];
    context.settings.rest_s = 0;
    let of =
        |status, code: &str, message: &str| of_status(status, envelope(code, message).to_string().as_bytes(), &context);
    assert_eq!(kind(&of(200, "X", "体验次数已用完")), "parked");
    assert_eq!(kind(&of(418, "X", "")), "parked");
    assert_eq!(kind(&of(403, "X", "")), "credential");
    assert_eq!(kind(&of(200, "QuotaExceeded", "")), "failure");
}

#[test]
fn an_authorization_that_all_share_switches_no_id_off() {
    let shared = Context { own_authorization: false, ..context() };
    let failure = of_status(401, envelope("NotLogin", "").to_string().as_bytes(), &shared);
    let Outcome::Failure { cause } = &failure.outcome else { panic!("{failure:?}") };
    assert!(cause.starts_with("VOLCENGINE_AUTHORIZATION was refused"), "{cause}");
}

#[test]
fn no_secret_is_told() {
    for code in ["InternalError", "QuotaExceeded", "ReqTextExistRisk", "NotLogin", "the-authorization"] {
        for status in [200, 401, 404, 500] {
            let failure = of(status, &envelope(code, "no the-web-id-of-a with the-authorization"));
            let told = format!("{failure:?}");
            assert!(!told.contains("the-web-id-of-a") && !told.contains("the-authorization"), "{told}");
        }
    }
}
