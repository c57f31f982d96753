//! The vocabulary that dialects and upstreams share. No I/O, and no other room's words.
mod envelope;
mod error;
mod event;
mod outcome;
mod request;
mod usage;

pub use envelope::{Body, Endpoint, Envelope, Raw};
pub use error::{ChatError, ErrorKind, Passed};
pub use event::{ChatEvent, Citation, FinishReason};
pub use outcome::Outcome;
pub use request::{ChatRequest, Format, Message, Part, Role, Tool, ToolCall, ToolChoice};
pub use usage::Usage;
