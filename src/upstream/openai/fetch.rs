//! Sends a call to an OpenAI-format service. Redirects are not followed: a credential never goes to another host.
use js_sys::Uint8Array;
use worker::{AbortSignal, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response, Result};

/// How Weir names itself; the platform sends no `User-Agent` of its own.
const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

/// Posts `body` to `url` with `credential` as its bearer token, and answers once the response's headers are there.
///
/// # Errors
/// When the connection fails, or when `signal` aborts.
pub async fn post(url: &str, credential: &str, body: &[u8], stream: bool, signal: &AbortSignal) -> Result<Response> {
    let headers = Headers::new();
    headers.set("authorization", &format!("Bearer {credential}"))?;
    headers.set("content-type", "application/json")?;
    headers.set("accept", if stream { "text/event-stream" } else { "application/json" })?;
    headers.set("user-agent", USER_AGENT)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers).with_redirect(RequestRedirect::Manual);
    init.with_body(Some(Uint8Array::from(body).into()));
    Fetch::Request(Request::new_with_init(url, &init)?).send_with_signal(signal).await
}
