//! A call in OpenAI's format, unparsed but for what routing and metering need: what the fast path carries.
use std::ops::Range;

/// The OpenAI routes that carry a model.
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

/// One call. The spans are byte ranges of `body`.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The route.
    pub endpoint: Endpoint,
    /// The caller's JSON object, as it came.
    pub body: Vec<u8>,
    /// The model that the caller named.
    pub model: String,
    /// Where `model`'s value stands, if the caller gave one.
    pub model_span: Option<Range<usize>>,
    /// The caller wants a stream.
    pub stream: bool,
    /// The caller wants the usage chunk of a stream.
    pub usage_asked: bool,
    /// Where `stream_options`' value stands.
    pub stream_options_span: Option<Range<usize>>,
    /// Where the value of `include_usage` stands.
    pub include_usage_span: Option<Range<usize>>,
    /// How many choices the caller wants: a stream is whole when as many have finished.
    pub choices: u64,
    /// A hash of the conversation's beginning, the same for all its turns.
    pub conversation: Option<u64>,
    /// An estimate of the tokens that the call will use.
    pub tokens: u64,
}
