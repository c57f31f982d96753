//! DeepSeek's web chat, reached with a user's own account. DeepSeek publishes no interface: the wire format is that of
//! `protocols: deepseek-web`, and may change any day.
pub mod models;
pub mod prompt;
pub mod settings;
pub mod wire;
