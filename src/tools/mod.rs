//! Tool calls for a service that has no tools: the model is told in its prompt how to write a call, and what it writes is
//! read for calls.
//!
//! Models are told one syntax, tags with `CDATA`, since they break the escapes of long texts in JSON far more often. They
//! were trained on others, so those are read too: the same tags with `DSML` and bars in them, `<tool_call>` and
//! `<｜tool▁calls▁begin｜>` around JSON, and an answer that is nothing but `{"tool_calls": …}`.
//!
//! A call whose arguments do not fit their schema is brought closer where that is safe, and given to the caller as it is
//! otherwise: an agent answers a bad call with an error that the model can learn from, and a lost call with nothing. But a
//! tool that is `strict` is not called with what does not fit: the answer has failed then.
mod json;
mod markup;
mod parse;
mod prompt;
mod schema;

pub use parse::{Parser, call_id};
pub use prompt::{format_instructions, instructions, render_calls, render_result};
pub use schema::misfit;
