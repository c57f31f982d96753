//! OpenAI's API as callers speak it.
pub mod error;
pub mod models;
pub mod request;
