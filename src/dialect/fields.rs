//! Reads the fields of a caller's JSON by hand: errors name the path, and null is as good as absent.
use serde_json::Value;

use crate::chat::{ChatError, ErrorKind};
use crate::json;

/// A body as JSON.
///
/// # Errors
/// Where it is something else than an object.
pub fn parse(body: &[u8]) -> Result<Value, ChatError> {
    match json::parse(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(bad_json("a JSON object is needed")),
        Err(error) => Err(bad_json(&error.to_string())),
    }
}

/// The error of a body that is no JSON.
pub fn bad_json(cause: &str) -> ChatError {
    ChatError::new(ErrorKind::InvalidRequest, format!("The request body is not valid JSON: {cause}."))
}

/// A value, and where it stands.
pub struct Field<'a> {
    /// `Null` where it is absent.
    pub value: &'a Value,
    /// As callers write it: `messages[0].content`.
    pub path: String,
}

impl<'a> Field<'a> {
    /// The whole body.
    pub fn root(value: &'a Value) -> Field<'a> {
        Field { value, path: String::new() }
    }

    /// A field of an object.
    pub fn at(&self, name: &str) -> Field<'a> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Field { value: self.value.get(name).unwrap_or(&Value::Null), path }
    }

    /// Whether it has a value.
    pub fn is_there(&self) -> bool {
        !self.value.is_null()
    }

    /// The elements of an array; none where it is absent.
    ///
    /// # Errors
    /// Where it is no array.
    pub fn items(&self) -> Result<Vec<Field<'a>>, ChatError> {
        let item = |(index, value)| Field { value, path: format!("{}[{index}]", self.path) };
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => Ok(items.iter().enumerate().map(item).collect()),
            _ => Err(self.wrong("an array")),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn text(&self) -> Result<Option<String>, ChatError> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(self.wrong("a string")),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// Where it is not.
    pub fn needed_text(&self) -> Result<String, ChatError> {
        self.text()?.ok_or_else(|| self.wrong("a string"))
    }

    /// A text that must be there and not empty.
    ///
    /// # Errors
    /// Where it is not.
    pub fn needed_name(&self) -> Result<String, ChatError> {
        self.needed_text()
            .and_then(|text| if text.is_empty() { Err(self.wrong("a non-empty string")) } else { Ok(text) })
    }

    /// An array of texts.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn texts(&self) -> Result<Vec<String>, ChatError> {
        self.items()?.iter().map(Field::needed_text).collect()
    }

    /// A boolean.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn flag(&self) -> Result<Option<bool>, ChatError> {
        match self.value {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(*flag)),
            _ => Err(self.wrong("a boolean")),
        }
    }

    /// An integer that is not negative.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn number(&self) -> Result<Option<u64>, ChatError> {
        match self.value {
            Value::Null => Ok(None),
            value => value.as_u64().map(Some).ok_or_else(|| self.wrong("a non-negative integer")),
        }
    }

    /// Itself, where it is an object or absent.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn object(self) -> Result<Field<'a>, ChatError> {
        if self.is_there() { self.needed_object() } else { Ok(self) }
    }

    /// Itself, where it is an object.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn needed_object(self) -> Result<Field<'a>, ChatError> {
        if self.value.is_object() { Ok(self) } else { Err(self.wrong("an object")) }
    }

    /// A number, whole or not.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn fraction(&self) -> Result<Option<f64>, ChatError> {
        match self.value {
            Value::Null => Ok(None),
            value => value.as_f64().map(Some).ok_or_else(|| self.wrong("a number")),
        }
    }

    /// An error that says what it must be.
    pub fn wrong(&self, what: &str) -> ChatError {
        ChatError::field(self.path.as_str(), format!("`{}` must be {what}.", self.path))
    }
}
