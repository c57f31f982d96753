//! Which route a path names. `//`, a trailing slash and percent-encoded segments are accepted (api-conformance T3).
use std::borrow::Cow;

use crate::chat::{ChatError, Endpoint, ErrorKind};
use crate::dialect::Dialect;

/// A route of contract §2 and §4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `GET /health`, `/healthz`, and `/` and `/api/hello` for clients that probe.
    Health,
    /// A call that carries a model.
    Call(Dialect, Endpoint),
    /// `POST …/messages/count_tokens`
    CountTokens,
    /// `GET /v1/responses/{id}`
    Response(String),
    /// `DELETE /v1/responses/{id}`
    DeleteResponse(String),
    /// `GET /v1/responses`: a WebSocket is wanted.
    ResponseSocket,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model(String),
    /// `GET /v1/me`
    Me,
    /// `GET /v1/status`
    Status,
    /// `/admin/…`: the segments below it. `/api/webids…` too, as if it were below.
    Admin(Vec<String>),
}

/// A path in its segments.
pub(super) struct Path<'a> {
    written: &'a str,
    segments: Vec<Cow<'a, str>>,
}

impl<'a> Path<'a> {
    /// Reads `written`.
    pub(super) fn of(written: &'a str) -> Path<'a> {
        let segments = written.split('/').filter(|segment| !segment.is_empty());
        let decoded = segments.map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy());
        Path { written, segments: decoded.collect() }
    }

    /// The API that it belongs to, whether it leads anywhere or not. The models' path is of two APIs: who sends
    /// `anthropic-version` speaks Anthropic's.
    pub(super) fn dialect(&self, has_anthropic_version: bool) -> Dialect {
        match self.segments().as_slice() {
            ["anthropic", ..] | ["v1", "messages", ..] => Dialect::Anthropic,
            ["v1", "models", ..] if has_anthropic_version => Dialect::Anthropic,
            ["v1", "responses", ..] => Dialect::Responses,
            _ => Dialect::Openai,
        }
    }

    /// Whether it is the operator's, which no page of another origin may call.
    pub(super) fn is_operators(&self) -> bool {
        matches!(self.segments().as_slice(), ["admin", ..] | ["api", "webids", ..])
    }

    /// Finds the route and checks the method; `HEAD` goes where `GET` goes.
    ///
    /// # Errors
    /// `UnknownUrl`; `MethodNotAllowed` with the allowed methods in `param`.
    pub(super) fn route(&self, method: &str) -> Result<Route, ChatError> {
        let path = self.written;
        let segments = self.segments();
        let asked = if method == "HEAD" { "GET" } else { method };
        let chat = |dialect| Route::Call(dialect, Endpoint::Chat);
        let openai = |endpoint| Route::Call(Dialect::Openai, endpoint);
        let (route, allowed) = match segments.as_slice() {
            [] | ["health" | "healthz"] | ["api", "hello"] | ["anthropic"] | ["anthropic", "api", "hello"] => {
                (Route::Health, "GET")
            }
            ["v1", "chat", "completions"] | ["chat", "completions"] => (chat(Dialect::Openai), "POST"),
            ["v1", "completions"] => (openai(Endpoint::Completions), "POST"),
            ["v1", "embeddings"] => (openai(Endpoint::Embeddings), "POST"),
            ["v1", "moderations"] => (openai(Endpoint::Moderations), "POST"),
            ["v1", "responses"] if asked == "GET" => (Route::ResponseSocket, "GET"),
            ["v1", "responses"] => (chat(Dialect::Responses), "POST"),
            ["v1", "responses", id] if asked == "DELETE" => (Route::DeleteResponse((*id).to_owned()), "DELETE"),
            ["v1", "responses", id] if asked == "GET" => (Route::Response((*id).to_owned()), "GET"),
            // `compact` is a route of OpenAI's, and not one of these (R21).
            ["v1", "responses", id] if *id != "compact" => (Route::Response((*id).to_owned()), "GET, DELETE"),
            ["v1", "messages"] | ["anthropic", "v1", "messages"] => (chat(Dialect::Anthropic), "POST"),
            ["v1", "messages", "count_tokens"] | ["anthropic", "v1", "messages", "count_tokens"] => {
                (Route::CountTokens, "POST")
            }
            ["v1", "models"] | ["anthropic", "v1", "models"] => (Route::Models, "GET"),
            ["v1", "models", id @ ..] | ["anthropic", "v1", "models", id @ ..] => (Route::Model(id.join("/")), "GET"),
            ["v1", "me"] => (Route::Me, "GET"),
            ["v1", "status"] => (Route::Status, "GET"),
            ["admin", rest @ ..] => return Ok(Route::Admin(rest.iter().map(|&part| part.to_owned()).collect())),
            ["api", rest @ ..] if rest.first() == Some(&"webids") => {
                return Ok(Route::Admin(rest.iter().map(|&part| part.to_owned()).collect()));
            }
            _ => return Err(ChatError::new(ErrorKind::UnknownUrl, format!("Unknown request URL: {method} {path}."))),
        };
        if asked == allowed {
            return Ok(route);
        }
        let message = format!("Not allowed: {method} {path}. Use {allowed}.");
        Err(ChatError { param: Some(allowed.to_owned()), ..ChatError::new(ErrorKind::MethodNotAllowed, message) })
    }

    fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(AsRef::as_ref).collect()
    }
}

impl Route {
    /// What a client asks for; empty where it takes no key, or is the operator's.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Route::Health | Route::Admin(_) | Route::ResponseSocket => "",
            Route::Call(_, endpoint) => endpoint.path().trim_start_matches('/'),
            Route::CountTokens => "messages/count_tokens",
            Route::Response(_) | Route::DeleteResponse(_) => "responses",
            Route::Models | Route::Model(_) => "models",
            Route::Me => "me",
            Route::Status => "status",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_route() {
        for (method, path, route) in [
            ("GET", "/", Route::Health),
            ("HEAD", "/healthz/", Route::Health),
            ("POST", "/v1/chat/completions", Route::Call(Dialect::Openai, Endpoint::Chat)),
            ("POST", "//chat//completions/", Route::Call(Dialect::Openai, Endpoint::Chat)),
            ("POST", "/v1/embeddings", Route::Call(Dialect::Openai, Endpoint::Embeddings)),
            ("POST", "/v1/messages", Route::Call(Dialect::Anthropic, Endpoint::Chat)),
            ("POST", "/anthropic/v1/messages", Route::Call(Dialect::Anthropic, Endpoint::Chat)),
            ("POST", "/anthropic/v1/messages/count_tokens", Route::CountTokens),
            ("POST", "/v1/responses", Route::Call(Dialect::Responses, Endpoint::Chat)),
            ("GET", "/v1/responses", Route::ResponseSocket),
            ("DELETE", "/v1/responses/resp_1", Route::DeleteResponse("resp_1".into())),
            ("GET", "/v1/models/vendor%2Fmodel", Route::Model("vendor/model".into())),
            ("GET", "/v1/models/vendor/model", Route::Model("vendor/model".into())),
            ("PATCH", "/admin/keys/a%20b", Route::Admin(vec!["keys".into(), "a b".into()])),
            ("POST", "/api/webids/batch", Route::Admin(vec!["webids".into(), "batch".into()])),
        ] {
            assert_eq!(Path::of(path).route(method), Ok(route), "{method} {path}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        assert_eq!(Path::of("/v2").route("GET").unwrap_err().kind, ErrorKind::UnknownUrl);
        let error = Path::of("/v1/chat/completions").route("GET").unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::MethodNotAllowed, Some("POST")));
        assert_eq!(Path::of("/v1/responses/compact").route("POST").unwrap_err().kind, ErrorKind::UnknownUrl);
        let error = Path::of("/v1/responses/resp_1").route("PUT").unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::MethodNotAllowed, Some("GET, DELETE")));
    }
}
