//! Reads JSON, in as little code as it can be: each way has one place, and structs are read from objects only.
#[cfg(test)]
mod tests;
mod text;
mod tree;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Result, Value};

use text::Objects;
use tree::Tree;

/// Reads a text by way of a tree of values: calls between Weir's objects, what they store, all that comes rarely. Each type's
/// code is half as large as where it reads the text itself.
///
/// # Errors
/// Where the text is no JSON, or of another shape.
pub fn read<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> Result<T> {
    read_value(&parse(text)?)
}

/// Reads a tree of values.
///
/// # Errors
/// Where the tree has another shape.
pub fn read_value<T: DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(Tree(value))
}

/// Reads a text itself, and may borrow from it: for what every call passes. What is not asked for is skipped.
///
/// # Errors
/// Where the text is no JSON, or of another shape.
pub fn scan<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = T::deserialize(Objects(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// Reads a text into a tree of values.
///
/// # Errors
/// Where the text is no JSON.
pub fn parse(text: impl AsRef<[u8]>) -> Result<Value> {
    // Not from_str: serde_json's code for either is its own.
    serde_json::from_slice(text.as_ref())
}
