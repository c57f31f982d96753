//! Writes one JSON object on one line, field by field: a record is written for every call, and a tree of values costs more.

/// An object that is being written.
pub(super) struct Line(String);

impl Line {
    /// An empty object.
    pub(super) fn new() -> Line {
        Line("{".to_owned())
    }

    /// A text, or null.
    pub(super) fn text(&mut self, name: &str, text: Option<&str>) {
        self.name(name);
        match text.and_then(|text| serde_json::to_string(text).ok()) {
            Some(text) => self.0.push_str(&text),
            None => self.0.push_str("null"),
        }
    }

    /// A number, or null.
    pub(super) fn number(&mut self, name: &str, number: Option<u64>) {
        self.name(name);
        match number {
            Some(number) => self.0.push_str(&number.to_string()),
            None => self.0.push_str("null"),
        }
    }

    /// True or false.
    pub(super) fn flag(&mut self, name: &str, flag: bool) {
        self.name(name);
        self.0.push_str(if flag { "true" } else { "false" });
    }

    /// An object or a list begins.
    pub(super) fn open(&mut self, name: &str, bracket: char) {
        self.name(name);
        self.0.push(bracket);
    }

    /// An object of a list begins.
    pub(super) fn item(&mut self) {
        self.comma();
        self.0.push('{');
    }

    /// What was begun last ends.
    pub(super) fn close(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    /// The whole line.
    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    /// No text ends with a bracket: it ends with a quotation mark.
    fn comma(&mut self) {
        if !self.0.ends_with(['{', '[']) {
            self.0.push(',');
        }
    }
}
