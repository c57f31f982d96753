//! Which account served a conversation last.
use std::collections::{BTreeSet, HashMap};

use super::clock::Millis;

/// Where each conversation was served last: conversations by the index of their key and a name, accounts by their index.
#[derive(Debug, Default)]
pub(super) struct Sticky {
    accounts: HashMap<(usize, String), (usize, Millis)>,
    by_time: BTreeSet<(Millis, usize, String)>,
}

/// Conversations remembered; the oldest go first.
const STICKY_MAX: usize = 10_000;

impl Sticky {
    /// The account of a conversation, if it was served within `life` milliseconds.
    pub(super) fn get(&self, key: usize, conversation: &str, now: Millis, life: Millis) -> Option<usize> {
        let (index, at) = self.accounts.get(&(key, conversation.to_owned()))?;
        (at.saturating_add(life) > now).then_some(*index)
    }

    /// Forgets the conversations of keys and accounts that are not `known`; both by their indexes.
    pub(super) fn retain(&mut self, known: impl Fn(usize, usize) -> bool) {
        self.accounts.retain(|(key, _), (account, _)| known(*key, *account));
        let Sticky { accounts, by_time } = self;
        by_time.retain(|(_, key, name)| accounts.contains_key(&(*key, name.clone())));
    }

    /// Notes that an account serves a conversation: a key's index and a name.
    pub(super) fn put(&mut self, name: (usize, String), index: usize, now: Millis) {
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
