//! Exact sliding windows: calls and tokens of the last 60 seconds.
use std::collections::VecDeque;

use super::clock::{Millis, WINDOW};

/// When calls were admitted: a call at `t` counts while `now < t + 60 s`.
#[derive(Debug, Default)]
pub(super) struct CallWindow {
    /// Ascending.
    times: VecDeque<Millis>,
    /// The latest admission that has left the window.
    older: Option<Millis>,
}

impl CallWindow {
    /// A window that knows only when the last call was.
    pub(super) fn after(older: Option<Millis>) -> Self {
        Self { times: VecDeque::new(), older }
    }

    /// Forgets what has left the window.
    pub(super) fn roll(&mut self, now: Millis) {
        while let Some(first) = self.times.front().copied()
            && first.saturating_add(WINDOW) <= now
        {
            self.times.pop_front();
            self.older = self.older.max(Some(first));
        }
    }

    /// Counts a call; `now` never goes back.
    pub(super) fn push(&mut self, now: Millis) {
        self.times.push_back(now);
    }

    /// Takes back a call of `at`, unless it has left the window.
    pub(super) fn remove(&mut self, at: Millis) {
        if let Ok(found) = self.times.binary_search(&at) {
            self.times.remove(found);
        }
    }

    /// Calls in the window.
    pub(super) fn len(&self) -> u64 {
        self.times.len() as u64
    }

    /// When fewer than `limit` calls will be in the window; `None` when that is so already.
    pub(super) fn below(&self, limit: u64) -> Option<Millis> {
        let over = self.len().checked_sub(limit)?;
        let last_in_the_way = self.times.get(usize::try_from(over).ok()?)?;
        Some(last_in_the_way.saturating_add(WINDOW))
    }

    /// When the next call leaves the window.
    pub(super) fn next_change(&self) -> Option<Millis> {
        self.times.front().map(|first| first.saturating_add(WINDOW))
    }

    /// When the last call was.
    pub(super) fn last(&self) -> Option<Millis> {
        // After a restart, a long call can stand here that began before the last known one.
        self.times.back().copied().max(self.older)
    }
}

/// Tokens of settled calls: those settled at `t` count while `now < t + 60 s`.
#[derive(Debug, Default)]
pub(super) struct TokenWindow {
    /// Ascending by time.
    entries: VecDeque<(Millis, u64)>,
    sum: u64,
}

impl TokenWindow {
    /// Forgets what has left the window.
    pub(super) fn roll(&mut self, now: Millis) {
        while let Some((at, tokens)) = self.entries.front().copied()
            && at.saturating_add(WINDOW) <= now
        {
            self.entries.pop_front();
            self.sum = self.sum.saturating_sub(tokens);
        }
    }

    /// Counts tokens; `now` never goes back.
    pub(super) fn push(&mut self, now: Millis, tokens: u64) {
        if tokens > 0 {
            self.entries.push_back((now, tokens));
            self.sum = self.sum.saturating_add(tokens);
        }
    }

    /// Tokens in the window.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// When at least `excess` of the tokens will have left; `None` when there are not as many.
    pub(super) fn less(&self, excess: u64) -> Option<Millis> {
        let mut gone: u64 = 0;
        self.entries.iter().find_map(|(at, tokens)| {
            gone = gone.saturating_add(*tokens);
            (gone >= excess).then(|| at.saturating_add(WINDOW))
        })
    }

    /// When the next tokens leave the window.
    pub(super) fn next_change(&self) -> Option<Millis> {
        self.entries.front().map(|(at, _)| at.saturating_add(WINDOW))
    }
}
