//! The message that a stream of patches builds (protocols: §8.2, §8.3), as far as an answer needs it.
//!
//! A fragment outlives its round: a snapshot that repeats it, whole or in pieces, adds only what is new.
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fragment::{Fragment, Kind, Name};
use super::json::{Frame, Garbage, each, entries, is_string, part};

/// A captured answer has some tens of fragments, each with some tens of pages.
const MAX_FRAGMENTS: usize = 512;
const MAX_PAGES: usize = 2048;
const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;
/// `BATCH` in `BATCH`; captures have one.
const MAX_DEPTH: u32 = 8;
/// The longest path that means something is `response/fragments/N/results/N/cite_index`.
const MAX_STEPS: usize = 6;

/// A patch's operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Set,
    Append,
    Batch,
    Unknown,
}

/// What a patch leaves out is as in the one before.
struct Sticky {
    path: String,
    operation: Operation,
}

/// The message so far.
#[derive(Default)]
pub(super) struct Message {
    /// `message_id`.
    pub(super) id: Option<i64>,
    /// `status`.
    pub(super) status: Option<String>,
    /// The status came alone, not in a snapshot (where it may be the last round's).
    pub(super) settled: bool,
    /// `accumulated_token_usage`, once it is more than 0.
    pub(super) usage: Option<u64>,
    /// `auto_continue`.
    pub(super) auto_continue: bool,
    /// Every fragment of every round.
    pub(super) fragments: Vec<Fragment>,
    /// The fragments with new text, in the order in which it came.
    pub(super) fresh: Vec<usize>,
    /// `response/fragments`: places in `fragments`.
    list: Vec<usize>,
    /// The text that the last flat path or chunk went to.
    flat: Option<Kind>,
    sticky: Sticky,
    text_bytes: usize,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
}

impl Default for Sticky {
    fn default() -> Self {
        Sticky { path: String::new(), operation: Operation::Set }
    }
}

impl Sticky {
    fn note(&mut self, frame: &Frame) {
        if let Some(path) = &frame.p {
            self.path.clone_from(path);
        }
        match frame.o.as_deref() {
            None => {}
            Some("SET") => self.operation = Operation::Set,
            Some("APPEND") => self.operation = Operation::Append,
            Some("BATCH") => self.operation = Operation::Batch,
            Some(_) => self.operation = Operation::Unknown,
        }
    }
}

impl Message {
    /// A new stream begins, which repeats the message.
    pub(super) fn restart(&mut self) {
        self.status = None;
        self.settled = false;
        self.auto_continue = false;
        self.sticky = Sticky::default();
        self.flat = None;
        self.list.clear();
        self.fragments.iter_mut().for_each(Fragment::rewind);
    }

    /// Applies one patch frame.
    pub(super) fn patch(&mut self, frame: &Frame) -> Result<(), Garbage> {
        self.sticky.note(frame);
        let Some(value) = frame.v else { return Ok(()) };
        let path = std::mem::take(&mut self.sticky.path);
        let done = self.apply(&path, self.sticky.operation, value, 0);
        self.sticky.path = path;
        done
    }

    /// Adds to the text that has no fragment.
    pub(super) fn flat(&mut self, kind: Kind, text: &str) -> Result<(), Garbage> {
        self.flat = Some(kind);
        let at = self.known(Name::Only, kind)?;
        self.write(at, text)
    }

    /// What a V1 chunk found.
    pub(super) fn flat_pages(&mut self, list: &RawValue) -> Result<(), Garbage> {
        let at = self.known(Name::Only, Kind::Silent)?;
        self.field(at, &["results"], Operation::Append, list)
    }

    fn apply(&mut self, path: &str, operation: Operation, value: &RawValue, depth: u32) -> Result<(), Garbage> {
        match operation {
            Operation::Unknown => Ok(()),
            Operation::Batch if is_string(value) => self.write_last(value),
            Operation::Batch => self.batch(path, value, depth),
            Operation::Set | Operation::Append => {
                let mut steps = [""; MAX_STEPS];
                let mut count = 0;
                for step in path.split('/').filter(|step| !step.is_empty()) {
                    let Some(place) = steps.get_mut(count) else { return Ok(()) };
                    *place = step;
                    count += 1;
                }
                self.assign(steps.get(..count).unwrap_or_default(), operation, value)
            }
        }
    }

