//! Reads JSON into types where it is no matter of microseconds: calls between Weir's objects, what they store, the document.
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde_json::{Error, Map, Result, Value, map};

/// Reads a text by way of a tree of values: each type's code is half as large as where it reads the text itself.
///
/// # Errors
/// Where the text is no JSON, or of another shape.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    read_value(&serde_json::from_str(text)?)
}

/// Reads a tree of values, as `T::deserialize(value)` does. But a struct is read from an object only, and not from an
/// array as well, which is half of each struct's code.
///
/// # Errors
/// Where the tree has another shape, in the words that serde_json has for it.
pub fn read_value<T: DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(Tree(value))
}

#[cold]
#[inline(never)]
fn mismatch(value: &Value, expected: &dyn Expected) -> Error {
    let found = match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Unexpected::Unsigned(number),
            (None, Some(number)) => Unexpected::Signed(number),
            (None, None) => Unexpected::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    };
    Error::invalid_type(found, expected)
}

#[derive(Clone, Copy)]
struct Tree<'de>(&'de Value);

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0 {
                Value::Number(number) => number.deserialize_any(visitor),
                other => Err(mismatch(other, &visitor)),
            }
        })*
    };
}

macro_rules! texts {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0 {
                Value::String(text) => visitor.visit_borrowed_str(text),
                other => Err(mismatch(other, &visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Tree<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => number.deserialize_any(visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(*value),
            other => Err(mismatch(other, &visitor)),
        }
    }

    numbers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_f32 deserialize_f64
    }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            other => Err(mismatch(other, &visitor)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(Items(items.iter())),
            other => Err(mismatch(other, &visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Object(fields) => visitor.visit_map(Fields::of(fields)),
            other => Err(mismatch(other, &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(variant(self.0)?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit_struct tuple_struct }
}

struct Items<'de>(std::slice::Iter<'de, Value>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.0.next().map(|item| seed.deserialize(Tree(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Fields<'de> {
    rest: map::Iter<'de>,
    value: &'de Value,
}

impl<'de> Fields<'de> {
    fn of(fields: &'de Map<String, Value>) -> Fields<'de> {
        Fields { rest: fields.iter(), value: &Value::Null }
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        seed.deserialize(Tree(self.value))
    }
}

/// A variant is written as its name, or as an object of its name and what it holds.
struct Variant<'de> {
    name: &'de str,
    content: &'de Value,
}

fn variant(value: &Value) -> Result<Variant<'_>> {
    match value {
        Value::String(name) => Ok(Variant { name, content: &Value::Null }),
        Value::Object(fields) if fields.len() == 1 => {
            let (name, content) = fields.iter().next().ok_or_else(|| Error::custom("an empty object"))?;
            Ok(Variant { name, content })
        }
        Value::Object(_) => Err(Error::invalid_value(Unexpected::Map, &"map with a single key")),
        other => Err(mismatch(other, &"string or map")),
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Tree<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Tree<'de>)> {
        let name = seed.deserialize(BorrowedStrDeserializer::<Error>::new(self.name))?;
        Ok((name, Tree(self.content)))
    }
}

impl<'de> VariantAccess<'de> for Tree<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        match self.0 {
            Value::Null => Ok(()),
            other => Err(mismatch(other, &"unit")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

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
        any: Value,
        result: std::result::Result<(), String>,
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
        json!({
            "yes": true, "small": 255, "signed": -1, "float": 2, "text": "t", "maybe": null,
            "list": ["unit", {"one": -3}, {"two": [1, false]}, {"fields": {"text": "x"}}],
            "map": {"a": [1, "b"]}, "any": [null, 1.5, {"x": "y"}], "result": {"Err": "e"},
        })
    }

    /// What serde_json itself reads, or says.
    fn known(value: &Value) -> std::result::Result<Everything, String> {
        Everything::deserialize(value).map_err(|error| error.to_string())
    }

    fn ours(value: &Value) -> std::result::Result<Everything, String> {
        read_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_every_kind() {
        let read = ours(&everything()).unwrap();
        assert_eq!(read.list.len(), 4);
        assert_eq!(Ok(read), known(&everything()));
    }

    #[test]
    fn a_struct_is_no_array() {
        assert_eq!(read::<Wrapped>("[1]").unwrap_err().to_string(), "invalid type: sequence, expected i32");
        let error = read::<Everything>("[true]").unwrap_err();
        assert_eq!(error.to_string(), "invalid type: sequence, expected struct Everything");
    }

    proptest! {
        #[test]
        fn says_what_serde_json_says(
            field in prop::sample::select(everything().as_object().unwrap().keys().cloned().collect::<Vec<_>>()),
            wrong in prop::sample::select(vec![
                None, Some(json!(null)), Some(json!(false)), Some(json!(-5)), Some(json!(300)), Some(json!(1.5)),
                Some(json!("unit")), Some(json!([{"one": "x"}])), Some(json!([{"unit": 1}])),
                Some(json!([{"a": 1, "b": 2}])), Some(json!([{"fields": {}}])), Some(json!({})),
                Some(json!({"Ok": null})), Some(json!({"a": [1]})), Some(json!({"a": ["1", "b"]})),
            ]),
        ) {
            let mut value = everything();
            let fields = value.as_object_mut().unwrap();
            fields.remove(&field);
            if let Some(wrong) = wrong {
                fields.insert(field, wrong);
            }
            prop_assert_eq!(ours(&value), known(&value));
        }
    }

    #[test]
    fn an_unknown_field_is_named() {
        let mut value = everything();
        value["more"] = json!(1);
        assert_eq!(ours(&value), known(&value));
    }
}
