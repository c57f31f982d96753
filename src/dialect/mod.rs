//! The APIs that callers speak: bytes in, `chat` out, and back. A dialect never sees an upstream.
pub mod fields;
pub mod openai;
