//! Arguments against their JSON schema: the part of it that tools use. What it does not know, it lets pass.
use std::cell::Cell;

use serde_json::{Map, Value};

/// How deep schemas and values are followed.
const DEPTH_MAX: usize = 32;
/// How many pieces of a value are held against a piece of a schema; alternatives that refer to themselves have no end.
const CHECKS_MAX: u32 = 200_000;

/// What of `value` does not fit `schema`, with its path; `None` where it fits.
pub fn misfit(schema: &Value, value: &Value) -> Option<String> {
    Checker { root: schema, left: Cell::new(CHECKS_MAX) }.check(schema, value, "$", DEPTH_MAX)
}

/// `value` brought closer to `schema` where models commonly err: a number as text, JSON as text, one for a list of one.
pub(super) fn coerced(schema: &Value, value: Value) -> Value {
    coerce(schema, schema, value, DEPTH_MAX)
}

/// Whether what reads as `value` was meant as a text: the parameter `name` takes texts, and nothing that it could be else.
pub(super) fn means_text(schema: &Value, name: &str, value: &Value) -> bool {
    let Some(parameter) = schema.get("properties").and_then(|properties| properties.get(name)) else { return false };
    let types = types(meant(schema, resolved(schema, parameter), value));
    !value.is_null() && types.contains(&"string") && !types.iter().any(|name| is_a(value, name))
}

fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let next = |schema: &&'a Value| {
        let pointer = schema.get("$ref").and_then(Value::as_str)?.strip_prefix('#')?;
        root.pointer(pointer)
    };
    std::iter::successors(Some(schema), next).take(DEPTH_MAX).last().unwrap_or(schema)
}

/// The one of a schema's alternatives that `value` is meant for; the schema itself where it has none.
fn meant<'a>(root: &'a Value, schema: &'a Value, value: &Value) -> &'a Value {
    if schema.get("type").is_some() || schema.get("properties").is_some() {
        return schema;
    }
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|word| schema.get(word)?.as_array());
    let alternatives: Vec<&Value> = lists.flatten().map(|schema| resolved(root, schema)).collect();
    let suits = |types: &[&str], value: &Value| types.is_empty() || types.iter().any(|name| is_a(value, name));
    let as_it_is = alternatives.iter().find(|one| suits(&types(one), value));
    let brought_closer = || {
        alternatives.iter().find(|one| {
            let types = types(one);
            suits(&types, &converted(&types, value.clone()))
        })
    };
    as_it_is.or_else(brought_closer).copied().unwrap_or(schema)
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

struct Checker<'a> {
    root: &'a Value,
    left: Cell<u32>,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, path: &str, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        self.left.set(self.left.get().checked_sub(1)?);
        let schema = resolved(self.root, schema);
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|name| is_a(value, name)) {
            return Some(format!("`{path}` is not of type {}", types.join(" or ")));
        }
        if schema.get("enum").and_then(Value::as_array).is_some_and(|allowed| !allowed.contains(value))
            || schema.get("const").is_some_and(|only| only != value)
        {
            return Some(format!("`{path}` is none of the values that are allowed"));
        }
        let list = |word: &str| schema.get(word).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for part in list("allOf") {
            if let Some(what) = self.check(part, value, path, depth) {
                return Some(what);
            }
        }
        for word in ["anyOf", "oneOf"] {
            let fits = |part: &Value| self.check(part, value, path, depth).is_none();
            if !list(word).is_empty() && !list(word).iter().any(fits) {
                return Some(format!("`{path}` fits none of its alternatives"));
            }
        }
        let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
        let size = match value {
            Value::Number(number) => Some((number.as_f64()?, "minimum", "maximum")),
            Value::String(text) => Some((text.chars().count() as f64, "minLength", "maxLength")),
            Value::Array(items) => Some((items.len() as f64, "minItems", "maxItems")),
            _ => None,
        };
        if let Some((size, least, most)) = size
            && (bound(least).is_some_and(|least| size < least) || bound(most).is_some_and(|most| size > most))
        {
            return Some(format!("`{path}` is out of bounds"));
        }
        match value {
            Value::Array(items) => {
                let each = schema.get("items")?;
                let check = |(index, item)| self.check(each, item, &format!("{path}[{index}]"), depth);
                items.iter().enumerate().find_map(check)
            }
            Value::Object(fields) => self.check_fields(schema, fields, path, depth),
            _ => None,
        }
    }

    fn check_fields(&self, schema: &Value, fields: &Map<String, Value>, path: &str, depth: usize) -> Option<String> {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        if let Some(name) = required.filter_map(Value::as_str).find(|name| !fields.contains_key(*name)) {
            return Some(format!("`{path}.{name}` is missing"));
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        // Names by pattern are not known here.
        let others = schema.get("additionalProperties").filter(|_| schema.get("patternProperties").is_none());
        fields.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match (properties.and_then(|properties| properties.get(name)), others) {
                (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => self.check(schema, value, &path, depth),
                (None, Some(Value::Bool(false))) => Some(format!("`{path}` is not a parameter")),
                (None, _) => None,
            }
        })
    }
}

