//! Time as the ledger sees it: milliseconds handed in by the caller, and the calendar's days.

use super::tournament::Key;

/// Milliseconds since the Unix epoch, or a duration in milliseconds.
pub type Millis = u64;

/// The span of the sliding windows of `rpm` and `tpm`.
pub(super) const WINDOW: Millis = 60_000;

const DAY: Millis = 86_400_000;

impl Key for Millis {
    const NONE: Self = Millis::MAX;
}

/// One calendar day: `start <= t < end`. Not always 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Its first millisecond.
    pub start: Millis,
    /// The first millisecond of the next day.
    pub end: Millis,
}

impl Day {
    /// The day of `now` in UTC.
    pub fn utc(now: Millis) -> Self {
        let start = now - now % DAY;
        Self { start, end: start.saturating_add(DAY) }
    }

    /// Whether `now` is in it.
    pub fn contains(self, now: Millis) -> bool {
        self.start <= now && now < self.end
    }
}

/// Knows the time zones. The data base of zones is the platform's, so it stays outside the ledger.
pub trait Calendar {
    /// The day of `now` in the IANA time zone `zone`.
    fn day(&self, zone: &str, now: Millis) -> Day;
}
