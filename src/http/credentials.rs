//! The key that a caller presents: `Authorization: Bearer K`, bare `Authorization: K`, or `x-api-key: K` (T2).

/// The presented keys, most likely first. Either may be the valid one where both are there.
pub(super) fn presented(authorization: Option<&str>, x_api_key: Option<&str>) -> Vec<String> {
    let bearer = authorization.map(|value| match value.trim().split_once(char::is_whitespace) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => value.trim(),
    });
    let mut keys: Vec<String> = bearer.into_iter().chain(x_api_key.map(str::trim)).map(str::to_owned).collect();
    keys.retain(|key| !key.is_empty());
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::presented;

    #[test]
    fn reads_every_form() {
        assert_eq!(presented(Some("Bearer k"), None), ["k"]);
        assert_eq!(presented(Some(" bEARER   k "), None), ["k"]);
        assert_eq!(presented(Some("k"), None), ["k"]);
        assert_eq!(presented(None, Some(" k ")), ["k"]);
        assert_eq!(presented(Some("Bearer a"), Some("b")), ["a", "b"]);
        assert_eq!(presented(Some("Bearer a"), Some("a")), ["a"]);
        assert!(presented(Some(""), Some(" ")).is_empty());
        assert!(presented(None, None).is_empty());
    }
}
