//! One piece of a message: its text and how much of it was given, the pages that it found.
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Garbage, each, part};

/// Longer addresses are no page that anybody cites.
const MAX_URL_BYTES: usize = 2048;
const MAX_TITLE_BYTES: usize = 512;
const MAX_REFERENCES: usize = 1024;

/// What tells a fragment from the others of its message, over all rounds of `/chat/continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// Its `id`.
    Id(i64),
    /// It has none: its place in the list.
    Place(usize),
    /// The only one of its kind: the flat texts of V1 and V2, a `hint` in place of an answer.
    Only,
}

/// What its text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `THINK`.
    Thoughts,
    /// `RESPONSE`, and `ANSWER` of older streams.
    Answer,
    /// `TEMPLATE_RESPONSE`: an answer that replaces the model's.
    Template,
    /// `TIP`, `SEARCH`, `TOOL_*`: not for the reader.
    Silent,
}

impl Kind {
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "THINK" => Kind::Thoughts,
            "RESPONSE" | "ANSWER" => Kind::Answer,
            "TEMPLATE_RESPONSE" => Kind::Template,
            _ => Kind::Silent,
        }
    }
}

/// A search result.
#[derive(Default)]
pub(super) struct Page {
    pub(super) url: String,
    pub(super) title: String,
    /// What `[citation:N]` calls it.
    pub(super) number: Option<usize>,
}

/// `{"url","title","cite_index",…}` (protocols: §8.3).
#[derive(Deserialize)]
struct WirePage<'a> {
    url: Option<String>,
    title: Option<String>,
    #[serde(borrow)]
    cite_index: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireReference {
    id: i64,
}

/// A fragment, in the stream's present state.
pub(super) struct Fragment {
    pub(super) name: Name,
    pub(super) kind: Kind,
    /// All of its text that ever came; a new round repeats it.
    pub(super) text: String,
    /// The text's present length: `text[..at]` is what the message says now.
    at: usize,
    /// How much of `text` was given.
    pub(super) given: usize,
    /// It has new text.
    pub(super) fresh: bool,
    pub(super) pages: Vec<Page>,
    /// Ids of the fragments that `[reference:N]` means.
    pub(super) references: Vec<i64>,
}

impl Fragment {
    pub(super) fn new(name: Name, kind: Kind) -> Self {
        Fragment {
            name,
            kind,
            text: String::new(),
            at: 0,
            given: 0,
            fresh: false,
            pages: Vec::new(),
            references: Vec::new(),
        }
    }

    /// Empties it. Text that comes again is recognised.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
    }

    /// Adds to the text and says how many bytes were new.
    pub(super) fn append(&mut self, more: &str) -> usize {
        let known = self.text.get(self.at..).unwrap_or_default();
        let mut same = known.bytes().zip(more.bytes()).take_while(|(a, b)| a == b).count();
        while !more.is_char_boundary(same) {
            same -= 1;
        }
        let fresh = more.get(same..).unwrap_or_default();
        self.at += same;
        if fresh.is_empty() {
            return 0;
        }
        // Where the text differs from what it was, the new one follows: what was given stays given.
        self.text.truncate(self.at);
        self.given = self.given.min(self.at);
        self.text.push_str(fresh);
        self.at = self.text.len();
        fresh.len()
    }

    /// The present text.
    #[cfg(test)]
    pub(super) fn now(&self) -> &str {
        &self.text[..self.at]
    }

    /// Adds pages, `room` at most.
    pub(super) fn add_pages(&mut self, list: &RawValue, room: usize) -> Result<(), Garbage> {
        each(list, |item| {
            if self.pages.len() < room
                && let Some(page) = part::<WirePage>(item)?
            {
                self.pages.push(Page {
                    url: page.url.filter(|url| url.len() <= MAX_URL_BYTES).unwrap_or_default(),
                    title: short(page.title.unwrap_or_default()),
                    number: page.cite_index.and_then(|number| part(number).ok().flatten()),
                });
            }
            Ok(())
        })
    }

    /// Adds to `references`.
    pub(super) fn add_references(&mut self, list: &RawValue) -> Result<(), Garbage> {
        each(list, |item| {
            if self.references.len() < MAX_REFERENCES
                && let Some(reference) = part::<WireReference>(item)?
            {
                self.references.push(reference.id);
            }
            Ok(())
        })
    }
}

impl Page {
    /// Sets one of its fields.
    pub(super) fn set(&mut self, field: &str, value: &RawValue) -> Result<(), Garbage> {
        match field {
            "cite_index" => self.number = part(value)?,
            "url" => self.url = part(value)?.filter(|url: &String| url.len() <= MAX_URL_BYTES).unwrap_or_default(),
            "title" => self.title = short(part(value)?.unwrap_or_default()),
            _ => {}
        }
        Ok(())
    }
}

fn short(mut title: String) -> String {
    title.truncate(title.floor_char_boundary(MAX_TITLE_BYTES));
    title.shrink_to_fit();
    title
}
