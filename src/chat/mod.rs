//! The vocabulary that dialects and upstreams share. No I/O, and no other room's words.
mod error;
mod usage;

pub use error::{ChatError, ErrorKind, Passed};
pub use usage::Usage;
