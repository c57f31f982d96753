//! The ledger itself: a pure state machine over a clock that the caller hands in.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::account::{Account, Health, Standing};
use super::clock::{Calendar, Day, Millis};
use super::journal::{Owner, Record};
use super::lease::Lease;
use super::meter::Meter;
use super::pool::Pool;
use super::protocol::{AdmitRequest, Grant, Refusal};
use super::queue::Queue;
use super::settings::{KeySpec, LedgerView, Settings};
use super::sticky::Sticky;
use super::tournament::Tournament;
use crate::chat::Outcome;
use crate::config::Limits;

/// The answer to a request for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A lease.
    Granted(Grant),
    /// A place in the queue; `wake` tells when its time has come.
    Waiting,
    /// No.
    Refused(Refusal),
}

/// A waiter whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Woken {
    /// From its request.
    pub ticket: String,
    /// A lease to confirm, or no.
    pub result: Result<Grant, Refusal>,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) spec: KeySpec,
    pub(super) meter: Meter,
    pub(super) removed: bool,
}

/// Admission for all accounts.
pub struct Ledger<C> {
    pub(super) settings: Settings,
    pub(super) calendar: C,
    pub(super) now: Millis,
    pub(super) today: Day,
    pub(super) random: fastrand::Rng,
    pub(super) accounts: Vec<Account>,
    pub(super) account_index: HashMap<String, usize>,
    /// Places in `accounts` that are nobody's.
    pub(super) free_accounts: Vec<usize>,
    pub(super) clients: Vec<Client>,
    pub(super) client_index: HashMap<String, usize>,
    /// Places in `clients` that are nobody's.
    pub(super) free_clients: Vec<usize>,
    pub(super) leases: HashMap<u64, Lease>,
    pub(super) expiries: BTreeSet<(Millis, u64)>,
    /// When each account must be looked at again.
    pub(super) wakes: Tournament<Millis>,
    pub(super) pools: BTreeMap<u64, Pool>,
    pub(super) pool_index: HashMap<Vec<String>, u64>,
    pub(super) next_pool: u64,
    pub(super) queue: Queue,
    pub(super) sticky: Sticky,
    /// The last call's number. Goes on after a restart, so that no lease is named twice.
    pub(super) seq: u64,
    pub(super) next_checkpoint: Millis,
    pub(super) records: Vec<Record>,
    pub(super) woken: Vec<Woken>,
}

impl Client {
    /// Of whom nothing is known but the id.
    pub(super) fn unknown(id: &str) -> Client {
        let spec = KeySpec { id: id.to_owned(), limits: Limits::default(), enabled: false, expires_at_ms: None };
        Client { spec, meter: Meter::default(), removed: true }
    }
}

impl<C: Calendar> Ledger<C> {
    /// An empty ledger. `seed` decides the jitter: same seed, same answers.
    pub fn new(calendar: C, seed: u64) -> Self {
        Ledger {
            settings: Settings::default(),
            calendar,
            now: 0,
            today: Day::default(),
            random: fastrand::Rng::with_seed(seed),
            accounts: Vec::new(),
            account_index: HashMap::new(),
            free_accounts: Vec::new(),
            clients: Vec::new(),
            client_index: HashMap::new(),
            free_clients: Vec::new(),
            leases: HashMap::new(),
            expiries: BTreeSet::new(),
            wakes: Tournament::default(),
            pools: BTreeMap::new(),
            pool_index: HashMap::new(),
            next_pool: 0,
            queue: Queue::default(),
            sticky: Sticky::default(),
            seq: 0,
            next_checkpoint: 0,
            records: Vec::new(),
            woken: Vec::new(),
        }
    }

    /// Goes by a new configuration. Who stays keeps counters and leases, and so does who comes back while any of it counts;
    /// who is gone has its leases settled as ever.
    pub fn configure(&mut self, now: Millis, view: LedgerView) {
        self.settings = view.settings;
        self.today = Day::default();
        let now = self.advance(now);
        self.forget_gone(now);
        let before = self.accounts.iter_mut().map(|account| std::mem::replace(&mut account.removed, true));
        let removed_before: Vec<bool> = before.collect();
        for spec in view.accounts {
            let known = self.account_index.get(&spec.id).copied();
            match known.and_then(|index| Some((self.accounts.get_mut(index)?, removed_before.get(index)?))) {
                Some((account, returns)) => account.respecify(spec, *returns),
                None => drop(self.add_account(Account::new(spec))),
            }
        }
        for client in &mut self.clients {
            client.removed = true;
        }
        for spec in view.keys {
            match self.client_index.get(&spec.id).and_then(|index| self.clients.get_mut(*index)) {
                Some(client) => {
                    client.removed = false;
                    client.meter.limits = spec.limits;
                    client.spec = spec;
                }
                None => {
                    let meter = Meter { limits: spec.limits, ..Meter::default() };
                    self.add_client(Client { spec, meter, removed: false });
                }
            }
        }
        for index in 0..self.accounts.len() {
            if self.accounts.get(index).is_some_and(|account| account.dirty) {
                self.store_totals(Owner::Account, index);
            }
        }
        self.rebuild_pools(now);
        self.revise_waiters(now);
        self.serve(now);
    }

