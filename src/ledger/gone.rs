//! Accounts and keys that were taken out of the configuration. What they did counts until its time is over, lest one that
//! is taken out and put back have a fresh day; then they are forgotten.
use std::collections::HashMap;

use super::account::Account;
use super::clock::{Calendar, Millis};
use super::journal::{Owner, Record};
use super::state::{Client, Ledger};

impl<C: Calendar> Ledger<C> {
    /// Forgets those who are gone and of whom nothing counts any more. Others get their places, so nothing may point at
    /// them: no lease, pool or waiter does by then.
    pub(super) fn forget_gone(&mut self, now: Millis) {
        let (today, records) = (self.today, self.records.len());
        for (index, account) in self.accounts.iter_mut().enumerate().filter(|(_, account)| account.removed) {
            if is_at(&self.account_index, &account.spec.id, index) && account.meter.is_over(now, today) {
                let id = std::mem::replace(account, Account::unknown("")).spec.id;
                self.account_index.remove(&id);
                self.free_accounts.push(index);
                self.wakes.set(index, None);
                self.records.push(Record::Gone { owner: Owner::Account, id });
            }
        }
        for (index, client) in self.clients.iter_mut().enumerate().filter(|(_, client)| client.removed) {
            if is_at(&self.client_index, &client.spec.id, index) && client.meter.is_over(now, today) {
                let id = std::mem::replace(client, Client::unknown("")).spec.id;
                self.client_index.remove(&id);
                self.free_clients.push(index);
                self.queue.forget(index);
                self.records.push(Record::Gone { owner: Owner::Key, id });
            }
        }
        if self.records.len() > records {
            let Ledger { accounts, account_index, clients, client_index, .. } = self;
            self.sticky.retain(|key, account| {
                clients.get(key).is_some_and(|client| is_at(client_index, &client.spec.id, key))
                    && accounts.get(account).is_some_and(|known| is_at(account_index, &known.spec.id, account))
            });
        }
    }
}

/// Whether a place is that of `id`, and not free.
fn is_at(index: &HashMap<String, usize>, id: &str, place: usize) -> bool {
    index.get(id) == Some(&place)
}
