//! A chat in no dialect: what an upstream that does not speak the caller's language is asked.
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::ChatError;

/// One chat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    /// The conversation, oldest first; never empty.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must, may, or must not.
    pub tool_choice: ToolChoice,
    /// Whether one answer may hold several calls.
    pub parallel_tool_calls: bool,
    /// What the answer's text must be.
    pub format: Format,
    /// Whether the model shall think first; `None` leaves it to the model's name.
    pub reasoning: Option<bool>,
    /// How hard it shall think: `low`, `medium`, `high`, … in the caller's word.
    pub effort: Option<String>,
    /// Whether the model shall search the web; `None` leaves it to the model's name.
    pub search: Option<bool>,
    /// Texts that end the answer, and are not part of it.
    pub stop: Vec<String>,
    /// The longest answer, in tokens.
    pub max_tokens: Option<u64>,
    /// How freely it chooses its words.
    pub temperature: Option<f64>,
    /// Of how many likely words it chooses.
    pub top_p: Option<f64>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The application. OpenAI's `developer` too.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// What a tool gave back.
    Tool,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
    /// What the model thought before it spoke.
    pub reasoning: Option<String>,
    /// What the model called.
    pub tool_calls: Vec<ToolCall>,
    /// Which call a tool's message answers.
    pub tool_call_id: Option<String>,
    /// The tool could not do what it was called for.
    pub failed: bool,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(String),
    /// An image.
    Image {
        /// An `https:` or `data:` URL.
        url: String,
        /// How closely it is to be looked at: `low`, `high`, … in the caller's word.
        detail: Option<String>,
        /// Where it stands in the caller's request, as a JSON path.
        at: String,
    },
    /// A document.
    File {
        /// Its name, where the caller gave one.
        name: Option<String>,
        /// A `data:` URL.
        data: String,
        /// Where it stands in the caller's request, as a JSON path.
        at: String,
    },
}

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments; `{}` where the caller gave none.
    pub parameters: Value,
    /// Whether arguments must fit the schema exactly.
    pub strict: Option<bool>,
}

/// Whether the model calls tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// No.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// A call that the model made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// What the tool's answer refers to.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// Its arguments, a JSON text.
    pub arguments: String,
}

/// What the answer's text must be.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// Anything.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON that fits a schema.
    Schema {
        /// The schema.
        schema: Value,
        /// Its name, where the caller gave one.
        name: Option<String>,
        /// Whether the answer must fit it exactly.
        strict: Option<bool>,
    },
}

impl Message {
    /// A message that says nothing yet.
    pub fn empty(role: Role) -> Message {
        Message { role, parts: Vec::new(), reasoning: None, tool_calls: Vec::new(), tool_call_id: None, failed: false }
    }

    /// A message of one text.
    pub fn new(role: Role, text: impl Into<String>) -> Message {
        Message { parts: vec![Part::Text(text.into())], ..Message::empty(role) }
    }

    /// Where a tool's result goes among these messages: behind the calls and the other results. OpenAI-format services
    /// take it nowhere else.
    pub fn place(&self, messages: &[Message]) -> Option<usize> {
        let id = self.tool_call_id.as_deref();
        let calls = |message: &Message| message.tool_calls.iter().any(|call| Some(call.id.as_str()) == id);
        let at = messages.iter().rposition(calls)?.saturating_add(1);
        let results = messages.get(at..)?.iter().take_while(|message| message.role == Role::Tool).count();
        Some(at.saturating_add(results))
    }

    /// A tool's result whose call is not in the conversation (any more), as a user would tell it. Pictures are named alone:
    /// a model that reads none could never go on.
    pub fn as_users(self) -> Message {
        let heading = if self.failed { "[A tool failed]" } else { "[Result of a tool]" };
        let texts = self.parts.into_iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Image { .. } => "[image]".to_owned(),
            Part::File { .. } => "[file]".to_owned(),
        });
        let text = [heading.to_owned()].into_iter().chain(texts).collect::<Vec<_>>().join("\n");
        Message::new(Role::User, text)
    }

    /// The text of all parts, joined by line breaks.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image { .. } | Part::File { .. } => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

impl ChatRequest {
    /// The assistant's messages that call tools and do not say with what thoughts.
    pub fn silent_callers(&mut self) -> impl Iterator<Item = &mut Message> {
        let is_silent = |message: &&mut Message| !message.tool_calls.is_empty() && message.reasoning.is_none();
        self.messages.iter_mut().filter(is_silent)
    }

    /// Whether anybody but a tool shows more than text.
    pub fn shows(&self) -> bool {
        let is_shown = |part: &Part| !matches!(part, Part::Text(_));
        self.messages.iter().any(|message| message.role != Role::Tool && message.parts.iter().any(is_shown))
    }

    /// A hash of the messages up to the first one of the user: every later turn of the conversation begins with them.
    pub fn conversation(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for message in &self.messages {
            message.text().hash(&mut hasher);
            if message.role == Role::User {
                break;
            }
        }
        hasher.finish()
    }

    /// The same chat for a model that reads text alone. In a tool's result a note takes the place of a picture, else an
    /// agent whose tool once gave one could never go on (api-conformance C7, A16).
    ///
    /// # Errors
    /// `InvalidRequest` that names a picture or document which the user sent.
    pub fn without_media(mut self) -> Result<ChatRequest, ChatError> {
        for message in &mut self.messages {
            let role = message.role;
            for part in &mut message.parts {
                let (kind, at) = match part {
                    Part::Text(_) => continue,
                    Part::Image { at, .. } => ("image", at),
                    Part::File { at, .. } => ("file", at),
                };
                if role != Role::Tool {
                    return Err(ChatError::field(at.as_str(), format!("`{at}`: this model reads no `{kind}`.")));
                }
                *part = Part::Text(format!("[{kind}: this model reads text alone]"));
            }
        }
        Ok(self)
    }
}