    fn batch(&mut self, path: &str, list: &RawValue, depth: u32) -> Result<(), Garbage> {
        if depth >= MAX_DEPTH {
            return Err(Garbage);
        }
        let mut sticky = Sticky::default();
        each(list, |item| {
            let Some(patch) = part::<Frame>(item)? else { return Ok(()) };
            sticky.note(&patch);
            let Some(value) = patch.v else { return Ok(()) };
            self.apply(&format!("{path}/{}", sticky.path), sticky.operation, value, depth + 1)
        })
    }

    fn assign(&mut self, steps: &[&str], operation: Operation, value: &RawValue) -> Result<(), Garbage> {
        let set = operation == Operation::Set;
        match steps {
            [] if set => entries(value, |key, value| match key {
                "response" => self.replace(value),
                _ => Ok(()),
            }),
            ["response"] if set => self.replace(value),
            ["response", "fragments"] => {
                if set {
                    self.list.clear();
                }
                each(value, |item| self.place(self.list.len(), item))
            }
            ["response", "fragments", index] if set => match position(index, self.list.len()) {
                Some(place) => self.place(place, value),
                None => Ok(()),
            },
            ["response", "fragments", index, rest @ ..] => {
                let found = position(index, self.list.len()).and_then(|place| Some((place, *self.list.get(place)?)));
                match (found, rest) {
                    (None, _) => Ok(()),
                    (Some((place, at)), ["id" | "type"]) if set => self.rename(place, at, rest, value),
                    (Some((_, at)), _) => self.field(at, rest, operation, value),
                }
            }
            ["response", "content"] => self.flat_field(Kind::Answer, operation, value),
            ["response", "thinking_content"] => self.flat_field(Kind::Thoughts, operation, value),
            ["response", "search_results", rest @ ..] => {
                let at = self.known(Name::Only, Kind::Silent)?;
                match rest {
                    [] => self.field(at, &["results"], operation, value),
                    [index, field] => self.field(at, &["results", index, field], operation, value),
                    _ => Ok(()),
                }
            }
            ["response", name] if set => self.number(name, value),
            _ => Ok(()),
        }
    }

    /// Sets `response` as a whole: the snapshot.
    fn replace(&mut self, value: &RawValue) -> Result<(), Garbage> {
        self.list.clear();
        self.fragments.iter_mut().filter(|fragment| fragment.name == Name::Only).for_each(Fragment::rewind);
        self.status = None;
        entries(value, |key, value| self.assign(&["response", key], Operation::Set, value))?;
        self.settled = false;
        Ok(())
    }

    fn number(&mut self, name: &str, value: &RawValue) -> Result<(), Garbage> {
        match name {
            "status" => {
                self.status = part(value)?;
                self.settled = true;
            }
            "accumulated_token_usage" => self.usage = part(value)?.filter(|used| *used > 0).or(self.usage),
            "message_id" => self.id = part(value)?.or(self.id),
            "auto_continue" => self.auto_continue = part(value)?.unwrap_or(false),
            _ => {}
        }
        Ok(())
    }

    /// Puts a fragment into the list.
    fn place(&mut self, place: usize, value: &RawValue) -> Result<(), Garbage> {
        let Some(head) = part::<Head>(value)? else { return Ok(()) };
        let name = match head.id.map(part).transpose()?.flatten() {
            Some(id) => Name::Id(id),
            None => Name::Place(place),
        };
        let kind = head.r#type.map(part::<String>).transpose()?.flatten().unwrap_or_default();
        let at = self.known(name, Kind::of(&kind))?;
        self.link(place, at)?;
        if let Some(fragment) = self.fragments.get_mut(at) {
            fragment.rewind();
        }
        entries(value, |key, value| self.field(at, &[key], Operation::Set, value))
    }

    fn link(&mut self, place: usize, at: usize) -> Result<(), Garbage> {
        let room = self.list.len() < MAX_FRAGMENTS;
        match self.list.get_mut(place) {
            Some(link) => *link = at,
            None if room => self.list.push(at),
            None => return Err(Garbage),
        }
        Ok(())
    }

