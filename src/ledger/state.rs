//! The ledger itself: a pure state machine over a clock that the caller hands in.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::account::{Account, Health, Standing};
use super::clock::{Calendar, Day, Millis};
use super::journal::{CallRow, Owner, Record, TotalsRow};
use super::meter::Meter;
use super::pool::Pool;
use super::protocol::{AdmitRequest, Grant, Refusal};
use super::queue::Queue;
use super::settings::{KeySpec, LedgerView, Settings};
use crate::chat::Outcome;

/// How often totals are stored, and calls that are no longer needed are forgotten.
const CHECKPOINT_MS: Millis = 60_000;
/// Pools kept at once; each is one distinct set of upstreams.
const POOLS_MAX: usize = 256;

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

#[derive(Debug)]
pub(super) struct Lease {
    pub(super) account: usize,
    pub(super) key: usize,
    pub(super) admitted: Millis,
    pub(super) day: Millis,
    pub(super) expires: Millis,
    pub(super) reserved: u64,
    pub(super) key_reserved: u64,
    pub(super) unconfirmed: bool,
}

/// Where a conversation was served last.
#[derive(Debug, Default)]
pub(super) struct Sticky {
    accounts: HashMap<(usize, String), (usize, Millis)>,
    by_time: BTreeSet<(Millis, usize, String)>,
}

/// Conversations remembered; the oldest go first.
const STICKY_MAX: usize = 10_000;

/// Admission for all accounts.
pub struct Ledger<C> {
    pub(super) settings: Settings,
    pub(super) calendar: C,
    pub(super) now: Millis,
    pub(super) today: Day,
    pub(super) random: fastrand::Rng,
    pub(super) accounts: Vec<Account>,
    pub(super) account_index: HashMap<String, usize>,
    pub(super) clients: Vec<Client>,
    pub(super) client_index: HashMap<String, usize>,
    pub(super) leases: HashMap<u64, Lease>,
    pub(super) expiries: BTreeSet<(Millis, u64)>,
    pub(super) wakes: BTreeSet<(Millis, usize)>,
    pub(super) pools: BTreeMap<u64, Pool>,
    pool_index: HashMap<Vec<String>, u64>,
    next_pool: u64,
    pub(super) queue: Queue,
    pub(super) sticky: Sticky,
    /// The last call's number. Starts at the time of the object's birth, so that no lease is named twice.
    pub(super) seq: u64,
    pub(super) next_checkpoint: Millis,
    pub(super) dirty: BTreeSet<(Owner, usize)>,
    pub(super) records: Vec<Record>,
    pub(super) woken: Vec<Woken>,
}

impl<C: Calendar> Ledger<C> {
    /// An empty ledger. `seed` decides the jitter and the names of leases: same seed, same answers.
    pub fn new(calendar: C, seed: u64) -> Self {
        Ledger {
            settings: Settings::default(),
            calendar,
            now: 0,
            today: Day::default(),
            random: fastrand::Rng::with_seed(seed),
            accounts: Vec::new(),
            account_index: HashMap::new(),
            clients: Vec::new(),
            client_index: HashMap::new(),
            leases: HashMap::new(),
            expiries: BTreeSet::new(),
            wakes: BTreeSet::new(),
            pools: BTreeMap::new(),
            pool_index: HashMap::new(),
            next_pool: 0,
            queue: Queue::default(),
            sticky: Sticky::default(),
            seq: 0,
            next_checkpoint: 0,
            dirty: BTreeSet::new(),
            records: Vec::new(),
            woken: Vec::new(),
        }
    }

