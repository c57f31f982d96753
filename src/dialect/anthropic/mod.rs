//! Anthropic's Messages API as callers speak it.
pub mod answer;
pub mod blocks;
pub mod error;
pub mod models;
pub mod request;
pub mod stream;
pub mod tools;
