//! The beginning of an answer's body, for the log, where `settings.log_bodies` is on.
use std::cell::RefCell;
use std::rc::Rc;

/// Hears an answer; the same one in every clone. The one of `default` hears nothing.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    heard: Option<Rc<RefCell<Vec<u8>>>>,
    max: usize,
}

impl Capture {
    /// Keeps the first `max` bytes.
    pub fn new(max: usize) -> Capture {
        Capture { heard: Some(Rc::default()), max }
    }

    /// More of the answer.
    pub fn hear(&self, bytes: &[u8]) {
        if let Some(heard) = &self.heard {
            let mut heard = heard.borrow_mut();
            let room = self.max.saturating_sub(heard.len()).min(bytes.len());
            heard.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    }

    /// What was heard, without these texts.
    pub fn text<'a>(&self, secrets: impl Iterator<Item = &'a String>) -> Option<String> {
        let heard = self.heard.as_ref()?.borrow();
        let text = String::from_utf8_lossy(&heard).into_owned();
        Some(secrets.filter(|secret| !secret.is_empty()).fold(text, |text, secret| text.replace(secret, "***")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_beginning_without_secrets() {
        let capture = Capture::new(10);
        capture.clone().hear(b"abc-key-");
        capture.hear(b"defghi");
        let secret = "key".to_owned();
        assert_eq!(capture.text([&secret].into_iter()).as_deref(), Some("abc-***-de"));
        let nothing = Capture::default();
        nothing.hear(b"abc");
        assert_eq!(nothing.text([].into_iter()), None);
    }
}