    /// Sets the `id` or the `type` of a fragment; text that follows is told apart from what it had.
    fn rename(&mut self, place: usize, at: usize, field: &[&str], value: &RawValue) -> Result<(), Garbage> {
        let Some(&Fragment { name, kind, .. }) = self.fragments.get(at) else { return Ok(()) };
        let (name, kind) = match field {
            ["id"] => (part(value)?.map_or(name, Name::Id), kind),
            _ => (name, part::<String>(value)?.map_or(kind, |kind| Kind::of(&kind))),
        };
        let at = self.known(name, kind)?;
        self.link(place, at)
    }

    /// The place of a fragment in `fragments`; it is made if need be.
    fn known(&mut self, name: Name, kind: Kind) -> Result<usize, Garbage> {
        if let Some(at) = self.fragments.iter().position(|one| one.name == name && one.kind == kind) {
            return Ok(at);
        }
        if self.fragments.len() >= MAX_FRAGMENTS {
            return Err(Garbage);
        }
        self.fragments.push(Fragment::new(name, kind));
        Ok(self.fragments.len() - 1)
    }

    fn field(&mut self, at: usize, steps: &[&str], operation: Operation, value: &RawValue) -> Result<(), Garbage> {
        let found: usize = self.fragments.iter().map(|fragment| fragment.pages.len()).sum();
        let Some(fragment) = self.fragments.get_mut(at) else { return Ok(()) };
        let set = operation == Operation::Set;
        match steps {
            ["content"] if fragment.kind != Kind::Silent => {
                if set {
                    fragment.rewind();
                }
                let Some(text) = part::<String>(value)? else { return Ok(()) };
                self.write(at, &text)
            }
            ["results" | "result"] => {
                if set {
                    fragment.pages.clear();
                }
                let room = MAX_PAGES.saturating_sub(found).saturating_add(fragment.pages.len());
                fragment.add_pages(value, room)
            }
            ["results", index, name] if set => {
                let place = position(index, fragment.pages.len());
                match place.and_then(|place| fragment.pages.get_mut(place)) {
                    Some(page) => page.set(name, value),
                    None => Ok(()),
                }
            }
            ["result", name] if set => match fragment.pages.first_mut() {
                Some(page) => page.set(name, value),
                None => Ok(()),
            },
            ["references"] => {
                if set {
                    fragment.references.clear();
                }
                fragment.add_references(value)
            }
            _ => Ok(()),
        }
    }

    fn flat_field(&mut self, kind: Kind, operation: Operation, value: &RawValue) -> Result<(), Garbage> {
        let at = self.known(Name::Only, kind)?;
        if value.get() != "null" {
            self.flat = Some(kind);
        }
        self.field(at, &["content"], operation, value)
    }

    /// Text that came where a list of patches should: it goes on where text came last.
    fn write_last(&mut self, value: &RawValue) -> Result<(), Garbage> {
        match (self.list.last(), self.flat) {
            (Some(&at), _) => self.field(at, &["content"], Operation::Append, value),
            (None, Some(kind)) => self.flat_field(kind, Operation::Append, value),
            (None, None) => Ok(()),
        }
    }

    fn write(&mut self, at: usize, text: &str) -> Result<(), Garbage> {
        let Some(fragment) = self.fragments.get_mut(at) else { return Ok(()) };
        let new = fragment.append(text);
        self.text_bytes = self.text_bytes.saturating_add(new);
        if self.text_bytes > MAX_TEXT_BYTES {
            return Err(Garbage);
        }
        if new > 0 && !fragment.fresh {
            fragment.fresh = true;
            self.fresh.push(at);
        }
        Ok(())
    }
}

#[cfg(test)]
impl Message {
    /// The present texts of the fragments.
    pub(super) fn texts(&self) -> Vec<&str> {
        self.list.iter().map(|&at| self.fragments[at].now()).collect()
    }
}

/// An index of a list of this length; a negative one counts from its end.
fn position(index: &str, length: usize) -> Option<usize> {
    match index.strip_prefix('-') {
        Some(back) => length.checked_sub(back.parse().ok().filter(|back| *back > 0)?),
        None => index.parse().ok().filter(|place| *place < length),
    }
}
