//! Bytes on their way: splicing, and the pipe between an upstream's body and a caller's.
pub mod pipe;
pub mod splice;
