//! Callers who wait: first come, first served, and fair between client keys (start-time fair queueing).
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::clock::Millis;
use super::protocol::AdmitRequest;

/// A waiter's place: its round, then when it came.
pub(super) type Place = (u64, u64);

#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub(super) request: AdmitRequest,
    pub(super) key: usize,
    pub(super) pool: u64,
    pub(super) since: Millis,
    pub(super) deadline: Millis,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiters: BTreeMap<Place, Waiter>,
    tickets: HashMap<String, Place>,
    deadlines: BTreeSet<(Millis, Place)>,
    /// The last round of each key.
    rounds: HashMap<usize, u64>,
    /// The round that is being served.
    round: u64,
    arrivals: u64,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// A key's second waiter comes a round after its first, whoever else waits.
    pub(super) fn push(&mut self, waiter: Waiter) {
        let next = self.rounds.get(&waiter.key).map_or(0, |round| round.saturating_add(1));
        let round = next.max(self.round);
        self.rounds.insert(waiter.key, round);
        self.arrivals = self.arrivals.saturating_add(1);
        let place = (round, self.arrivals);
        self.tickets.insert(waiter.request.ticket.clone(), place);
        self.deadlines.insert((waiter.deadline, place));
        self.waiters.insert(place, waiter);
    }

    /// Brings a waiter's deadline forward.
    pub(super) fn end_by(&mut self, place: Place, at: Millis) {
        if let Some(waiter) = self.waiters.get_mut(&place)
            && at < waiter.deadline
        {
            self.deadlines.remove(&(waiter.deadline, place));
            waiter.deadline = at;
            self.deadlines.insert((at, place));
        }
    }

    /// All places in the order in which they are served.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.waiters.keys().copied()
    }

    pub(super) fn after(&self, place: Option<Place>) -> Option<(Place, &Waiter)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = place.map_or(Unbounded, Excluded);
        self.waiters.range((from, Unbounded)).next().map(|(place, waiter)| (*place, waiter))
    }

    pub(super) fn get(&self, place: Place) -> Option<&Waiter> {
        self.waiters.get(&place)
    }

    /// Takes a waiter out; `served` moves the round on.
    pub(super) fn remove(&mut self, place: Place, served: bool) -> Option<Waiter> {
        let waiter = self.waiters.remove(&place)?;
        self.tickets.remove(&waiter.request.ticket);
        self.deadlines.remove(&(waiter.deadline, place));
        if served {
            self.round = self.round.max(place.0);
        }
        if self.waiters.is_empty() {
            self.rounds.clear();
        }
        Some(waiter)
    }

    /// Forgets the round of a key.
    pub(super) fn forget(&mut self, key: usize) {
        self.rounds.remove(&key);
    }

    pub(super) fn place_of(&self, ticket: &str) -> Option<Place> {
        self.tickets.get(ticket).copied()
    }

    /// The place whose deadline comes first, with that deadline.
    pub(super) fn first_deadline(&self) -> Option<(Millis, Place)> {
        self.deadlines.first().copied()
    }
}
