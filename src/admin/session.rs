//! The operator's password and session: a JWT (RFC 7519, HS256) of 24 hours.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use worker::{Date, Env};

use super::{AdminCall, AdminReply, stats};
use crate::chat::{ChatError, ErrorKind};
use crate::config::{LoginAttempt, Vault, source};
use crate::json;

/// The shortest `ADMIN_KEY` outside local development, in characters.
const PASSWORD_MIN: usize = 12;
const SESSION_S: u64 = 86_400;
/// The length of a session's name.
const NAME_CHARS: usize = 8;
/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// The operator's password.
///
/// # Errors
/// `NotConfigured` where there is none, or a weak one outside local development.
pub(super) fn password(env: &Env, local: bool) -> Result<String, ChatError> {
    let password = source::variable(env, "ADMIN_KEY").unwrap_or_default();
    let message = match password.chars().count() {
        0 => "ADMIN_KEY is not set. Set it with `npx wrangler secret put ADMIN_KEY`.".to_owned(),
        length if length < PASSWORD_MIN && !local => {
            format!(
                "ADMIN_KEY is too weak: use at least {PASSWORD_MIN} characters (`npx wrangler secret put ADMIN_KEY`)."
            )
        }
        _ => return Ok(password),
    };
    Err(ChatError::new(ErrorKind::NotConfigured, message))
}

/// Compares passwords and gives a session.
pub(super) async fn login(call: &AdminCall<'_>, env: &Env, password: &str) -> Result<AdminReply, ChatError> {
    let body = call.object()?;
    let presented = body.get("key").and_then(Value::as_str);
    let presented = presented.ok_or_else(|| ChatError::field("key", "`key` is required: the operator's password."))?;
    let vault = source::vault(env)?;
    // Hashes have one length, so that the comparison tells nothing of the password's.
    let ok = vault.hash_key(presented).as_bytes().ct_eq(vault.hash_key(password).as_bytes()).into();
    let verdict = source::count_login(env, &LoginAttempt { address: call.actor(), ok }).await?;
    let refused = match verdict.wait_ms {
        Some(wait_ms) => {
            let message = "Too many wrong passwords from this address. Please wait.";
            Some(("throttled", ChatError::new(ErrorKind::RateLimited, message).retry_after(wait_ms)))
        }
        None if !ok => Some(("wrong_password", ChatError::new(ErrorKind::InvalidKey, "Wrong password."))),
        None => None,
    };
    if let Some((outcome, error)) = refused {
        if let Some(unnoted) = verdict.unnoted {
            stats::note_refused(call, env, outcome, unnoted);
        }
        return Err(error);
    }
    let token = issue(&vault, password, now_s());
    Ok(AdminReply::ok(json!({"success": true, "token": token, "expires_in": SESSION_S})))
}

/// Checks the session of a request.
pub(super) fn check(call: &AdminCall<'_>, vault: &Vault, password: &str) -> Result<(), ChatError> {
    let message = match call.bearer.map(|token| verify(vault, password, token, now_s())) {
        Some(true) => return Ok(()),
        Some(false) => "The session is not valid or has ended. Log in at POST /admin/login.",
        None => "Log in at POST /admin/login, then send `Authorization: Bearer <token>`.",
    };
    Err(ChatError::new(ErrorKind::InvalidKey, message))
}

/// What a session is called in the log: nothing of its token can be read from it.
pub(super) fn name(vault: &Vault, token: &str) -> Option<String> {
    vault.hash_key(token).get(..NAME_CHARS).map(str::to_owned)
}

fn issue(vault: &Vault, password: &str, now_s: u64) -> String {
    let claims = json!({"sub": "admin", "iat": now_s, "exp": now_s.saturating_add(SESSION_S)});
    let signed = format!("{HEADER}.{}", BASE64URL.encode(claims.to_string()));
    let signature = BASE64URL.encode(vault.sign_session(password, &signed));
    format!("{signed}.{signature}")
}

fn verify(vault: &Vault, password: &str, token: &str, now_s: u64) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let Some(claims) = signed.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('.')) else { return false };
    let Ok(signature) = BASE64URL.decode(signature) else { return false };
    let expected = vault.sign_session(password, signed);
    let claims = BASE64URL.decode(claims).ok().and_then(|claims| json::parse(claims).ok());
    let ends = claims.and_then(|claims| claims.get("exp").and_then(Value::as_u64));
    bool::from(signature.ct_eq(&expected)) && ends.is_some_and(|ends| ends > now_s)
}

fn now_s() -> u64 {
    Date::now().as_millis() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_good_for_a_day_and_for_one_password() {
        let vault = Vault::new("0123456789abcdef0123456789abcdef").unwrap();
        let token = issue(&vault, "password", 1_000);
        assert!(verify(&vault, "password", &token, 1_000));
        assert!(verify(&vault, "password", &token, 1_000 + SESSION_S - 1));
        assert!(!verify(&vault, "password", &token, 1_000 + SESSION_S), "ended");
        assert!(!verify(&vault, "changed", &token, 1_000), "the password was changed");
        let other = Vault::new("another master key of enough length").unwrap();
        assert!(!verify(&other, "password", &token, 1_000));
    }

    #[test]
    fn a_token_that_was_touched_is_refused() {
        let vault = Vault::new("0123456789abcdef0123456789abcdef").unwrap();
        let token = issue(&vault, "password", 1_000);
        let none = BASE64URL.encode(r#"{"alg":"none"}"#);
        let claims = token.split('.').nth(1).unwrap();
        for forged in ["", "a.b.c", &token[1..], &token[..token.len() - 2], &format!("{none}.{claims}.")] {
            assert!(!verify(&vault, "password", forged, 1_000), "{forged}");
        }
        for index in 0..token.len() - 1 {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
            assert!(!verify(&vault, "password", &String::from_utf8(bytes).unwrap(), 1_000), "byte {index}");
        }
    }
}
