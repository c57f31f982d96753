//! A call as it goes through the house: what routing and admission need of it, and its body.
use std::ops::Range;

use super::ChatRequest;

/// Answer tokens to reserve where the caller sets no bound.
const ANSWER_TOKENS: u64 = 1_000;
/// Answer tokens to reserve at most: agents send bounds of 128,000 and use a fraction.
const ANSWER_TOKENS_MAX: u64 = 4_000;
/// Bytes of JSON per token, between English (4 to 5) and Chinese (about 4 in UTF-8).
const BYTES_PER_TOKEN: u64 = 4;

/// What a call asks for; each has its route in OpenAI's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/chat/completions`
    Chat,
    /// `/completions`
    Completions,
    /// `/embeddings`
    Embeddings,
    /// `/moderations`
    Moderations,
}

impl Endpoint {
    /// The path below an OpenAI base URL.
    pub fn path(self) -> &'static str {
        match self {
            Endpoint::Chat => "/chat/completions",
            Endpoint::Completions => "/completions",
            Endpoint::Embeddings => "/embeddings",
            Endpoint::Moderations => "/moderations",
        }
    }

    /// The array that every good answer of this route holds, non-empty.
    pub fn results_field(self) -> &'static str {
        match self {
            Endpoint::Chat | Endpoint::Completions => "choices",
            Endpoint::Embeddings => "data",
            Endpoint::Moderations => "results",
        }
    }
}

/// One call, decoded as far as routing and admission need.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// What kind of call.
    pub endpoint: Endpoint,
    /// The model that the caller named.
    pub model: String,
    /// The caller wants a stream.
    pub stream: bool,
    /// A hash of the conversation's beginning, the same for all its turns.
    pub conversation: Option<u64>,
    /// An estimate of the tokens that the call will use.
    pub tokens: u64,
    /// What is asked.
    pub body: Body,
}

impl Envelope {
    /// About how many tokens a call will use: `bytes` of request, and an answer of at most `max_tokens`.
    pub fn estimate(bytes: usize, max_tokens: Option<u64>) -> u64 {
        let prompt = u64::try_from(bytes).unwrap_or(u64::MAX) / BYTES_PER_TOKEN;
        prompt.saturating_add(max_tokens.unwrap_or(ANSWER_TOKENS).min(ANSWER_TOKENS_MAX))
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Body {
    /// In OpenAI's format: a service that speaks it gets the caller's own bytes.
    Openai(Raw),
    /// In a format that every service needs translated.
    Chat {
        /// The chat.
        chat: Box<ChatRequest>,
        /// Its tokens, by our own count.
        prompt_tokens: u64,
    },
}

/// A body in OpenAI's format, unparsed. The spans are byte ranges of `bytes`.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The caller's JSON object, as it came.
    pub bytes: Vec<u8>,
    /// Where `model`'s value stands, if the caller gave one.
    pub model_span: Option<Range<usize>>,
    /// The caller wants the usage chunk of a stream.
    pub usage_asked: bool,
    /// Where `stream_options`' value stands.
    pub stream_options_span: Option<Range<usize>>,
    /// Where the value of `include_usage` stands.
    pub include_usage_span: Option<Range<usize>>,
    /// How many choices the caller wants: a stream is whole when as many have finished.
    pub choices: u64,
}
