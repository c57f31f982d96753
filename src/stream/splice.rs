//! Replaces spans of a byte text and leaves every other byte as it is.
use std::ops::Range;

/// One replacement. An empty span inserts.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The bytes that go.
    pub span: Range<usize>,
    /// The bytes that come.
    pub with: Vec<u8>,
}

impl Edit {
    /// Replaces `span` by `with`.
    pub fn new(span: Range<usize>, with: impl Into<Vec<u8>>) -> Self {
        Edit { span, with: with.into() }
    }
}

/// Appends `source` to `out` with `edits` made. They must be apart: one that is not, or is not within `source`, is left out.
pub fn splice(source: &[u8], mut edits: Vec<Edit>, out: &mut Vec<u8>) {
    edits.sort_by_key(|edit| edit.span.start);
    let mut done = 0;
    for edit in edits {
        let Some(kept) = source.get(done..edit.span.start) else { continue };
        if edit.span.end > source.len() || edit.span.end < edit.span.start {
            continue;
        }
        out.extend_from_slice(kept);
        out.extend_from_slice(&edit.with);
        done = edit.span.end;
    }
    out.extend_from_slice(source.get(done..).unwrap_or_default());
}

/// The span of `part` in `whole`, where `part` is a slice of it.
pub fn span_of(whole: &[u8], part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(source: &str, edits: &[Edit]) -> String {
        let mut out = Vec::new();
        splice(source.as_bytes(), edits.to_vec(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replaces_inserts_and_keeps_the_rest() {
        assert_eq!(spliced("abcdef", &[Edit::new(2..4, "YYY"), Edit::new(0..0, "x")]), "xabYYYef");
        assert_eq!(spliced("abc", &[]), "abc");
        assert_eq!(spliced("abc", &[Edit::new(0..3, "")]), "");
    }

    #[test]
    fn leaves_out_an_edit_that_does_not_fit() {
        assert_eq!(spliced("abc", &[Edit::new(2..9, "x")]), "abc");
        assert_eq!(spliced("abc", &[Edit::new(1..3, "x"), Edit::new(0..2, "y")]), "yc");
    }

    #[test]
    fn finds_the_span_of_a_part_and_of_nothing_else() {
        let whole = String::from("hello world");
        assert_eq!(span_of(whole.as_bytes(), &whole[6..]), Some(6..11));
        assert_eq!(span_of(&whole.as_bytes()[..4], &whole[6..]), None);
    }
}