    /// Asks for one call.
    pub fn admit(&mut self, now: Millis, request: &AdmitRequest) -> Admission {
        let now = self.advance(now);
        self.serve(now);
        let Some(key) = self.usable_key(now, &request.key) else {
            return Admission::Refused(Self::key_revoked());
        };
        let pool = self.pool(now, &request.upstreams);
        match self.try_grant(now, request, key, pool, None) {
            Ok(grant) => Admission::Granted(grant),
            Err(obstacle) => self.wait_or_refuse(now, request, key, pool, obstacle),
        }
    }

    /// Counts an account's uses from 0 again, and takes it for well; false where there is no such account.
    pub fn reset(&mut self, now: Millis, account: &str) -> bool {
        let now = self.advance(now);
        let Some(index) = self.account_index.get(account).copied() else { return false };
        let Some(account) = self.accounts.get_mut(index).filter(|account| !account.removed) else { return false };
        account.meter.uses = 0;
        account.health = Health::default();
        self.store_totals(Owner::Account, index);
        self.refresh(now, index);
        self.serve(now);
        true
    }

    /// Learns from an operator's test of an account, which had no lease; false where there is no such account. One that
    /// answered is well, whatever was wrong with it.
    pub fn tested(&mut self, now: Millis, account: &str, outcome: &Outcome) -> bool {
        let now = self.advance(now);
        let Some(index) = self.account_index.get(account).copied() else { return false };
        let Some(account) = self.accounts.get_mut(index).filter(|account| !account.removed) else { return false };
        if let Outcome::Success { .. } = outcome {
            account.health = Health::default();
        } else {
            account.learn(now, outcome, &self.settings.cooling, &mut self.random);
        }
        self.store_totals(Owner::Account, index);
        self.refresh(now, index);
        self.serve(now);
        true
    }

    /// Gives up a place in the queue; false where it had none.
    pub fn cancel(&mut self, now: Millis, ticket: &str) -> bool {
        let now = self.advance(now);
        let Some(place) = self.queue.place_of(ticket) else { return false };
        self.leave_queue(place, false);
        self.serve(now);
        true
    }

    /// Does what is due, and says whose time has come. To be called after every other call, and at [`Ledger::next_alarm`].
    pub fn wake(&mut self, now: Millis) -> Vec<Woken> {
        let now = self.advance(now);
        self.serve(now);
        std::mem::take(&mut self.woken)
    }

    /// When something will be due.
    pub fn next_alarm(&self) -> Option<Millis> {
        let expiry = self.expiries.first().map(|(at, _)| *at);
        if self.queue.len() == 0 {
            return expiry;
        }
        let deadline = self.queue.first_deadline().map(|(at, _)| at);
        let wake = self.wakes.first().map(|(at, _)| at);
        let key = self.queue.places().filter_map(|place| self.key_opens(place)).min();
        [expiry, deadline, wake, key].into_iter().flatten().min()
    }

    /// What is to be stored since the last time.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// Moves time on. It never goes back.
    pub(super) fn advance(&mut self, now: Millis) -> Millis {
        self.now = self.now.max(now);
        let now = self.now;
        if !self.today.contains(now) {
            self.today = self.calendar.day(&self.settings.timezone, now);
        }
        self.expire(now);
        while let Some((at, index)) = self.wakes.first()
            && at <= now
        {
            self.refresh(now, index);
        }
        if self.next_checkpoint <= now {
            self.checkpoint(now);
        }
        now
    }

    /// Takes an account in, at a free place where there is one; answers its index.
    pub(super) fn add_account(&mut self, account: Account) -> usize {
        let id = account.spec.id.clone();
        let index = put(&mut self.accounts, &mut self.free_accounts, account);
        self.account_index.insert(id, index);
        index
    }

    /// Takes a key in, likewise.
    pub(super) fn add_client(&mut self, client: Client) -> usize {
        let id = client.spec.id.clone();
        let index = put(&mut self.clients, &mut self.free_clients, client);
        self.client_index.insert(id, index);
        index
    }

    /// Looks at an account again, and moves it in its pools.
    pub(super) fn refresh(&mut self, now: Millis, index: usize) {
        let today = self.today;
        let Some(account) = self.accounts.get_mut(index) else { return };
        let before = account.standing;
        let after = account.look(now, today);
        let until = match after {
            Standing::Later(at, _) => Some(at),
            _ => None,
        };
        self.wakes.set(index, [until, account.meter.next_change(today)].into_iter().flatten().min());
        if after != before {
            account.standing = after;
            for (pool, seat) in &account.seats {
                if let Some(pool) = self.pools.get_mut(pool) {
                    pool.restand(*seat, after);
                }
            }
        }
    }
}

fn put<T>(places: &mut Vec<T>, free: &mut Vec<usize>, item: T) -> usize {
    let index = free.pop().unwrap_or(places.len());
    match places.get_mut(index) {
        Some(place) => *place = item,
        None => places.push(item),
    }
    index
}