fn coerce(root: &Value, schema: &Value, value: Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return value };
    let schema = meant(root, resolved(root, schema), &value);
    let types = types(schema);
    let fits = types.is_empty() || types.iter().any(|name| is_a(&value, name));
    let value = if fits { value } else { converted(&types, value) };
    match value {
        Value::Object(fields) => {
            let properties = schema.get("properties");
            let field = |(name, value): (String, Value)| {
                let value = match properties.and_then(|properties| properties.get(&name)) {
                    Some(schema) => coerce(root, schema, value, depth),
                    None => value,
                };
                (name, value)
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        Value::Array(items) => match schema.get("items") {
            Some(each) => items.into_iter().map(|item| coerce(root, each, item, depth)).collect(),
            None => Value::Array(items),
        },
        value => value,
    }
}

fn converted(types: &[&str], value: Value) -> Value {
    if let Value::String(text) = &value
        && let Some(read) = super::json::read(text)
        && types.iter().any(|name| is_a(&read, name))
    {
        return read;
    }
    match value {
        value if types == ["array"] && !value.is_null() => Value::Array(vec![value]),
        Value::Number(_) | Value::Bool(_) | Value::Object(_) | Value::Array(_) if types.contains(&"string") => {
            value.to_string().into()
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn says_what_does_not_fit() {
        let schema = json!({
            "type": "object", "required": ["a"], "additionalProperties": false, "$defs": {"n": {"type": "integer", "minimum": 1}},
            "properties": {
                "a": {"type": ["string", "null"]}, "n": {"$ref": "#/$defs/n"}, "e": {"enum": ["x", "y"]},
                "l": {"type": "array", "items": {"type": "number"}, "maxItems": 2}, "u": {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
                "s": {"type": "string", "minLength": 2},
            },
        });
        assert_eq!(misfit(&schema, &json!({"a": null, "n": 3, "e": "x", "l": [1, 2.5], "u": true, "s": "你好"})), None);
        for (value, path) in [
            (json!({}), "$.a"),
            (json!({"a": 1}), "$.a"),
            (json!({"a": "", "n": 0}), "$.n"),
            (json!({"a": "", "n": 1.5}), "$.n"),
            (json!({"a": "", "e": "z"}), "$.e"),
            (json!({"a": "", "l": [1, "2"]}), "$.l[1]"),
            (json!({"a": "", "l": [1, 2, 3]}), "$.l"),
            (json!({"a": "", "u": 1}), "$.u"),
            (json!({"a": "", "s": "x"}), "$.s"),
            (json!({"a": "", "extra": 1}), "$.extra"),
            (json!([]), "$"),
        ] {
            let what = misfit(&schema, &value).unwrap_or_else(|| panic!("{value}"));
            assert!(what.starts_with(&format!("`{path}`")), "{value}: {what}");
        }
        let endless = json!({"$ref": "#"});
        assert_eq!(misfit(&endless, &json!({})), None);
    }

    #[test]
    fn a_schema_of_many_ways_does_not_take_for_ever() {
        let both = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "type": "object"});
        let all = json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]});
        assert_eq!(misfit(&all, &json!({})), None);
        assert_eq!(misfit(&both, &json!({})), None);
        let chain = json!({"$ref": "#/a", "a": {"$ref": "#/b"}, "b": {"type": "string"}});
        assert!(misfit(&chain, &json!(1)).is_some());
        let patterns = json!({"patternProperties": {"^x": {}}, "additionalProperties": false});
        assert_eq!(misfit(&patterns, &json!({"xy": 1})), None);
    }

    #[test]
    fn brings_closer_what_models_commonly_err_in() {
        let schema = |kind: Value| json!({"properties": {"x": kind}});
        for (kind, given, wanted) in [
            (json!({"type": "integer"}), json!("5"), json!(5)),
            (json!({"type": "boolean"}), json!("true"), json!(true)),
            (json!({"type": "string"}), json!(5), json!("5")),
            (json!({"type": "string"}), json!({"a": 1}), json!("{\"a\":1}")),
            (json!({"type": "object"}), json!("{\"a\":1,}"), json!({"a": 1})),
            (json!({"type": "array", "items": {"type": "number"}}), json!("7"), json!([7])),
            (json!({"type": "array"}), json!("x"), json!(["x"])),
            (json!({"type": "string"}), json!("5"), json!("5")),
            (json!({"type": "integer"}), json!("five"), json!("five")),
            (json!({}), json!("5"), json!("5")),
            // What Pydantic makes of an optional value.
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), json!("5"), json!(5)),
            (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), json!(5), json!("5")),
            (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), json!(null), json!(null)),
            (
                json!({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}),
                json!(["1"]),
                json!([1]),
            ),
            (json!({"anyOf": [{"type": "string"}, {}]}), json!(5), json!(5)),
            (
                json!({"type": "object", "properties": {"a": {"type": "integer"}}, "anyOf": [{"required": ["a"]}]}),
                json!({"a": "1"}),
                json!({"a": 1}),
            ),
        ] {
            assert_eq!(coerced(&schema(kind.clone()), json!({"x": given})), json!({"x": wanted}), "{kind}");
        }
    }
}
