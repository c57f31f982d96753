//! JSON that is read in the pieces that matter: the rest is skipped, never stored.
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::json;

/// What came is no JSON, or more than any answer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbage;

/// A data frame: a patch (`p`, `o`, `v`), an item of a `BATCH`, a V1 chunk (`choices`), or an error.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    pub(super) p: Option<String>,
    pub(super) o: Option<String>,
    #[serde(borrow)]
    pub(super) v: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) choices: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) message_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) code: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// Reads JSON text; `None` is JSON of another shape, which is left alone.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<Option<T>, Garbage> {
    match json::scan(json) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.classify() == Category::Data => Ok(None),
        Err(_) => Err(Garbage),
    }
}

/// Reads a part of a frame.
pub(super) fn part<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Result<Option<T>, Garbage> {
    read(value.get().as_bytes())
}

/// Whether the value is a JSON string.
pub(super) fn is_string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// Gives the items of a list to `take`, one by one. A value that is no list counts as its only item.
pub(super) fn each<'a>(
    value: &'a RawValue,
    take: impl FnMut(&'a RawValue) -> Result<(), Garbage>,
) -> Result<(), Garbage> {
    if !value.get().starts_with('[') {
        let mut take = take;
        return take(value);
    }
    serde_json::Deserializer::from_slice(value.get().as_bytes()).deserialize_seq(Items(take)).map_err(|_| Garbage)
}

/// Gives the entries of an object to `take`, one by one; another value has none.
pub(super) fn entries<'a>(
    value: &'a RawValue,
    take: impl FnMut(&str, &'a RawValue) -> Result<(), Garbage>,
) -> Result<(), Garbage> {
    if !value.get().starts_with('{') {
        return Ok(());
    }
    serde_json::Deserializer::from_slice(value.get().as_bytes()).deserialize_map(Entries(take)).map_err(|_| Garbage)
}

struct Items<F>(F);

impl<'a, F: FnMut(&'a RawValue) -> Result<(), Garbage>> Visitor<'a> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&RawValue>()? {
            (self.0)(item).map_err(|Garbage| A::Error::custom("refused"))?;
        }
        Ok(())
    }
}

struct Entries<F>(F);

impl<'a, F: FnMut(&str, &'a RawValue) -> Result<(), Garbage>> Visitor<'a> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value::<&RawValue>()?;
            (self.0)(&key, value).map_err(|Garbage| A::Error::custom("refused"))?;
        }
        Ok(())
    }
}
