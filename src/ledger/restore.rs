//! The ledger after a restart: totals, plus the calls that came behind them.
use std::collections::HashMap;

use super::account::{Account, Health};
use super::clock::{Calendar, Millis};
use super::journal::{CallRow, Owner, Stored};
use super::lease::Lease;
use super::meter::Meter;
use super::state::{Client, Ledger};
use super::window::CallWindow;

impl<C: Calendar> Ledger<C> {
    /// Takes up what was stored. To be called once, after the first `configure`.
    pub fn restore(&mut self, now: Millis, stored: &Stored) {
        // Those who were forgotten took their numbers along. No ledger makes a call each millisecond of its life.
        self.seq = self.seq.max(now);
        for row in &stored.totals {
            self.seq = self.seq.max(row.through);
            let meter = match row.owner {
                Owner::Account => {
                    let index = self.remember_account(&row.id);
                    let Some(account) = self.accounts.get_mut(index) else { continue };
                    account.health = Health::restored(&row.health);
                    &mut account.meter
                }
                Owner::Key => {
                    let index = self.remember_key(&row.id);
                    let Some(client) = self.clients.get_mut(index) else { continue };
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
            self.restore_call(&through, row);
        }
        let mut settled: Vec<&CallRow> = stored.calls.iter().filter(|row| row.settled_ms.is_some()).collect();
        settled.sort_by_key(|row| row.settled_ms);
        for row in settled {
            let at = row.settled_ms.unwrap_or_default();
            let (account, key) = (self.remember_account(&row.account), self.remember_key(&row.key));
            for meter in self.meters(account, key).into_iter().flatten() {
                meter.ended(at, row.tokens);
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
        let (account, key) = (self.remember_account(&row.account), self.remember_key(&row.key));
        for ((meter, through), reserved) in self.meters(account, key).into_iter().zip(counted).zip(reserved) {
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
        if in_flight {
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

    /// The counters of an account and of a key.
    fn meters(&mut self, account: usize, key: usize) -> [Option<&mut Meter>; 2] {
        let (account, client) = (self.accounts.get_mut(account), self.clients.get_mut(key));
        [account.map(|account| &mut account.meter), client.map(|client| &mut client.meter)]
    }

    /// Where an account is. One that the configuration no longer has counts on, and may have calls in flight.
    fn remember_account(&mut self, id: &str) -> usize {
        let known = self.account_index.get(id).copied();
        known.unwrap_or_else(|| self.add_account(Account::unknown(id)))
    }

    /// Where a key is, likewise.
    fn remember_key(&mut self, id: &str) -> usize {
        let known = self.client_index.get(id).copied();
        known.unwrap_or_else(|| self.add_client(Client::unknown(id)))
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
