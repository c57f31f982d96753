//! The models list: one body that OpenAI's and Anthropic's SDKs both accept (api-conformance M1, M2).
use serde_json::{Value, json};

/// When a model was made is not known to a gateway; strict clients need a date. 2025-01-01.
const CREATED: u64 = 1_735_689_600;
const CREATED_AT: &str = "2025-01-01T00:00:00Z";

/// One entry.
pub fn entry(id: &str, owned_by: &str) -> Value {
    json!({
        "id": id, "object": "model", "created": CREATED, "owned_by": owned_by,
        "type": "model", "display_name": id, "created_at": CREATED_AT,
    })
}

/// The whole list, of `(id, owner)`.
pub fn list(models: &[(String, String)]) -> Value {
    let data: Vec<Value> = models.iter().map(|(id, owner)| entry(id, owner)).collect();
    json!({
        "object": "list", "data": data, "has_more": false,
        "first_id": models.first().map(|(id, _)| id), "last_id": models.last().map(|(id, _)| id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_has_no_first_id() {
        assert_eq!(
            list(&[]),
            json!({"object": "list", "data": [], "has_more": false, "first_id": null, "last_id": null})
        );
    }
}
