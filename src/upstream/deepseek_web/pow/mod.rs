//! The proof of work that DeepSeek's web API asks for: a [`Challenge`] comes with each call, [`solve`] finds its answer,
//! and the [`header`](Challenge::header) goes with the call it was made for. An answer serves once.
mod challenge;
mod solver;

pub use challenge::{Challenge, HEADER};
pub use solver::{Progress, Solver, hash, solve};

#[cfg(test)]
mod tests;
