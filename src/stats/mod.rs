//! What the calls of the past came to: figures by hour and day, a log of the latest calls, and the log of admin writes.
//!
//! A call leaves a [`Record`] after its caller has the last byte. The records of an isolate wait a moment for each other, so
//! that a busy one stores many with one request to the Durable Object, which writes two rows for all of them.
mod capture;
pub mod client;
mod figures;
mod histogram;
mod line;
pub mod plan;
mod record;
mod settings;
#[expect(missing_docs, reason = "the macro writes methods without them")]
mod stats_object;
mod store;
mod waiting;

pub use capture::Capture;
pub use record::{Record, Try};
pub use settings::{BATCH_MS_MAX, BODY_BYTES_MAX, LOG_MAX, NAMES_MAX, Stats};
pub use stats_object::StatsObject;
