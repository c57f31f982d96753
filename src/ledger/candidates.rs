//! The accounts that an admission had to choose from, for the call's receipt.
use serde::{Deserialize, Serialize};

use super::clock::{Calendar, Millis};
use super::protocol::AdmitRequest;
use super::state::Ledger;

/// Accounts that are looked at for a call's receipt.
const LOOKED_AT_MAX: usize = 64;

/// Some of the accounts that may serve a request, those that cannot do so now first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidates {
    /// How many there are.
    pub count: usize,
    /// Those that are told.
    pub told: Vec<Candidate>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The account's id.
    pub id: String,
    /// Why it cannot serve, as a code; `None` where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When that ends, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

impl Candidates {
    /// Adds those of another part of the ledger.
    pub fn join(&mut self, others: Candidates, max: usize) {
        let count = self.count.saturating_add(others.count);
        self.again(others, max);
        self.count = count;
    }

    /// Adds those of a later look: what stands in an account's way then counts for more.
    pub fn again(&mut self, others: Candidates, max: usize) {
        let known = self.told.len();
        for other in others.told {
            match self.told.iter_mut().take(known).find(|candidate| candidate.id == other.id) {
                Some(candidate) if other.code.is_some() => *candidate = other,
                Some(_) => {}
                None => self.told.push(other),
            }
        }
        self.told.sort_by_key(|candidate| candidate.code.is_none());
        self.told.truncate(max);
        self.count = self.count.max(others.count);
    }
}

impl<C: Calendar> Ledger<C> {
    /// Some of the accounts that may serve `request`, at most `candidates_max`. Few are looked at: no admission scans its
    /// pool.
    pub fn candidates(&mut self, now: Millis, request: &AdmitRequest) -> Candidates {
        let max = request.candidates_max;
        if max == 0 {
            return Candidates::default();
        }
        let now = self.advance(now);
        let pool = self.pool(now, &request.upstreams);
        let Some(pool) = self.pools.get(&pool) else { return Candidates::default() };
        let looked_at = if pool.is_whole() { max } else { LOOKED_AT_MAX };
        let some = pool.members.iter().take(looked_at).filter_map(|index| self.accounts.get(*index));
        let mut told: Vec<Candidate> = some.map(|account| account.candidate(now)).collect();
        told.sort_by_key(|candidate| candidate.code.is_none());
        told.truncate(max);
        Candidates { count: pool.members.len(), told }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, code: Option<&str>) -> Candidate {
        Candidate { id: id.into(), code: code.map(str::to_owned), ..Candidate::default() }
    }

    #[test]
    fn a_later_look_counts_for_more_and_those_passed_over_are_told_first() {
        let told = vec![candidate("a", Some("off")), candidate("b", None), candidate("c", None)];
        let mut all = Candidates { count: 9, told };
        let later = vec![candidate("c", Some("cooling")), candidate("a", None), candidate("d", None)];
        all.again(Candidates { count: 9, told: later }, 3);
        let ids: Vec<(&str, Option<&str>)> =
            all.told.iter().map(|candidate| (candidate.id.as_str(), candidate.code.as_deref())).collect();
        assert_eq!((all.count, ids), (9, vec![("a", Some("off")), ("c", Some("cooling")), ("b", None)]));
        all.join(Candidates { count: 2, told: vec![candidate("e", None), candidate("f", Some("busy"))] }, 3);
        let codes: Vec<Option<&str>> = all.told.iter().map(|candidate| candidate.code.as_deref()).collect();
        assert_eq!((all.count, codes), (11, vec![Some("off"), Some("cooling"), Some("busy")]));
    }
}
