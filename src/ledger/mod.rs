//! Admission: who may call which account, when.
pub mod protocol;
