//! The services that answer: `chat` in, their wire format out, and back. An upstream never sees a dialect.
pub mod bound;
pub mod decode;
pub mod deepseek_web;
pub mod failure;
pub mod fetch;
pub mod openai;
pub mod service;
pub mod text_only;
pub mod volcengine_console;
