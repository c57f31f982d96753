//! Admission: who may call which account, when (architecture §3).
//!
//! `state` is the pure machine, `admission` its decisions, `account`, `meter` and `window` what it knows of one account,
//! `pool` and `queue` its order; `journal` and `restore` are its life after death. `ledger_object` is the shell around
//! it, `store` its SQLite, `client` the way to it from a Worker, on which `settlements` wait for company.
mod account;
mod admission;
mod candidates;
pub mod client;
mod clock;
mod journal;
#[expect(missing_docs, reason = "the macro writes methods without them")]
mod ledger_object;
mod meter;
mod pool;
pub mod protocol;
mod queue;
mod restore;
mod settings;
mod settlements;
pub mod shard;
mod state;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod window;

pub use candidates::{Candidate, Candidates};
pub use clock::{Calendar, Day, Millis};
pub use journal::{CallRow, Owner, Record, Stored, TotalsRow};
pub use ledger_object::{LedgerObject, day_of};
pub use settings::{AccountSpec, KeySpec, LedgerView, Settings};
pub use state::{Admission, Ledger, Woken};
pub use status::{AccountStatus, Considered, Explanation, KeyStatus, Status, Usage};
