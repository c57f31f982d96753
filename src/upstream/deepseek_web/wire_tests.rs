use super::*;

fn read(status: u16, body: &str) -> Result<Value, Trouble> {
    Reply { status, body: body.as_bytes().to_vec(), ..Reply::default() }.read()
}

fn biz(code: i64, message: &str, data: &str) -> Result<Value, Trouble> {
    let body = format!(r#"{{"code":0,"msg":"","data":{{"biz_code":{code},"biz_msg":"{message}","biz_data":{data}}}}}"#);
    read(200, &body)
}

#[test]
fn reads_what_went_well() {
    assert_eq!(biz(0, "", r#"{"id":"x"}"#), Ok(json!({"id": "x"})));
    assert_eq!(biz(0, "", "null"), Ok(Value::Null));
}

#[test]
fn tells_every_trouble_apart() {
    let code = |code: i64, message: &str| read(200, &format!(r#"{{"code":{code},"msg":"{message}","data":null}}"#));
    for (answer, trouble) in [
        (code(40001, ""), Trouble::Token),
        (code(40002, "Missing Token"), Trouble::Token),
        (code(40003, "Authorization Failed (invalid token)"), Trouble::Token),
        (code(40300, "MISSING_HEADER"), Trouble::Work),
        (code(40301, "INVALID_POW_RESPONSE"), Trouble::Work),
        (code(1001, ""), Trouble::Busy),
        (biz(2, "PASSWORD_OR_USER_NAME_IS_WRONG", "null"), Trouble::Password),
        (biz(2, "RECAPTCHA_VERIFY_FAILED", "null"), Trouble::Captcha),
        (biz(10, "USER_IS_BANNED", "null"), Trouble::Banned),
        (biz(11, "RISK_DEVICE_DETECTED", "null"), Trouble::Device),
        (
            biz(5, "user is muted", r#"{"is_muted":1,"mute_until":1790352000.0}"#),
            Trouble::Muted { until_ms: Some(1_790_352_000_000) },
        ),
        (biz(5, "EMPTY_CHAT_SESSION", "null"), Trouble::Other("EMPTY_CHAT_SESSION".into())),
        (biz(7, "rate limit reached", "null"), Trouble::Limited { retry_after_ms: None }),
        (read(429, r#"{"code":0}"#), Trouble::Limited { retry_after_ms: None }),
        (read(429, ""), Trouble::Limited { retry_after_ms: None }),
        (read(401, ""), Trouble::Token),
        (read(401, r#"{"code":0}"#), Trouble::Token),
        (read(202, ""), Trouble::Firewall),
        (read(405, "<html>"), Trouble::Firewall),
        (read(403, "<html>"), Trouble::Firewall),
        (read(200, "<!doctype html>"), Trouble::Firewall),
        (biz(1, "ILLEGAL_CHAT_SESSION_ID", "null"), Trouble::Gone),
        (read(422, r#"{"detail":[{"loc":"body.prompt"}]}"#), Trouble::Other(r#"[{"loc":"body.prompt"}]"#.into())),
        (read(502, "<html>"), Trouble::Other("status 502".into())),
    ] {
        assert_eq!(answer, Err(trouble));
    }
}

#[test]
fn an_account_in_trouble_is_parked_with_a_cause_and_the_caller_told() {
    let outcome = |trouble: Trouble| trouble.failure(1_000).outcome;
    assert_eq!(
        outcome(Trouble::Muted { until_ms: Some(9) }),
        Outcome::Parked { cause: "muted by DeepSeek".into(), until_ms: Some(9) }
    );
    assert_eq!(outcome(Trouble::Banned), Outcome::Parked { cause: "banned by DeepSeek".into(), until_ms: None });
    assert!(matches!(outcome(Trouble::Firewall), Outcome::Parked { until_ms: Some(601_000), .. }));
    assert!(matches!(outcome(Trouble::Password), Outcome::InvalidCredential { .. }));
    assert!(matches!(outcome(Trouble::Device), Outcome::NeedsLogin { .. }));
    assert_eq!(outcome(Trouble::TooLong), Outcome::CallerError);
    let muted = Trouble::Muted { until_ms: None }.failure(0);
    assert_eq!((muted.error.status(), muted.retry), (503, true));
    assert!(muted.error.message.contains("muted"));
    assert!(!Trouble::TooLong.failure(0).retry);
}

#[test]
fn logs_in_with_either_name() {
    let settings = DeepseekWeb::default();
    let by_mobile = login(&settings, None, Some("+86 138-0000-0000"), "p");
    assert_eq!((by_mobile["mobile"].as_str(), by_mobile["area_code"].as_str()), (Some("13800000000"), Some("+86")));
    let by_email = login(&settings, Some("a@b.c"), None, "p");
    assert_eq!((by_email["email"].as_str(), by_email["mobile"].as_str()), (Some("a@b.c"), Some("")));
    assert_eq!(by_email["os"], "android");
    assert_eq!(token(&json!({"user": {"token": "t", "chat": {"is_muted": 0}}})), Ok("t".into()));
    assert_eq!(
        token(&json!({"user": {"token": "t", "chat": {"is_muted": 1, "mute_until": 2.5}}})),
        Err(Trouble::Muted { until_ms: Some(2_500) })
    );
    assert!(token(&json!({"user": {"token": ""}})).is_err());
}

#[test]
fn a_conversation_in_both_shapes() {
    assert_eq!(conversation(&json!({"id": "a"})).as_deref(), Some("a"));
    assert_eq!(conversation(&json!({"chat_session": {"id": "b"}, "ttl_seconds": 1})).as_deref(), Some("b"));
    assert_eq!(conversation(&json!({})), None);
}
