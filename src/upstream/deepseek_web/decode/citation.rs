//! `[citation:N]` and `[reference:N]` in a text (protocols: §8.5 C and D), and what stands in their place.

/// What stands at a `[`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// `[citation:N]`: the page with `cite_index` N, counted from 1.
    Citation { number: usize, length: usize },
    /// `[reference:N]`: an entry of the fragment's `references`, counted from 0.
    Reference { number: usize, length: usize },
    /// It may become one with more text.
    Partial,
    /// Plain text.
    None,
}

/// More than any search finds.
const MAX_DIGITS: usize = 4;

impl Marker {
    /// Reads what stands at the start of `text`.
    pub(super) fn at(text: &str) -> Self {
        let (word, citation) = if text.starts_with("[r") { ("[reference:", false) } else { ("[citation:", true) };
        let Some(rest) = text.strip_prefix(word) else {
            return if word.starts_with(text) { Marker::Partial } else { Marker::None };
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > MAX_DIGITS {
            return Marker::None;
        }
        let length = word.len() + digits + 1;
        match (rest.as_bytes().get(digits), rest.get(..digits).map(str::parse)) {
            (None, _) => Marker::Partial,
            (Some(b']'), Some(Ok(number))) if citation => Marker::Citation { number, length },
            (Some(b']'), Some(Ok(number))) => Marker::Reference { number, length },
            _ => Marker::None,
        }
    }
}

/// `[number](url)`, or nothing for an address that is no web page.
pub(super) fn link(number: usize, url: &str) -> String {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return String::new();
    }
    let mut text = format!("[{number}](");
    for letter in url.chars() {
        match letter {
            // They would end the link.
            ' ' | '(' | ')' | '<' | '>' | '\\' => text.push_str(&format!("%{:02X}", u32::from(letter))),
            letter if letter.is_control() => {}
            letter => text.push(letter),
        }
    }
    text.push(')');
    text
}
