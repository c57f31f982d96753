//! What the ledger's storage would hold.
use super::*;
use crate::ledger::journal::{CallRow, Record, Stored, TotalsRow};

/// What SQLite keeps, in memory.
#[derive(Default)]
pub(super) struct Store {
    calls: BTreeMap<u64, CallRow>,
    totals: BTreeMap<(Owner, String), TotalsRow>,
}

impl Store {
    pub(super) fn save(&mut self, records: &[Record]) {
        for record in records {
            match record.clone() {
                Record::Call(row) => drop(self.calls.insert(row.seq, row)),
                Record::Renewed { seq, expires_ms } => {
                    if let Some(row) = self.calls.get_mut(&seq) {
                        (row.expires_ms, row.unconfirmed) = (expires_ms, false);
                    }
                }
                Record::Settled { seq, settled_ms, tokens } => {
                    if let Some(row) = self.calls.get_mut(&seq) {
                        (row.settled_ms, row.tokens) = (Some(settled_ms), tokens);
                    }
                }
                Record::Withdrawn { seq } => drop(self.calls.remove(&seq)),
                Record::Totals(row) => drop(self.totals.insert((row.owner, row.id.clone()), row)),
                Record::Gone { owner, id } => drop(self.totals.remove(&(owner, id))),
                Record::Forget { settled_before_ms } => {
                    self.calls.retain(|_, row| row.settled_ms.is_none_or(|at| at >= settled_before_ms));
                }
            }
        }
    }

    /// Of whom there are totals.
    pub(super) fn totals_of(&self, wanted: Owner) -> impl Iterator<Item = &String> {
        self.totals.keys().filter(move |(owner, _)| *owner == wanted).map(|(_, id)| id)
    }

    pub(super) fn stored(&self) -> Stored {
        Stored { calls: self.calls.values().cloned().collect(), totals: self.totals.values().cloned().collect() }
    }
}
