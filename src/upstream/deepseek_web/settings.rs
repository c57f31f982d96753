//! What an operator may set about DeepSeek's web chat.
use serde::{Deserialize, Serialize};

/// `settings.deepseek_web` of the document. Weir names the client whose interface it uses, and forges nothing else: the
/// device id is the user's own or a plain word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepseekWeb {
    /// `x-client-version`. Default `2.5.1`.
    pub client_version: String,
    /// `x-client-platform`, and `os` at login. Default `android`.
    pub platform: String,
    /// `x-client-locale`. Default `zh_CN`.
    pub locale: String,
    /// `User-Agent`. Default `DeepSeek/2.5.1 Android/35`.
    pub user_agent: String,
    /// `device_id` at login. DeepSeek may insist on one of its own making: take it from your browser, or paste a token
    /// instead of a password. Default `weir`.
    pub device_id: String,
    /// How a conversation becomes the one text that the chat takes. Default `native`.
    pub prompt: PromptStyle,
    /// What becomes of the marks by which a text refers to a page. Default `links`.
    pub citations: CitationStyle,
    /// Whether a conversation is deleted after its answer, at a gentle pace. Default true.
    pub delete_sessions: bool,
    /// The longest conversation, in tokens, that a caller is told of whose own is too long: the chat names no number, and
    /// agents shorten a conversation by the numbers. Default 131072.
    pub context_tokens: u64,
    /// How often an answer that reached the chat's length bound is continued. Default 4.
    pub continue_max: u32,
    /// How long a prepared conversation waits for the account's next call, in seconds; 0 prepares none. Default 120.
    pub warm_s: u64,
}

/// How a conversation becomes one text (protocols: §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptStyle {
    /// The model's own marks for user and assistant; the opening system text stands bare.
    #[default]
    Native,
    /// The model's own marks for every role.
    Full,
    /// `<User>:` and the like.
    Plain,
}

/// What becomes of the marks by which a text refers to a page. Where no page was searched, they are plain text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CitationStyle {
    /// Markdown: `[N](url)`.
    #[default]
    Links,
    /// Nothing.
    Dropped,
}

impl Default for DeepseekWeb {
    fn default() -> Self {
        DeepseekWeb {
            client_version: "2.5.1".to_owned(),
            platform: "android".to_owned(),
            locale: "zh_CN".to_owned(),
            user_agent: "DeepSeek/2.5.1 Android/35".to_owned(),
            device_id: "weir".to_owned(),
            prompt: PromptStyle::default(),
            citations: CitationStyle::default(),
            delete_sessions: true,
            context_tokens: 131_072,
            continue_max: 4,
            warm_s: 120,
        }
    }
}
