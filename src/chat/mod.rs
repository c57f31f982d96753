//! The vocabulary that dialects and upstreams share. No I/O, and no other room's words.
mod envelope;
mod error;
mod outcome;
mod usage;

pub use envelope::{Endpoint, Envelope};
pub use error::{ChatError, ErrorKind, Passed};
pub use outcome::Outcome;
pub use usage::Usage;
