//! What of the ledger outlives its memory: every call of the last minute or in flight, and totals up to one call.
//!
//! A call costs one row at admission and one at settlement; totals are written when an account's health changes and once
//! a minute. On restart a total is right after adding the calls that came behind it, so nothing is counted twice or lost.
use serde::{Deserialize, Serialize};

use super::clock::{Calendar, Millis, WINDOW};
use super::state::Ledger;

/// How often totals are stored, and calls that are no longer needed are forgotten.
const CHECKPOINT_MS: Millis = 60_000;

/// One call, from its admission on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRow {
    /// Counts the calls; also names the lease.
    pub seq: u64,
    /// The account's id.
    pub account: String,
    /// The key's id.
    pub key: String,
    /// When it was admitted.
    pub admitted_ms: Millis,
    /// The start of the day it counts for.
    pub day_ms: Millis,
    /// When its lease ends.
    pub expires_ms: Millis,
    /// Tokens reserved at the account.
    pub reserved: u64,
    /// Tokens reserved at the key.
    pub key_reserved: u64,
    /// The lease must be confirmed, or the call does not count.
    pub unconfirmed: bool,
    /// When it ended.
    pub settled_ms: Option<Millis>,
    /// Tokens it used.
    pub tokens: u64,
}

/// Whose totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// An account.
    Account,
    /// A client key.
    Key,
}

/// Totals of one account or key, up to and with the call `through`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsRow {
    /// Whose.
    pub owner: Owner,
    /// Its id.
    pub id: String,
    /// The last call counted.
    pub through: u64,
    /// The start of the day counted.
    pub day_ms: Millis,
    /// Calls of that day.
    pub day_count: u64,
    /// Calls ever.
    pub uses: u64,
    /// When the last call was admitted.
    pub last_ms: Option<Millis>,
    /// The account's health, as JSON; empty where nothing is wrong.
    pub health: String,
}

/// One thing to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A call was admitted.
    Call(CallRow),
    /// Its lease lives longer.
    Renewed {
        /// Which.
        seq: u64,
        /// Until when.
        expires_ms: Millis,
    },
    /// A call ended.
    Settled {
        /// Which.
        seq: u64,
        /// When.
        settled_ms: Millis,
        /// Tokens it used.
        tokens: u64,
    },
    /// A call was never made.
    Withdrawn {
        /// Which.
        seq: u64,
    },
    /// New totals.
    Totals(TotalsRow),
    /// Totals of somebody who is gone.
    Gone {
        /// Whose.
        owner: Owner,
        /// Its id.
        id: String,
    },
    /// Calls that settled before this moment are no longer needed.
    Forget {
        /// The moment.
        settled_before_ms: Millis,
    },
}

/// Everything stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// By `seq`, ascending.
    pub calls: Vec<CallRow>,
    /// In any order.
    pub totals: Vec<TotalsRow>,
}

impl<C: Calendar> Ledger<C> {
    /// Stores the totals that have changed, and forgets the calls that they count, and who is gone.
    pub(super) fn checkpoint(&mut self, now: Millis) {
        self.next_checkpoint = now.saturating_add(CHECKPOINT_MS);
        self.forget_gone(now);
        for index in 0..self.accounts.len() {
            if self.accounts.get(index).is_some_and(|account| account.meter.unsaved) {
                self.store_totals(Owner::Account, index);
            }
        }
        for index in 0..self.clients.len() {
            if self.clients.get(index).is_some_and(|client| client.meter.unsaved) {
                self.store_totals(Owner::Key, index);
            }
        }
        if self.seq > 0 {
            self.records.push(Record::Forget { settled_before_ms: now.saturating_sub(WINDOW) });
        }
    }

    /// Stores the totals of one account or key.
    pub(super) fn store_totals(&mut self, owner: Owner, index: usize) {
        let (id, meter, health) = match owner {
            Owner::Account => {
                let Some(account) = self.accounts.get_mut(index) else { return };
                account.dirty = false;
                (&account.spec.id, &mut account.meter, account.health.stored())
            }
            Owner::Key => {
                let Some(client) = self.clients.get_mut(index) else { return };
                (&client.spec.id, &mut client.meter, String::new())
            }
        };
        meter.unsaved = false;
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
}
