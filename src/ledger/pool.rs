//! The accounts that can serve one set of upstreams, in the order in which they would.
use std::collections::BTreeSet;

use super::account::{Rank, Standing};
use super::clock::{Calendar, Millis};
use super::state::Ledger;
use super::tournament::Tournament;

/// Pools kept at once; each is one distinct set of upstreams.
const POOLS_MAX: usize = 256;

/// Indexes of one pool. No admission scans its accounts.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// All its accounts, by their seats.
    pub(super) members: Vec<usize>,
    /// The accounts that can take a call now.
    eligible: Tournament<Rank>,
    /// Those that can from a moment on.
    later: Tournament<Millis>,
    /// The seats of those that wait for a call in flight.
    busy: BTreeSet<usize>,
    /// Callers that wait for it.
    pub(super) waiting: usize,
    /// The first of them lacks only tokens: nobody may overtake it.
    pub(super) held: bool,
}

impl Pool {
    /// Takes an account in; answers its seat.
    pub(super) fn join(&mut self, index: usize, standing: Standing) -> usize {
        let seat = self.members.len();
        self.members.push(index);
        self.restand(seat, standing);
        seat
    }

    /// Lets all accounts go; who waits, waits on.
    pub(super) fn clear(&mut self) {
        *self = Pool { waiting: self.waiting, ..Pool::default() };
    }

    /// Notes how the account at a seat stands now.
    pub(super) fn restand(&mut self, seat: usize, standing: Standing) {
        let rank = if let Standing::Eligible(rank) = standing { Some(rank) } else { None };
        let later = if let Standing::Later(at, _) = standing { Some(at) } else { None };
        self.eligible.set(seat, rank);
        self.later.set(seat, later);
        match standing {
            Standing::Busy => drop(self.busy.insert(seat)),
            _ => drop(self.busy.remove(&seat)),
        }
    }

    /// The best account that can take a call now and is accepted.
    pub(super) fn best(&self, mut accepts: impl FnMut(usize) -> bool) -> Option<(Rank, usize)> {
        let (rank, seat) = self.eligible.best(|seat| self.members.get(seat).is_some_and(|index| accepts(*index)))?;
        Some((rank, *self.members.get(seat)?))
    }

    /// The accounts that can take a call now, in no order.
    pub(super) fn eligible(&self) -> impl Iterator<Item = usize> {
        self.eligible.iter().filter_map(|(_, seat)| self.members.get(seat).copied())
    }

    /// Those that can from a moment on, the earliest first.
    pub(super) fn later(&self) -> impl Iterator<Item = (Millis, usize)> {
        self.later.ascending().filter_map(|(at, seat)| Some((at, *self.members.get(seat)?)))
    }

    /// Those that wait for a call in flight.
    pub(super) fn busy(&self) -> impl Iterator<Item = usize> {
        self.busy.iter().filter_map(|seat| self.members.get(*seat).copied())
    }

    /// Whether any account can take a call now.
    pub(super) fn is_open(&self) -> bool {
        self.eligible.len() > 0
    }

    /// Whether all accounts can take a call now.
    pub(super) fn is_whole(&self) -> bool {
        self.eligible.len() == self.members.len()
    }

    /// Whether no account can serve before somebody acts.
    pub(super) fn is_closed(&self) -> bool {
        self.eligible.len() == 0 && self.later.len() == 0 && self.busy.is_empty()
    }
}

impl<C: Calendar> Ledger<C> {
    /// The pool of these upstreams.
    pub(super) fn pool(&mut self, now: Millis, upstreams: &[String]) -> u64 {
        let mut names = upstreams.to_vec();
        names.sort_unstable();
        names.dedup();
        if let Some(pool) = self.pool_index.get(&names) {
            return *pool;
        }
        if self.pools.len() >= POOLS_MAX {
            self.drop_idle_pools();
        }
        let id = self.next_pool;
        self.next_pool = self.next_pool.saturating_add(1);
        self.pools.insert(id, Pool::default());
        self.fill_pool(now, id, &names);
        self.pool_index.insert(names, id);
        id
    }

    fn fill_pool(&mut self, now: Millis, id: u64, names: &[String]) {
        for index in 0..self.accounts.len() {
            self.refresh(now, index);
            let Some(account) = self.accounts.get_mut(index) else { continue };
            let Some(pool) = self.pools.get_mut(&id) else { return };
            if !account.removed && names.binary_search(&account.spec.upstream).is_ok() {
                account.seats.push((id, pool.join(index, account.standing)));
            }
        }
    }

    pub(super) fn rebuild_pools(&mut self, now: Millis) {
        for account in &mut self.accounts {
            account.seats.clear();
        }
        let names: Vec<(Vec<String>, u64)> = self.pool_index.iter().map(|(names, id)| (names.clone(), *id)).collect();
        for (names, id) in names {
            if let Some(pool) = self.pools.get_mut(&id) {
                pool.clear();
            }
            self.fill_pool(now, id, &names);
        }
        for index in 0..self.accounts.len() {
            self.refresh(now, index);
        }
    }

    fn drop_idle_pools(&mut self) {
        self.pools.retain(|_, pool| pool.waiting > 0);
        self.pool_index.retain(|_, id| self.pools.contains_key(id));
        for account in &mut self.accounts {
            account.seats.retain(|(id, _)| self.pools.contains_key(id));
        }
    }
}
