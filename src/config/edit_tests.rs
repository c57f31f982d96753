//! One change at a time.
use serde_json::json;

use super::super::read::tests::{example, read, vault};
use super::*;

fn change(stored: &Document, change: Change) -> Result<(Document, Value), ChatError> {
    apply(&Reader { vault: &vault(), stored, is_timezone: &|_| true }, change)
}

#[test]
fn adds_patches_and_deletes_one_item_and_leaves_the_rest() {
    let stored = read(example()).unwrap();
    let item = json!({"id": "new", "upstream": "ark", "api_key": "secret"});
    let (added, shown) = change(&stored, Change::Add { list: List::Accounts, item }).unwrap();
    assert_eq!(shown["api_key"], "***");
    assert_eq!(added.accounts[..4], stored.accounts);

    let fields = json!({"limits": {"rpm": 5}, "enabled": false});
    let (patched, _) = change(&added, Change::Patch { list: List::Accounts, id: "new".into(), fields }).unwrap();
    assert_eq!((patched.accounts[4].limits.rpm, patched.accounts[4].enabled), (Some(5), false));
    assert_eq!(patched.accounts[4].sealed, added.accounts[4].sealed);
    let fields = json!({"limits": {"rpm": null}});
    let (patched, _) = change(&patched, Change::Patch { list: List::Accounts, id: "new".into(), fields }).unwrap();
    assert_eq!(patched.accounts[4].limits.rpm, None);

    let (deleted, _) = change(&added, Change::Delete { list: List::Accounts, id: "new".into() }).unwrap();
    assert_eq!(deleted, stored);
}

#[test]
fn merges_by_top_level_field_or_replaces_all() {
    let stored = read(example()).unwrap();
    let part = json!({"aliases": {"a": "b"}});
    let (merged, _) = change(&stored, Change::Merge { document: part.clone() }).unwrap();
    assert_eq!((merged.aliases.len(), &merged.accounts), (1, &stored.accounts));
    assert_eq!(merged.aliases["a"], "b");
    let (replaced, _) = change(&stored, Change::Replace { document: part }).unwrap();
    assert!(replaced.accounts.is_empty() && replaced.keys.is_empty());
}

#[test]
fn says_what_is_wrong_below_the_item() {
    let stored = read(example()).unwrap();
    let error = |what: Change| change(&stored, what).unwrap_err();
    let item = json!({"upstream": "ark", "api_key": "k", "limits": {"rpm": -5}});
    assert_eq!(error(Change::Add { list: List::Accounts, item }).param.as_deref(), Some("limits.rpm"));
    let gone = Change::Patch { list: List::Keys, id: "nobody".into(), fields: json!({}) };
    assert_eq!(error(gone).kind, ErrorKind::NotFound);
    assert_eq!(error(Change::Delete { list: List::Upstreams, id: "nobody".into() }).kind, ErrorKind::NotFound);
    assert_eq!(error(Change::Merge { document: json!([]) }).kind, ErrorKind::InvalidRequest);
}

#[test]
fn an_upstream_with_accounts_stays() {
    let document = json!({
        "upstreams": [{"id": "u", "kind": "openai", "base_url": "https://x"}],
        "accounts": [{"upstream": "u", "api_key": "k"}],
    });
    let stored = read(document).unwrap();
    let error = change(&stored, Change::Delete { list: List::Upstreams, id: "u".into() }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
}
