//! What a model's name asks of the web chat: which model, whether it thinks, whether it searches (protocols: §9).

/// The names that the web chat is known by.
pub const NAMES: [&str; 14] = [
    "deepseek-chat",
    "deepseek-reasoner",
    "deepseek-chat-search",
    "deepseek-reasoner-search",
    "deepseek-v3",
    "deepseek-r1",
    "deepseek-v3-search",
    "deepseek-r1-search",
    "deepseek-flash",
    "deepseek-flash-search",
    "deepseek-v4-flash",
    "deepseek-v4-flash-search",
    "deepseek-v4-pro",
    "deepseek-v4-pro-search",
];

/// How the web chat is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// `model_type`.
    pub model_type: &'static str,
    /// `thinking_enabled`.
    pub thinking: bool,
    /// `search_enabled`.
    pub search: bool,
}

impl Mode {
    /// What `model` stands for, in any case of letters; what the caller says of thinking and searching comes first, but
    /// for the suffix `-nothinking`. A name that is not known is DeepSeek's default model.
    pub fn of(model: &str, reasoning: Option<bool>, search: Option<bool>) -> Mode {
        let name = model.to_ascii_lowercase();
        let (name, silent) = match name.strip_suffix("-nothinking") {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let (name, searches) = match name.strip_suffix("-search") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let thinks = !matches!(name, "deepseek-chat" | "deepseek-v3");
        Mode {
            model_type: if name == "deepseek-v4-pro" { "expert" } else { "default" },
            thinking: !silent && reasoning.unwrap_or(thinks),
            search: search.unwrap_or(searches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_how_the_chat_is_asked() {
        let of = |name: &str| {
            let Mode { model_type, thinking, search } = Mode::of(name, None, None);
            format!("{model_type}{}{}", if thinking { " thinks" } else { "" }, if search { " searches" } else { "" })
        };
        assert_eq!(of("deepseek-chat"), "default");
        assert_eq!(of("DeepSeek-V3-Search"), "default searches");
        assert_eq!(of("deepseek-r1"), "default thinks");
        assert_eq!(of("deepseek-reasoner-search"), "default thinks searches");
        assert_eq!(of("deepseek-v4-pro"), "expert thinks");
        assert_eq!(of("deepseek-v4-flash-search-nothinking"), "default searches");
        assert!(NAMES.iter().all(|name| !Mode::of(name, Some(false), None).thinking));
    }

    #[test]
    fn the_caller_comes_before_the_name() {
        assert!(Mode::of("deepseek-chat", Some(true), None).thinking);
        assert!(!Mode::of("deepseek-reasoner", Some(false), None).thinking);
        assert!(!Mode::of("deepseek-v4-pro-nothinking", Some(true), None).thinking);
        assert!(Mode::of("deepseek-chat", None, Some(true)).search);
    }
}
