//! The life of a lease: how it begins, is extended and ends, and what that does to the counters.
use super::clock::{Calendar, Millis};
use super::journal::{CallRow, Owner, Record};
use super::protocol::{AdmitRequest, Grant};
use super::state::Ledger;
use crate::chat::Outcome;

/// One call in flight. Account and key by their indexes, times in milliseconds.
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

impl<C: Calendar> Ledger<C> {
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
                account.learn(now, outcome, &self.settings.cooling, &mut self.random);
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

    /// Ends the leases whose time is over.
    pub(super) fn expire(&mut self, now: Millis) {
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
    }

    /// Counts a call that has ended.
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

    /// Takes a call back that was never made.
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
}

fn parse_lease(lease: &str) -> Option<u64> {
    u64::from_str_radix(lease, 16).ok()
}
