//! The client keys that Weir makes, and how they are told from all others.
use crate::chat::{ChatError, ErrorKind};

/// What they begin with, and how many random characters follow.
const PREFIX: &str = "sk-weir-";
const CHARS: usize = 40;

/// A new one.
///
/// # Errors
/// `Internal` without randomness.
pub fn make() -> Result<String, ChatError> {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut key = String::from(PREFIX);
    let mut bytes = [0_u8; 64];
    while key.len() < PREFIX.len() + CHARS {
        getrandom::fill(&mut bytes)
            .map_err(|_| ChatError::new(ErrorKind::Internal, "There is no randomness to make a key from."))?;
        // Every value below 62 is as likely as any other; the rest is left out.
        let chars = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63))).map(|&byte| char::from(byte));
        key.extend(chars.take(PREFIX.len() + CHARS - key.len()));
    }
    Ok(key)
}

/// Whether a text has the form of the keys that Weir makes.
pub fn has_form(text: &str) -> bool {
    let random = text.strip_prefix(PREFIX);
    random.is_some_and(|random| random.len() == CHARS && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_has_the_form_and_nothing_else_does() {
        let key = make().unwrap();
        assert!(has_form(&key));
        assert_ne!(key, make().unwrap());
        let longer = format!("{key}a");
        for other in
            ["", PREFIX, "sk-weir-mine", &key[1..], &key[..key.len() - 1], &longer, &key.replacen("weir", "wier", 1)]
        {
            assert!(!has_form(other), "{other}");
        }
        assert!(!has_form(&format!("{PREFIX}{}", "-".repeat(CHARS))));
    }
}
