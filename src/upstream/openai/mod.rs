//! Any service that speaks OpenAI's format; Volcengine Ark and the DeepSeek platform with their own rules.
pub mod answer;
pub mod call;
pub mod chunks;
pub mod encode;
pub mod failure;
pub mod meter;
pub mod request;
pub mod thoughts;
