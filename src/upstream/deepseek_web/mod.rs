//! DeepSeek's web chat (chat.deepseek.com), as its own clients speak to it.
pub mod decode;
