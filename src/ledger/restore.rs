//! The ledger after a restart: totals, plus the calls that came behind them.
use std::collections::HashMap;

use super::account::{Account, Health};
use super::clock::{Calendar, Millis};
use super::journal::{CallRow, Owner, Stored};
use super::lease::Lease;
use super::meter::Meter;
use super::settings::{AccountSpec, KeySpec};
use super::state::{Client, Ledger};
use super::window::CallWindow;
use crate::config::Limits;

impl<C: Calendar> Ledger<C> {
    /// Takes up what was stored. To be called once, after the first `configure`.
    pub fn restore(&mut self, now: Millis, stored: &Stored) {
        for row in &stored.totals {
            self.seq = self.seq.max(row.through);
            let meter = match row.owner {
                Owner::Account => {
                    let index = self.account_index.get(&row.id).copied();
                    let Some(account) = index.and_then(|index| self.accounts.get_mut(index)) else { continue };
                    account.health = Health::restored(&row.health);
                    &mut account.meter
                }
                Owner::Key => {
                    let index = self.client_index.get(&row.id).copied();
                    let Some(client) = index.and_then(|index| self.clients.get_mut(index)) else { continue };
                    &mut client.meter
                }
            };
            meter.day = row.day_ms;
            meter.day_count = row.day_count;
            meter.uses = row.uses;
            meter.calls = CallWindow::after(row.last_ms);
        }
        let through: HashMap<(Owner, &str), u64> =
            stored.totals.iter().map(|row| ((row.owner, row.id.as_str()), row.through)).collect();
        for row in &stored.calls {
            self.remember(row);
            self.restore_call(&through, row);
        }
        let mut settled: Vec<&CallRow> = stored.calls.iter().filter(|row| row.settled_ms.is_some()).collect();
        settled.sort_by_key(|row| row.settled_ms);
        for row in settled {
            let at = row.settled_ms.unwrap_or_default();
            for meter in self.meters(row).into_iter().flatten() {
                meter.tokens.push(at, row.tokens);
            }
        }
        let now = self.advance(now);
        for index in 0..self.accounts.len() {
            self.refresh(now, index);
        }
    }

    fn restore_call(&mut self, through: &HashMap<(Owner, &str), u64>, row: &CallRow) {
        self.seq = self.seq.max(row.seq);
        let through = |owner: Owner, id: &str| through.get(&(owner, id)).copied().unwrap_or(0);
        let counted = [through(Owner::Account, &row.account), through(Owner::Key, &row.key)];
        let in_flight = row.settled_ms.is_none();
        let reserved = [row.reserved, row.key_reserved];
        for ((meter, through), reserved) in self.meters(row).into_iter().zip(counted).zip(reserved) {
            let Some(meter) = meter else { continue };
            if row.seq > through {
                count(meter, row.day_ms);
            }
            meter.calls.push(row.admitted_ms);
            if in_flight {
                meter.in_flight = meter.in_flight.saturating_add(1);
                meter.reserved = meter.reserved.saturating_add(reserved);
            }
        }
        let indexes = (self.account_index.get(&row.account).copied(), self.client_index.get(&row.key).copied());
        if let (true, (Some(account), Some(key))) = (in_flight, indexes) {
            self.expiries.insert((row.expires_ms, row.seq));
            self.leases.insert(
                row.seq,
                Lease {
                    account,
                    key,
                    admitted: row.admitted_ms,
                    day: row.day_ms,
                    expires: row.expires_ms,
                    reserved: row.reserved,
                    key_reserved: row.key_reserved,
                    unconfirmed: row.unconfirmed,
                },
            );
        }
    }

    /// The counters of the account and of the key of a call.
    fn meters(&mut self, row: &CallRow) -> [Option<&mut Meter>; 2] {
        let account = self.account_index.get(&row.account).copied().and_then(|index| self.accounts.get_mut(index));
        let client = self.client_index.get(&row.key).copied().and_then(|index| self.clients.get_mut(index));
        [account.map(|account| &mut account.meter), client.map(|client| &mut client.meter)]
    }

    /// A call may outlive its account or its key: it still holds a place at the other, until it ends.
    fn remember(&mut self, row: &CallRow) {
        if !self.account_index.contains_key(&row.account) {
            let spec = AccountSpec {
                id: row.account.clone(),
                upstream: String::new(),
                limits: Limits::default(),
                weight: 1,
                priority: 0,
                enabled: false,
                sealed: String::new(),
            };
            self.account_index.insert(row.account.clone(), self.accounts.len());
            self.accounts.push(Account { removed: true, ..Account::new(spec) });
        }
        if !self.client_index.contains_key(&row.key) {
            let spec = KeySpec { id: row.key.clone(), limits: Limits::default(), enabled: false, expires_at_ms: None };
            self.client_index.insert(row.key.clone(), self.clients.len());
            self.clients.push(Client { spec, meter: Meter::default(), removed: true });
        }
    }
}

fn count(meter: &mut Meter, day: Millis) {
    // Its row will be forgotten.
    meter.unsaved = true;
    meter.uses = meter.uses.saturating_add(1);
    if day > meter.day {
        meter.day = day;
        meter.day_count = 0;
    }
    if day == meter.day {
        meter.day_count = meter.day_count.saturating_add(1);
    }
}
