//! Settlements on their way to the ledger. They travel with the next admission of their isolate, before it is decided,
//! and after a moment by themselves: a busy gateway saves one of two Durable Object requests for a call.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use worker::{Date, Delay};

use super::protocol::SettleRequest;

/// How long a settlement waits for an admission that takes it along. Short, since a place may be wanted elsewhere.
const WAIT_MS: u64 = 10;
/// When the task that was to send the waiting ones is this late, it is gone: another one does.
const LATE_MS: u64 = 1_000;

#[derive(Default)]
struct Waiting {
    by_shard: BTreeMap<u32, Vec<SettleRequest>>,
    /// When they are sent; 0 where no task waits to do so.
    due_ms: u64,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
}

/// Adds what waits for a shard. To settle twice does no harm: what may not have arrived is added again.
pub(super) fn add(shard: u32, ended: impl IntoIterator<Item = SettleRequest>) {
    WAITING.with_borrow_mut(|waiting| waiting.by_shard.entry(shard).or_default().extend(ended));
}

/// Takes what waits for a shard.
pub(super) fn take(shard: u32) -> Vec<SettleRequest> {
    WAITING.with_borrow_mut(|waiting| waiting.by_shard.remove(&shard)).unwrap_or_default()
}

/// Takes all that waits.
pub(super) fn take_all() -> BTreeMap<u32, Vec<SettleRequest>> {
    WAITING.with_borrow_mut(|waiting| std::mem::take(&mut waiting.by_shard))
}

/// Waits a moment, then takes what still waits; nothing where another task will.
pub(super) async fn take_rest() -> BTreeMap<u32, Vec<SettleRequest>> {
    let now = Date::now().as_millis();
    let is_sender = WAITING.with_borrow_mut(|waiting| {
        let is_sender = !waiting.by_shard.is_empty() && waiting.due_ms.saturating_add(LATE_MS) < now;
        if is_sender {
            waiting.due_ms = now.saturating_add(WAIT_MS);
        }
        is_sender
    });
    if !is_sender {
        return BTreeMap::new();
    }
    Delay::from(Duration::from_millis(WAIT_MS)).await;
    WAITING.take().by_shard
}
