//! DeepSeek's web API, as its own pages use it.
pub mod pow;
