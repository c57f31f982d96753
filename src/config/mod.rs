//! The configuration: one document, who may write it, and what each reader sees of it.
mod backups;
mod backups_store;
pub mod client_key;
mod document;
mod edit;
mod former_store;
mod import;
mod limits;
mod locate;
mod logins;
mod presets;
mod read;
#[expect(missing_docs, reason = "the macro writes methods without them")]
mod registry_object;
pub mod route;
mod seal;
mod settings;
pub mod source;
mod store;
mod views;

pub use document::{Account, Document, Key, Kind, Upstream};
pub use edit::{Change, List, apply};
pub use limits::Limits;
pub use logins::{LoginAttempt, LoginVerdict};
pub use read::Reader;
pub use registry_object::{Applied, Apply, RegistryObject};
pub use seal::{Secrets, Vault};
pub use settings::{Deadlines, Memory, Queue, Settings};
pub use views::{Hot, KeyView, for_ledger};
