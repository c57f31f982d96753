//! OpenAI's API as callers speak it.
pub mod answer;
pub mod chat;
pub mod error;
pub mod models;
pub mod request;
pub mod responses;
