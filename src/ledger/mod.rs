//! Admission: who may call which account, when (architecture §3).
//!
//! `state` is the pure machine, `admission` its decisions and `lease` what becomes of them; `account`, `meter` and `window`
//! are what it knows of one account, `sticky` of a conversation; `pool`, `tournament` and `queue` are its order, `journal`
//! and `restore` its life after death, `gone` the end of what the configuration no longer has. `ledger_object` is the shell
//! around it, `store` its SQLite, `client` the way to it from a Worker, on which `settlements` wait for company.
mod account;
mod admission;
mod candidates;
pub mod client;
mod clock;
mod gone;
mod journal;
mod lease;
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
mod sticky;
mod store;
#[cfg(test)]
mod tests;
mod tournament;
mod window;

pub use candidates::{Candidate, Candidates};
pub use clock::{Calendar, Day, Millis};
pub use journal::{CallRow, Owner, Record, Stored, TotalsRow};
pub use ledger_object::{LedgerObject, day_of};
pub use settings::{AccountSpec, Cooling, KeySpec, LedgerView, Settings};
pub use state::{Admission, Ledger, Woken};
pub use status::{AccountStatus, Considered, Explanation, KeyStatus, Status, Usage};