    /// Goes by a new configuration. Who stays keeps counters and leases; who is gone has its leases settled as ever.
    pub fn configure(&mut self, now: Millis, view: LedgerView) {
        self.settings = view.settings;
        self.today = Day::default();
        let now = self.advance(now);
        for account in &mut self.accounts {
            account.removed = true;
        }
        for spec in view.accounts {
            match self.account_index.get(&spec.id).and_then(|index| self.accounts.get_mut(*index)) {
                Some(account) => account.respecify(spec),
                None => {
                    self.account_index.insert(spec.id.clone(), self.accounts.len());
                    self.accounts.push(Account::new(spec));
                }
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
                    self.client_index.insert(spec.id.clone(), self.clients.len());
                    let meter = Meter { limits: spec.limits, ..Meter::default() };
                    self.clients.push(Client { spec, meter, removed: false });
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

    /// Ends a lease; false where it had ended before.
    pub fn settle(&mut self, now: Millis, lease: &str, outcome: &Outcome) -> bool {
        let now = self.advance(now);
        let Some((seq, lease)) = parse_lease(lease).and_then(|seq| Some((seq, self.leases.remove(&seq)?))) else {
            return false;
        };
        self.expiries.remove(&(lease.expires, seq));
        if *outcome == Outcome::Unused {
            self.withdraw(now, seq, &lease);
        } else {
            let tokens = match outcome {
                Outcome::Success { usage } | Outcome::Cancelled { usage } => {
                    usage.map_or(lease.reserved.max(lease.key_reserved), |usage| usage.total())
                }
                _ => 0,
            };
            self.release(now, seq, &lease, tokens);
            if let Some(account) = self.accounts.get_mut(lease.account) {
                account.learn(now, outcome, &self.settings, &mut self.random);
                if account.dirty {
                    self.store_totals(Owner::Account, lease.account);
                }
            }
        }
        self.refresh(now, lease.account);
        self.serve(now);
        true
    }

    /// Confirms or extends a lease; false where it has ended.
    pub fn renew(&mut self, now: Millis, lease: &str) -> bool {
        let now = self.advance(now);
        let Some(seq) = parse_lease(lease) else { return false };
        let expires = now.saturating_add(self.settings.lease_ms);
        let Some(lease) = self.leases.get_mut(&seq) else { return false };
        self.expiries.remove(&(lease.expires, seq));
        lease.expires = expires;
        lease.unconfirmed = false;
        self.expiries.insert((expires, seq));
        self.records.push(Record::Renewed { seq, expires_ms: expires });
        true
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
            account.learn(now, outcome, &self.settings, &mut self.random);
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
        let wake = self.wakes.first().map(|(at, _)| *at);
        let key = self.queue.places().filter_map(|place| self.key_opens(place)).min();
        [expiry, deadline, wake, key].into_iter().flatten().min()
    }

    /// Whether anybody waits.
    pub fn has_waiters(&self) -> bool {
        self.queue.len() > 0
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
        while let Some((at, seq)) = self.expiries.first().copied()
            && at <= now
        {
            self.expiries.remove(&(at, seq));
            let Some(lease) = self.leases.remove(&seq) else { continue };
            if lease.unconfirmed {
                self.withdraw(now, seq, &lease);
            } else {
                self.release(now, seq, &lease, lease.reserved.max(lease.key_reserved));
            }
            self.refresh(now, lease.account);
        }
        while let Some((at, index)) = self.wakes.first().copied()
            && at <= now
        {
            self.wakes.remove(&(at, index));
            if let Some(account) = self.accounts.get_mut(index) {
                account.wake = None;
            }
            self.refresh(now, index);
        }
        if self.next_checkpoint <= now {
            self.checkpoint(now);
        }
        now
    }

    /// Looks at an account again, and moves it in its pools.
    pub(super) fn refresh(&mut self, now: Millis, index: usize) {
        let today = self.today;
        let Some(account) = self.accounts.get_mut(index) else { return };
        let before = account.standing;
        let after = account.look(index, now, today);
        let until = match after {
            Standing::Later(at, _) => Some(at),
            _ => None,
        };
        let wake = [until, account.meter.next_change(today)].into_iter().flatten().min();
        if wake != account.wake {
            if let Some(at) = account.wake {
                self.wakes.remove(&(at, index));
            }
            self.wakes.extend(wake.map(|at| (at, index)));
            account.wake = wake;
        }
        if after != before {
            account.standing = after;
            for pool in &account.pools {
                if let Some(pool) = self.pools.get_mut(pool) {
                    pool.restand(index, before, after);
                }
            }
        }
    }

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
                account.pools.push(id);
                pool.members.push(index);
                pool.restand(index, Standing::Closed(super::account::Cause::Condition), account.standing);
            }
        }
    }

    fn rebuild_pools(&mut self, now: Millis) {
        for account in &mut self.accounts {
            account.pools.clear();
        }
        let names: Vec<(Vec<String>, u64)> = self.pool_index.iter().map(|(names, id)| (names.clone(), *id)).collect();
        for (names, id) in names {
            let waiting = self.pools.get(&id).map_or(0, |pool| pool.waiting);
            self.pools.insert(id, Pool { waiting, ..Pool::default() });
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
            account.pools.retain(|id| self.pools.contains_key(id));
        }
    }

    fn release(&mut self, now: Millis, seq: u64, lease: &Lease, tokens: u64) {
        let today = self.today;
        if let Some(account) = self.accounts.get_mut(lease.account) {
            account.meter.roll(now, today);
            account.meter.settle(now, lease.reserved, tokens);
        }
        if let Some(client) = self.clients.get_mut(lease.key) {
            client.meter.roll(now, today);
            client.meter.settle(now, lease.key_reserved, tokens);
        }
        self.records.push(Record::Settled { seq, settled_ms: now, tokens });
    }

