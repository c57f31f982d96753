//! Tokens of one call, as upstreams report them.
use serde::{Deserialize, Serialize};

/// Tokens that one call used. `completion` includes `reasoning`; `cached` is a part of `prompt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    pub prompt: u64,
    /// Tokens of the answer, reasoning included.
    pub completion: u64,
    /// Tokens of the answer that were reasoning.
    #[serde(default)]
    pub reasoning: u64,
    /// Tokens of the request that the upstream had cached.
    #[serde(default)]
    pub cached: u64,
}

impl Usage {
    /// Prompt and completion together.
    pub fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}
