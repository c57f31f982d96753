//! From the text of fragments to events: each text once, markers of citations replaced.
use std::collections::BTreeSet;

use memchr::memchr;

use super::citation::{Marker, link};
use super::fragment::{Fragment, Kind, Name, Page};
use super::message::Message;
use crate::chat::{ChatEvent, Citation};
use crate::upstream::deepseek_web::settings::CitationStyle;

/// Gives the text of a message as it grows.
pub(super) struct Giver {
    style: CitationStyle,
    /// Addresses of the pages that were given.
    cited: BTreeSet<String>,
    /// A fragment whose text ends in what may become a marker.
    held: Option<usize>,
    /// Some answer was given.
    answered: bool,
    /// The template that replaces it has begun.
    replaced: bool,
}

impl Giver {
    pub(super) fn new(style: CitationStyle) -> Self {
        Giver { style, cited: BTreeSet::new(), held: None, answered: false, replaced: false }
    }

    /// Whether the text that replaces a withdrawn answer has come.
    pub(super) fn replaced(&self) -> bool {
        self.replaced
    }

    /// Gives what came since the last time; what may become a marker is held back while its fragment may grow.
    pub(super) fn give(&mut self, message: &mut Message, events: &mut Vec<ChatEvent>) {
        for at in std::mem::take(&mut message.fresh) {
            if self.held.is_some_and(|held| held != at) {
                self.rest(message, events);
            }
            let (until, whole) = self.fragment(message, at, false, events);
            self.held = (!whole).then_some(at);
            if let Some(fragment) = message.fragments.get_mut(at) {
                fragment.given = until;
                fragment.fresh = false;
            }
        }
    }

    /// Gives what was held back.
    pub(super) fn rest(&mut self, message: &mut Message, events: &mut Vec<ChatEvent>) {
        if let Some(at) = self.held.take() {
            let (until, _) = self.fragment(message, at, true, events);
            if let Some(fragment) = message.fragments.get_mut(at) {
                fragment.given = until;
            }
        }
    }

    /// Gives the new text of one fragment; says up to where, and whether that is all.
    fn fragment(&mut self, message: &Message, at: usize, last: bool, events: &mut Vec<ChatEvent>) -> (usize, bool) {
        let Some(fragment) = message.fragments.get(at) else { return (0, true) };
        let thoughts = fragment.kind == Kind::Thoughts;
        if fragment.kind == Kind::Template && !std::mem::replace(&mut self.replaced, true) && self.answered {
            push_text(events, false, "\n\n");
        }
        let mut from = fragment.given;
        let mut look = from;
        let text = fragment.text.as_str();
        while let Some(next) = memchr(b'[', text.as_bytes().get(look..).unwrap_or_default()) {
            let start = look + next;
            let marker = Marker::at(text.get(start..).unwrap_or_default());
            let (number, length, page) = match marker {
                Marker::Partial if !last => {
                    self.push(events, thoughts, text.get(from..start).unwrap_or_default());
                    return (start, false);
                }
                Marker::Partial | Marker::None => {
                    look = start + 1;
                    continue;
                }
                Marker::Citation { number, length } => (number, length, numbered(message, number)),
                Marker::Reference { number, length } => (number, length, referred(message, fragment, number)),
            };
            look = start + length;
            if message.fragments.iter().all(|fragment| fragment.pages.is_empty()) {
                // Nothing was searched: the model means the words.
                continue;
            }
            self.push(events, thoughts, text.get(from..start).unwrap_or_default());
            from = look;
            if let Some(page) = page.filter(|page| !page.url.is_empty()) {
                if self.style == CitationStyle::Links {
                    self.push(events, thoughts, &link(number, &page.url));
                }
                if !thoughts && self.cited.insert(page.url.clone()) {
                    events.push(ChatEvent::Citation(Citation { url: page.url.clone(), title: page.title.clone() }));
                }
            }
        }
        self.push(events, thoughts, text.get(from..).unwrap_or_default());
        (text.len(), true)
    }

    fn push(&mut self, events: &mut Vec<ChatEvent>, thoughts: bool, text: &str) {
        self.answered |= !thoughts && !text.is_empty();
        push_text(events, thoughts, text);
    }
}

/// The page that `[citation:number]` means. V2 says its `cite_index` late: until then pages count from 1.
fn numbered(message: &Message, number: usize) -> Option<&Page> {
    let pages = || message.fragments.iter().flat_map(|fragment| &fragment.pages);
    pages()
        .find(|page| page.number == Some(number))
        .or_else(|| pages().nth(number.checked_sub(1)?).filter(|page| page.number.is_none()))
}

/// The page that `[reference:number]` means in this fragment. Which hit of a search it was is not said: the first.
fn referred<'a>(message: &'a Message, fragment: &Fragment, number: usize) -> Option<&'a Page> {
    let name = Name::Id(*fragment.references.get(number)?);
    message.fragments.iter().find(|one| one.name == name && one.kind == Kind::Silent)?.pages.first()
}

fn push_text(events: &mut Vec<ChatEvent>, thoughts: bool, text: &str) {
    if text.is_empty() {
        return;
    }
    match events.last_mut() {
        Some(ChatEvent::Text(before)) if !thoughts => before.push_str(text),
        Some(ChatEvent::Reasoning(before)) if thoughts => before.push_str(text),
        _ if thoughts => events.push(ChatEvent::Reasoning(text.to_owned())),
        _ => events.push(ChatEvent::Text(text.to_owned())),
    }
}