    fn withdraw(&mut self, now: Millis, seq: u64, lease: &Lease) {
        let today = self.today;
        if let Some(account) = self.accounts.get_mut(lease.account) {
            account.meter.roll(now, today);
            account.meter.withdraw(lease.admitted, lease.day, lease.reserved);
        }
        if let Some(client) = self.clients.get_mut(lease.key) {
            client.meter.roll(now, today);
            client.meter.withdraw(lease.admitted, lease.day, lease.key_reserved);
        }
        self.records.push(Record::Withdrawn { seq });
        self.store_totals(Owner::Account, lease.account);
        self.store_totals(Owner::Key, lease.key);
    }

    fn checkpoint(&mut self, now: Millis) {
        self.next_checkpoint = now.saturating_add(CHECKPOINT_MS);
        for (owner, index) in std::mem::take(&mut self.dirty) {
            self.store_totals(owner, index);
        }
        if self.seq > 0 {
            self.records.push(Record::Forget { settled_before_ms: now.saturating_sub(super::clock::WINDOW) });
        }
    }

    pub(super) fn store_totals(&mut self, owner: Owner, index: usize) {
        let (id, meter, health) = match owner {
            Owner::Account => {
                let Some(account) = self.accounts.get_mut(index) else { return };
                account.dirty = false;
                (&account.spec.id, &account.meter, serde_json::to_string(&account.health).unwrap_or_default())
            }
            Owner::Key => {
                let Some(client) = self.clients.get_mut(index) else { return };
                (&client.spec.id, &client.meter, String::new())
            }
        };
        self.records.push(Record::Totals(TotalsRow {
            owner,
            id: id.clone(),
            through: self.seq,
            day_ms: meter.day,
            day_count: meter.day_count,
            uses: meter.uses,
            last_ms: meter.calls.last(),
            health,
        }));
    }

    /// Counts a call and makes its lease.
    pub(super) fn make_lease(
        &mut self,
        request: &AdmitRequest,
        key: usize,
        index: usize,
        waited: Option<Millis>,
    ) -> Option<Grant> {
        let now = self.now;
        let unconfirmed = waited.is_some();
        let life = if unconfirmed { self.settings.confirm_ms } else { self.settings.lease_ms };
        let account = self.accounts.get_mut(index)?;
        let client = self.clients.get_mut(key)?;
        let lease = Lease {
            account: index,
            key,
            admitted: now,
            day: self.today.start,
            expires: now.saturating_add(life),
            reserved: account.meter.reservation(request.tokens),
            key_reserved: client.meter.reservation(request.tokens),
            unconfirmed,
        };
        account.meter.roll(now, self.today);
        account.meter.admit(now, lease.reserved);
        client.meter.admit(now, lease.key_reserved);
        self.dirty.insert((Owner::Account, index));
        self.dirty.insert((Owner::Key, key));
        self.seq = self.seq.saturating_add(1);
        let seq = self.seq;
        self.records.push(Record::Call(CallRow {
            seq,
            account: account.spec.id.clone(),
            key: client.spec.id.clone(),
            admitted_ms: now,
            day_ms: lease.day,
            expires_ms: lease.expires,
            reserved: lease.reserved,
            key_reserved: lease.key_reserved,
            unconfirmed,
            settled_ms: None,
            tokens: 0,
        }));
        let grant = Grant {
            lease: format!("{seq:x}"),
            account: account.spec.id.clone(),
            upstream: account.spec.upstream.clone(),
            sealed: account.spec.sealed.clone(),
            waited_ms: waited.unwrap_or(0),
            confirm: unconfirmed,
        };
        self.expiries.insert((lease.expires, seq));
        self.leases.insert(seq, lease);
        if let Some(conversation) = &request.conversation
            && self.settings.sticky_s > 0
        {
            self.sticky.put((key, conversation.clone()), index, now);
        }
        self.refresh(now, index);
        Some(grant)
    }
}

impl Sticky {
    /// The account of a conversation, if it was served within `life` milliseconds.
    pub(super) fn get(&self, key: usize, conversation: &str, now: Millis, life: Millis) -> Option<usize> {
        let (index, at) = self.accounts.get(&(key, conversation.to_owned()))?;
        (at.saturating_add(life) > now).then_some(*index)
    }

    fn put(&mut self, name: (usize, String), index: usize, now: Millis) {
        let entry = |at: Millis, name: &(usize, String)| (at, name.0, name.1.clone());
        if let Some((_, at)) = self.accounts.insert(name.clone(), (index, now)) {
            self.by_time.remove(&entry(at, &name));
        }
        self.by_time.insert(entry(now, &name));
        if self.accounts.len() > STICKY_MAX
            && let Some((_, key, conversation)) = self.by_time.pop_first()
        {
            self.accounts.remove(&(key, conversation));
        }
    }
}

pub(super) fn parse_lease(lease: &str) -> Option<u64> {
    u64::from_str_radix(lease, 16).ok()
}
