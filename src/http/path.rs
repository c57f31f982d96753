//! Which route a path names. `//`, a trailing slash and percent-encoded segments are accepted (api-conformance T3).
use crate::chat::{ChatError, Endpoint, ErrorKind};

/// A route of contract §2 and §4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `GET /health`, `/healthz`, and `/` and `/api/hello` for clients that probe.
    Health,
    /// A call that carries a model.
    Call(Endpoint),
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model(String),
    /// `GET /v1/status`
    Status,
    /// `/admin/…`: the segments below it.
    Admin(Vec<String>),
}

impl Route {
    /// Finds the route and checks the method; `HEAD` goes where `GET` goes.
    ///
    /// # Errors
    /// `UnknownUrl`; `MethodNotAllowed` with the allowed methods in `param`.
    pub(super) fn find(method: &str, path: &str) -> Result<Route, ChatError> {
        let segments: Vec<String> = path.split('/').filter(|segment| !segment.is_empty()).map(percent_decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (route, allowed) = match segments.as_slice() {
            [] | ["health" | "healthz"] | ["api", "hello"] => (Route::Health, "GET"),
            ["v1", "chat", "completions"] | ["chat", "completions"] => (Route::Call(Endpoint::Chat), "POST"),
            ["v1", "completions"] => (Route::Call(Endpoint::Completions), "POST"),
            ["v1", "embeddings"] => (Route::Call(Endpoint::Embeddings), "POST"),
            ["v1", "moderations"] => (Route::Call(Endpoint::Moderations), "POST"),
            ["v1", "models"] => (Route::Models, "GET"),
            ["v1", "models", id @ ..] => (Route::Model(id.join("/")), "GET"),
            ["v1", "status"] => (Route::Status, "GET"),
            ["admin", rest @ ..] => return Ok(Route::Admin(rest.iter().map(|&part| part.to_owned()).collect())),
            _ => return Err(ChatError::new(ErrorKind::UnknownUrl, format!("Unknown request URL: {method} {path}."))),
        };
        let asked = if method == "HEAD" { "GET" } else { method };
        if asked == allowed {
            return Ok(route);
        }
        let message = format!("Not allowed: {method} {path}. Use {allowed}.");
        Err(ChatError { param: Some(allowed.to_owned()), ..ChatError::new(ErrorKind::MethodNotAllowed, message) })
    }
}

fn percent_decode(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_route() {
        for (method, path, route) in [
            ("GET", "/", Route::Health),
            ("HEAD", "/healthz/", Route::Health),
            ("POST", "/v1/chat/completions", Route::Call(Endpoint::Chat)),
            ("POST", "//chat//completions/", Route::Call(Endpoint::Chat)),
            ("POST", "/v1/embeddings", Route::Call(Endpoint::Embeddings)),
            ("GET", "/v1/models/vendor%2Fmodel", Route::Model("vendor/model".into())),
            ("GET", "/v1/models/vendor/model", Route::Model("vendor/model".into())),
            ("PATCH", "/admin/keys/a%20b", Route::Admin(vec!["keys".into(), "a b".into()])),
        ] {
            assert_eq!(Route::find(method, path), Ok(route), "{method} {path}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        assert_eq!(Route::find("GET", "/v2").unwrap_err().kind, ErrorKind::UnknownUrl);
        let error = Route::find("GET", "/v1/chat/completions").unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::MethodNotAllowed, Some("POST")));
    }
}
