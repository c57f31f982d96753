//! The counters of one account or client key, and what its limits say to one more call.
//!
//! A limit of 0 blocks; only `min_gap_ms: 0` is what it says, no gap.
use crate::config::Limits;

use super::clock::{Day, Millis, WINDOW};
use super::window::{CallWindow, TokenWindow};

/// The parts of one in [`Meter::headroom`].
pub(super) const WHOLE: u64 = 1 << 22;

/// The limit that stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Concurrency,
    Rpm,
    Rpd,
    Tpm,
    MinGap,
    MaxUses,
    /// A limit of 0.
    Blocked,
}

impl Limit {
    /// The field of the configuration.
    pub(super) fn name(self) -> &'static str {
        match self {
            Limit::Concurrency => "concurrency",
            Limit::Rpm => "rpm",
            Limit::Rpd => "rpd",
            Limit::Tpm => "tpm",
            Limit::MinGap => "min_gap_ms",
            Limit::MaxUses => "max_uses",
            Limit::Blocked => "0",
        }
    }
}

/// What stands in the way of one more call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Not before this moment, whatever else happens.
    NotBefore(Millis, Limit),
    /// Until a call in flight ends.
    UntilReleased(Limit),
    /// Until somebody changes something.
    Closed(Limit),
}

#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) limits: Limits,
    pub(super) in_flight: u64,
    pub(super) calls: CallWindow,
    pub(super) tokens: TokenWindow,
    /// Tokens that calls in flight have reserved.
    pub(super) reserved: u64,
    /// The start of the day that `day_count` is about.
    pub(super) day: Millis,
    pub(super) day_count: u64,
    pub(super) uses: u64,
    /// When a call last ended.
    pub(super) ended: Millis,
    /// Has counted a call since its totals were stored.
    pub(super) unsaved: bool,
}

impl Meter {
    /// Forgets what time has made irrelevant. All other methods expect this to have been called.
    pub(super) fn roll(&mut self, now: Millis, today: Day) {
        self.calls.roll(now);
        self.tokens.roll(now);
        if self.day != today.start {
            self.day = today.start;
            self.day_count = 0;
        }
    }

    /// What all limits but `tpm` say.
    pub(super) fn gate(&self, now: Millis, today: Day) -> Gate {
        let limits = &self.limits;
        if [limits.concurrency, limits.rpm, limits.rpd, limits.tpm, limits.max_uses].contains(&Some(0)) {
            return Gate::Closed(Limit::Blocked);
        }
        if limits.max_uses.is_some_and(|limit| self.uses >= limit) {
            return Gate::Closed(Limit::MaxUses);
        }
        let day = limits.rpd.filter(|limit| self.day_count >= *limit).map(|_| today.end);
        let minute = limits.rpm.and_then(|limit| self.calls.below(limit));
        let gap = limits.min_gap_ms.zip(self.calls.last()).map(|(gap, last)| last.saturating_add(gap));
        let latest = [(day, Limit::Rpd), (minute, Limit::Rpm), (gap, Limit::MinGap)]
            .into_iter()
            .filter_map(|(at, limit)| Some((at.filter(|at| *at > now)?, limit)))
            .max_by_key(|(at, _)| *at);
        if let Some((at, limit)) = latest {
            return Gate::NotBefore(at, limit);
        }
        if limits.concurrency.is_some_and(|limit| self.in_flight >= limit) {
            return Gate::UntilReleased(Limit::Concurrency);
        }
        Gate::Open
    }

    /// What `tpm` says to a call of `tokens`.
    pub(super) fn token_gate(&self, now: Millis, tokens: u64) -> Gate {
        let Some(limit) = self.limits.tpm else { return Gate::Open };
        // No call is free of tokens, whatever its estimate says.
        let tokens = tokens.max(1);
        if self.room() >= tokens {
            return Gate::Open;
        }
        // More than the limit fits only when all else is gone, which `room` says by being unlimited.
        let excess = self.used().saturating_sub(limit.saturating_sub(tokens.min(limit)));
        match self.tokens.less(excess) {
            Some(at) if at <= now => Gate::Open,
            Some(at) => Gate::NotBefore(at, Limit::Tpm),
            None => Gate::UntilReleased(Limit::Tpm),
        }
    }

    /// The largest call that `tpm` admits; a meter with nothing used admits any.
    pub(super) fn room(&self) -> u64 {
        match (self.limits.tpm, self.used()) {
            (None, _) | (_, 0) => u64::MAX,
            (Some(limit), used) => limit.saturating_sub(used),
        }
    }

    /// Tokens used in the window and reserved.
    pub(super) fn used(&self) -> u64 {
        self.tokens.sum().saturating_add(self.reserved)
    }

    /// What a call of `tokens` reserves.
    pub(super) fn reservation(&self, tokens: u64) -> u64 {
        tokens.min(self.limits.tpm.unwrap_or(u64::MAX))
    }

    /// The smallest of the shares that the limits leave, in parts of [`WHOLE`].
    pub(super) fn headroom(&self) -> u64 {
        let left = |limit: Option<u64>, used: u64| {
            let limit = limit?;
            let left = limit.saturating_sub(used);
            // Of limits beyond 2^40 a share is told roughly, lest it overflow.
            let small = u32::from(limit >> 40 != 0) * 24;
            ((left >> small) * WHOLE).checked_div(limit >> small)
        };
        let limits = &self.limits;
        [
            left(limits.concurrency, self.in_flight),
            left(limits.rpm, self.calls.len()),
            left(limits.rpd, self.day_count),
            left(limits.tpm, self.used()),
            left(limits.max_uses, self.uses),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(WHOLE)
    }

    /// When time alone will next change `headroom` or `room`.
    pub(super) fn next_change(&self, today: Day) -> Option<Millis> {
        let minute = self.limits.rpm.and_then(|_| self.calls.next_change());
        let tokens = self.limits.tpm.and_then(|_| self.tokens.next_change());
        let day = self.limits.rpd.filter(|_| self.day_count > 0).map(|_| today.end);
        [minute, tokens, day].into_iter().flatten().min()
    }

    /// Counts one admission.
    pub(super) fn admit(&mut self, now: Millis, reserved: u64) {
        self.calls.push(now);
        self.in_flight = self.in_flight.saturating_add(1);
        self.reserved = self.reserved.saturating_add(reserved);
        self.day_count = self.day_count.saturating_add(1);
        self.uses = self.uses.saturating_add(1);
        self.unsaved = true;
    }

    /// Ends a call that used `tokens`.
    pub(super) fn settle(&mut self, now: Millis, reserved: u64, tokens: u64) {
        self.release(reserved);
        self.ended(now, tokens);
    }

    /// Counts the end of a call.
    pub(super) fn ended(&mut self, at: Millis, tokens: u64) {
        self.ended = at;
        self.tokens.push(at, tokens);
    }

    /// Whether nothing of it counts any more: no call is in flight, of this day, or ended in the last minute.
    pub(super) fn is_over(&mut self, now: Millis, today: Day) -> bool {
        self.roll(now, today);
        self.in_flight == 0 && self.day_count == 0 && self.ended.saturating_add(WINDOW) <= now
    }

    /// Ends a call that was never made, admitted at `at` on the day that began at `day`.
    pub(super) fn withdraw(&mut self, at: Millis, day: Millis, reserved: u64) {
        self.release(reserved);
        self.calls.remove(at);
        self.uses = self.uses.saturating_sub(1);
        if self.day == day {
            self.day_count = self.day_count.saturating_sub(1);
        }
    }

    fn release(&mut self, reserved: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.reserved = self.reserved.saturating_sub(reserved);
    }
}
