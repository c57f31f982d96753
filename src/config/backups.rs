//! What differs between two versions of the document.
use serde_json::{Value, json};

use super::document::{Document, MASK};

/// The lists whose items are told apart by their id.
const LISTS: [&str; 3] = ["keys", "upstreams", "accounts"];

/// Every difference as `{"path": ["accounts", "a1", "limits", "rpm"], "from", "to"}`, without `from` where something is
/// new and without `to` where it is gone. Secrets are masked; that one was entered anew is told.
pub(super) fn differences(from: &Document, to: &Document) -> Vec<Value> {
    let mut found = Vec::new();
    compare(&by_id(from), &by_id(to), &mut Vec::new(), &mut found);
    let secret = |path: [&str; 3]| json!({"path": path, "from": MASK, "to": MASK});
    for account in &from.accounts {
        let same = to.accounts.iter().find(|other| other.id == account.id);
        if same.is_some_and(|other| other.sealed != account.sealed) {
            found.push(secret(["accounts", &account.id, "secrets"]));
        }
    }
    for key in &from.keys {
        if to.keys.iter().any(|other| other.id == key.id && other.hash != key.hash) {
            found.push(secret(["keys", &key.id, "key"]));
        }
    }
    found
}

/// The masked document with its lists as objects.
fn by_id(document: &Document) -> Value {
    let mut document = document.masked();
    for list in LISTS {
        let Some(items) = document.get_mut(list) else { continue };
        let named = items.as_array_mut().into_iter().flatten().map(|item| {
            let item = item.take();
            (item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(), item)
        });
        *items = Value::Object(named.collect());
    }
    document
}

fn compare<'a>(from: &'a Value, to: &'a Value, path: &mut Vec<&'a str>, found: &mut Vec<Value>) {
    let (Some(before), Some(after)) = (from.as_object(), to.as_object()) else {
        if from != to {
            found.push(json!({"path": path, "from": from, "to": to}));
        }
        return;
    };
    for (name, value) in before {
        path.push(name);
        match after.get(name) {
            Some(other) => compare(value, other, path, found),
            None => found.push(json!({"path": path, "from": value})),
        }
        path.pop();
    }
    for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        path.push(name);
        found.push(json!({"path": path, "to": value}));
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::{example, read, read_over};
    use super::*;

    #[test]
    fn names_what_is_new_gone_and_different_and_shows_no_secret() {
        let from = read(example()).unwrap();
        let mut edited = from.masked();
        edited["accounts"][0]["limits"]["rpm"] = json!(20);
        edited["accounts"][1]["api_key"] = json!("another-secret");
        edited["accounts"].as_array_mut().unwrap().remove(2);
        edited["aliases"] = json!({"gpt-4o": "deepseek-reasoner", "o3": "deepseek-reasoner"});
        let to = read_over(&from, edited).unwrap();
        assert_eq!(differences(&from, &from), [json!(null); 0]);
        let found = differences(&from, &to);
        let gone = from.masked()["accounts"][2].clone();
        assert_eq!(
            found,
            [
                json!({"path": ["accounts", "a1", "limits", "rpm"], "from": 10, "to": 20}),
                json!({"path": ["accounts", "you@example.com"], "from": gone}),
                json!({"path": ["aliases", "gpt-4o"], "from": "deepseek-chat", "to": "deepseek-reasoner"}),
                json!({"path": ["aliases", "o3"], "to": "deepseek-reasoner"}),
                json!({"path": ["accounts", "ark-1", "secrets"], "from": "***", "to": "***"}),
            ]
        );
        assert!(!json!(found).to_string().contains("another-secret"));
    }
}
