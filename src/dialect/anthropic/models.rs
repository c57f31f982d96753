//! Anthropic's pages of the models list (api-conformance A46).
use serde_json::Value;

use crate::dialect::openai::models;

/// How many entries a page has where the caller does not say.
const PAGE: usize = 20;
const PAGE_MAX: usize = 1_000;

/// One page of `(id, owner)`, as the query asks: `limit`, `after_id`, `before_id`.
pub fn page(all: &[(String, String)], query: &[(String, String)]) -> Value {
    let asked = |name: &str| query.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let at = |id: &str| all.iter().position(|(known, _)| known == id);
    let limit = asked("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let (page, has_more) = match (asked("after_id").and_then(at), asked("before_id").and_then(at)) {
        (None, Some(before)) => {
            let from = before.saturating_sub(limit);
            (all.get(from..before), from > 0)
        }
        (after, _) => {
            let from = after.map_or(0, |at| at.saturating_add(1));
            let to = from.saturating_add(limit).min(all.len());
            (all.get(from..to), to < all.len())
        }
    };
    let mut list = models::list(page.unwrap_or_default());
    if let Some(fields) = list.as_object_mut() {
        fields.insert("has_more".to_owned(), has_more.into());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_forward_and_back() {
        let all: Vec<(String, String)> = "abcde".chars().map(|id| (id.to_string(), "x".to_owned())).collect();
        let ids = |query: &[(&str, &str)]| {
            let query: Vec<(String, String)> = query.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
            let page = page(&all, &query);
            let ids = page["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned());
            (ids.collect::<String>(), page["has_more"].as_bool().unwrap(), page["last_id"].clone())
        };
        assert_eq!(ids(&[]), ("abcde".into(), false, "e".into()));
        assert_eq!(ids(&[("limit", "2")]), ("ab".into(), true, "b".into()));
        assert_eq!(ids(&[("limit", "2"), ("after_id", "b")]), ("cd".into(), true, "d".into()));
        assert_eq!(ids(&[("limit", "2"), ("after_id", "d")]), ("e".into(), false, "e".into()));
        assert_eq!(ids(&[("limit", "2"), ("after_id", "e")]), (String::new(), false, Value::Null));
        assert_eq!(ids(&[("limit", "2"), ("before_id", "d")]), ("bc".into(), true, "c".into()));
        assert_eq!(ids(&[("limit", "9"), ("before_id", "c")]), ("ab".into(), false, "b".into()));
        assert_eq!(ids(&[("limit", "nonsense"), ("after_id", "zz")]), ("abcde".into(), false, "e".into()));
    }
}
