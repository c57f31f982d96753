//! Both ways against serde_json's own.
use std::collections::BTreeMap;
use std::result::Result;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Everything {
    yes: bool,
    small: u8,
    signed: i64,
    float: f64,
    text: String,
    maybe: Option<u64>,
    #[serde(default)]
    list: Vec<Kind>,
    map: BTreeMap<String, (u64, String)>,
    inner: Option<Box<Everything>>,
    any: Value,
    result: Result<(), String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Unit,
    One(Wrapped),
    Two(u64, bool),
    Fields { text: String },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(i32);

fn everything() -> Value {
    let mut value = json!({
        "yes": true, "small": 255, "signed": -1, "float": 2, "text": "t\n", "maybe": null,
        "list": ["unit", {"one": -3}, {"two": [1, false]}, {"fields": {"text": "x"}}],
        "map": {"a": [1, "b"]}, "any": [null, 1.5, {"x": "y"}], "result": {"Err": "e"},
    });
    value["inner"] = value.clone();
    value
}

type Outcome = Result<Everything, String>;

fn of_tree(value: &Value) -> [Outcome; 2] {
    [read_value(value), Everything::deserialize(value)].map(|read| read.map_err(|error| error.to_string()))
}

fn of_text(value: &Value) -> [Outcome; 2] {
    let text = value.to_string();
    [scan(text.as_bytes()), serde_json::from_slice(text.as_bytes())].map(|read| read.map_err(|error| error.to_string()))
}

#[test]
fn reads_every_kind() {
    for [ours, known] in [of_tree(&everything()), of_text(&everything())] {
        assert_eq!(ours.as_ref().unwrap().list.len(), 4);
        assert_eq!(ours, known);
    }
}

#[test]
fn borrows_from_the_text() {
    #[derive(Deserialize)]
    struct Call<'a> {
        #[serde(borrow)]
        arguments: &'a RawValue,
    }
    let text = br#"{"calls": [{"arguments": {"a" : 1}, "more": [{}]}]}"#;
    let calls: BTreeMap<&str, Vec<Call>> = scan(text).unwrap();
    assert_eq!(calls["calls"][0].arguments.get(), r#"{"a" : 1}"#);
    assert!(scan::<BTreeMap<&str, Vec<Call>>>(&[text.as_slice(), b"{"].concat()).is_err(), "something follows");
}

#[test]
fn a_struct_is_no_list() {
    let list = r#"[true, 1, 2, 3, "t", null, [], {}, null, null, {"Ok": null}]"#;
    assert!(serde_json::from_str::<Everything>(list).is_ok());
    for error in [read::<Everything>(list).unwrap_err(), scan::<Everything>(list.as_bytes()).unwrap_err()] {
        assert!(error.to_string().starts_with("invalid type: sequence, expected struct Everything"), "{error}");
    }
}

#[test]
fn an_unknown_field_is_named() {
    let mut value = everything();
    value["inner"]["more"] = json!(1);
    for [ours, known] in [of_tree(&value), of_text(&value)] {
        assert!(ours.as_ref().unwrap_err().starts_with("unknown field `more`"), "{ours:?}");
        assert_eq!(ours, known);
    }
}

fn wrong() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(false),
        json!(-5),
        json!(300),
        json!(1.5),
        json!("unit"),
        json!([{"one": "x"}]),
        json!([{"unit": 1}]),
        json!([{"a": 1, "b": 2}]),
        json!([{"fields": {}}]),
        json!({}),
        json!({"Ok": null}),
        json!({"a": [1]}),
        json!({"a": ["1", "b"]}),
    ])
}

proptest! {
    /// A field is missing or wrong, outside or inside.
    #[test]
    fn says_what_serde_json_says(
        field in prop::sample::select(everything()["inner"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()),
        wrong in prop::option::of(wrong()),
        is_inner: bool,
    ) {
        let mut value = everything();
        let place = if is_inner { &mut value["inner"] } else { &mut value };
        let fields = place.as_object_mut().unwrap();
        fields.shift_remove(&field);
        fields.extend(wrong.map(|wrong| (field, wrong)));
        for [ours, known] in [of_tree(&value), of_text(&value)] {
            prop_assert_eq!(ours, known, "{}", value);
        }
    }
}
