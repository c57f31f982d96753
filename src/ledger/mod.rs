//! Admission: who may call which account, when.
pub mod protocol;
mod settings;

pub use settings::{AccountSpec, KeySpec, LedgerView, Settings};
