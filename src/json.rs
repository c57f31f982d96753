//! Reads the JSON that Weir wrote itself: calls between its objects, and what they store.
use serde::de::DeserializeOwned;
use serde_json::{Result, Value};

/// Reads a text by way of a tree of values: each type's code is half as large as where it reads the text itself.
///
/// # Errors
/// Where the text is no JSON, or of another shape.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    let value: Value = serde_json::from_str(text)?;
    T::deserialize(&value)
}
