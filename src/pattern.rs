//! Names with `*`, as aliases, lists of models and signs of failures hold them.
use wildcard::WildcardBuilder;

/// Whether a text fits a pattern, in which `*` stands for anything and `?` for one byte.
pub fn fits(pattern: &str, text: &str) -> bool {
    let pattern = WildcardBuilder::new(pattern.as_bytes()).without_escape().build();
    pattern.is_ok_and(|pattern| pattern.is_match(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_anything() {
        let fitting = [
            ("*", ""),
            ("*", "a"),
            ("a*", "a"),
            ("*-pro-*", "x-pro-y"),
            ("a**b", "axb"),
            ("a", "a"),
            ("深*", "深度"),
            (r"\*", r"\a"),
        ];
        for (pattern, text) in fitting {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a*", "b"), ("*a", "ab"), ("a", "A"), ("a", "ab"), ("a*b*", "acd")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
