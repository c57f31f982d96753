//! DeepSeek's web chat, reached with a user's own account. DeepSeek publishes no interface: the wire format is that of
//! `protocols: deepseek-web`, and may change any day.
pub mod call;
pub mod client;
pub mod decode;
pub mod models;
pub mod pow;
pub mod prompt;
pub mod reading;
pub mod session;
#[expect(missing_docs, reason = "the macro writes methods without them")]
pub mod session_object;
pub mod settings;
pub mod wire;
