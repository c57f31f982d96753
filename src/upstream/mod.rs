//! The services that answer: `chat` in, their wire format out, and back. An upstream never sees a dialect.
pub mod deepseek_web;
pub mod openai;
