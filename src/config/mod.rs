//! The configuration: one document, who may write it, and what each reader sees of it.
mod limits;

pub use limits::Limits;
