//! The accounts that can serve one set of upstreams, in the order in which they would.
use std::collections::BTreeSet;

use super::account::{Rank, Standing};
use super::clock::Millis;

/// Indexes of one pool. No admission scans its accounts.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// The accounts that can take a call now.
    pub(super) eligible: BTreeSet<Rank>,
    /// Those that can from a moment on.
    pub(super) later: BTreeSet<(Millis, usize)>,
    /// Those that wait for a call in flight.
    pub(super) busy: BTreeSet<usize>,
    /// All its accounts.
    pub(super) members: Vec<usize>,
    /// Callers that wait for it.
    pub(super) waiting: usize,
    /// The first of them lacks only tokens: nobody may overtake it.
    pub(super) held: bool,
}

impl Pool {
    /// Moves an account from one standing to another.
    pub(super) fn restand(&mut self, index: usize, before: Standing, after: Standing) {
        match before {
            Standing::Eligible(rank) => drop(self.eligible.remove(&rank)),
            Standing::Later(at, _) => drop(self.later.remove(&(at, index))),
            Standing::Busy => drop(self.busy.remove(&index)),
            Standing::Closed(_) => {}
        }
        match after {
            Standing::Eligible(rank) => drop(self.eligible.insert(rank)),
            Standing::Later(at, _) => drop(self.later.insert((at, index))),
            Standing::Busy => drop(self.busy.insert(index)),
            Standing::Closed(_) => {}
        }
    }

    /// Whether no account can serve before somebody acts.
    pub(super) fn is_closed(&self) -> bool {
        self.eligible.is_empty() && self.later.is_empty() && self.busy.is_empty()
    }
}
