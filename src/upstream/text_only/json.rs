//! Lets the first JSON value of a text through and nothing else: no fence, no prose (api-conformance C12).
use crate::json;

/// Watches one answer's text.
#[derive(Debug, Default)]
pub(super) struct Json {
    /// A list is no answer: it may be a word in brackets before the object.
    object_only: bool,
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
    /// The value so far, for a check once it is whole.
    value: String,
}

impl Json {
    /// A watch that waits for an object, or for a list too.
    pub(super) fn new(object_only: bool) -> Json {
        Json { object_only, ..Json::default() }
    }

    /// The part of a text that belongs to the value.
    pub(super) fn push(&mut self, text: &str) -> String {
        let mut out = String::new();
        for character in text.chars() {
            if self.begun && self.depth == 0 {
                break;
            }
            let in_string = self.in_string;
            match character {
                _ if in_string && self.escaped => self.escaped = false,
                '\\' if in_string => self.escaped = true,
                '"' if self.begun => self.in_string = !in_string,
                '[' if !self.begun && self.object_only => {}
                '{' | '[' if !in_string => {
                    self.begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                '}' | ']' if !in_string && self.begun => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.begun {
                out.push(character);
            }
        }
        self.value.push_str(&out);
        out
    }

    /// The whole value; `None` where there was none, or it broke off.
    pub(super) fn value(&self) -> Option<serde_json::Value> {
        json::parse(&self.value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_in_fences_and_prose() {
        for (text, value) in [
            ("{\"a\":1}", "{\"a\":1}"),
            ("Sure:\n```json\n{\"a\": [1, {}]}\n```\nDone {x}", "{\"a\": [1, {}]}"),
            ("[\"}\\\"]\", 2] tail", "[\"}\\\"]\", 2]"),
            ("no value", ""),
        ] {
            for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let mut json = Json::default();
                let (left, right) = text.split_at(at);
                let out = json.push(left) + &json.push(right);
                assert_eq!(out, value, "{text}");
                assert_eq!(json.value().is_some(), !value.is_empty());
            }
        }
        let mut object = Json::new(true);
        assert_eq!(object.push("As [asked]: {\"a\": [1]} [2]"), "{\"a\": [1]}");
        let mut broken = Json::default();
        broken.push("{\"a\":");
        assert_eq!(broken.value(), None);
    }
}
