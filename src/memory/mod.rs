//! What is remembered between the calls of one client key, sealed, for a while: stored responses, and the thoughts behind
//! tool calls.
mod memory_object;
mod store;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use worker::Env;

use crate::chat::ChatError;
use crate::rpc;

const BINDING: &str = "MEMORY";
/// For what a call cannot do without.
const DEADLINE: Duration = Duration::from_secs(10);
/// For what is better to have: a memory that is ill must not hold up answers, nor the accounts that gave them.
const SHORT_DEADLINE: Duration = Duration::from_secs(3);

/// The longest text that fits a row once it is sealed, in bytes.
pub const TEXT_MAX: usize = 1_400_000;

/// One thing to remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// By what it is found.
    pub id: String,
    /// What came before it, in a chain.
    pub previous: Option<String>,
    /// What is remembered.
    pub text: String,
    /// How long, in seconds.
    pub ttl_s: u64,
}

/// Things to remember together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keep {
    /// What.
    pub entries: Vec<Entry>,
    /// The most bytes that are kept in all.
    pub max_bytes: u64,
}

/// Asks for what is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Recall {
    /// By these ids.
    pub ids: Vec<String>,
    /// The chain that ends with this id.
    pub chain: Option<String>,
}

/// What is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Recalled {
    /// The texts that were found, by their ids.
    pub found: BTreeMap<String, String>,
    /// The texts of the chain, oldest first; `None` where one is missing.
    pub chain: Option<Vec<String>>,
}

/// Remembers for `owner`. A failure is logged, and the call it belongs to is not hurt.
pub async fn keep(env: &Env, owner: &str, keep: &Keep) {
    if !keep.entries.is_empty() {
        // The call logs its own failure.
        drop(rpc::call::<_, bool>(env, BINDING, owner, "keep", keep, SHORT_DEADLINE).await);
    }
}

/// What `owner` has of it.
///
/// # Errors
/// `Internal` when the memory does not answer.
pub async fn recall(env: &Env, owner: &str, recall: &Recall) -> Result<Recalled, ChatError> {
    rpc::call(env, BINDING, owner, "recall", recall, DEADLINE).await
}

/// What `owner` has of it, where the memory answers soon.
pub async fn recall_soon(env: &Env, owner: &str, recall: &Recall) -> Recalled {
    rpc::call(env, BINDING, owner, "recall", recall, SHORT_DEADLINE).await.unwrap_or_default()
}

/// Forgets these things. Whether any was there.
///
/// # Errors
/// `Internal` when the memory does not answer.
pub async fn forget(env: &Env, owner: &str, ids: Vec<&str>) -> Result<bool, ChatError> {
    rpc::call(env, BINDING, owner, "forget", &ids, DEADLINE).await
}
