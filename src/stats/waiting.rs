//! What an isolate has to tell the Durable Object, until that has it: bounded, whatever fails and whoever floods.
use super::settings::Stats;

/// When the task that was to send what waits is this late, it is gone: another one does.
const LATE_MS: u64 = 2_000;
/// Refusals of strangers in a minute that one isolate records; more are only counted, and cost no request of their own.
const STRANGERS_MAX: u64 = 10;
const MINUTE_MS: u64 = 60_000;

/// What is counted, not told, beside the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Requests that were refused without a good key.
    pub(super) strangers: u64,
}

/// What the task does that brought a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It sends all at once.
    Send,
    /// It sends all after a while.
    SendLater,
    /// Another one sends it.
    Nothing,
}

/// The records of an isolate that wait for each other.
#[derive(Default)]
pub(super) struct Waiting {
    records: Vec<String>,
    counted: Counted,
    /// When they are sent; 0 where no task waits to do so.
    due_ms: u64,
    /// The minute of the strangers that were recorded last, and how many they were.
    strangers: (u64, u64),
}

impl Waiting {
    /// Adds the record of a call.
    pub(super) fn add(&mut self, now: u64, settings: &Stats, record: String) -> Next {
        self.records.push(record);
        if self.records.len() >= settings.batch_max.max(1) {
            return Next::Send;
        }
        if self.due_ms.saturating_add(LATE_MS) >= now {
            return Next::Nothing;
        }
        self.due_ms = now.saturating_add(settings.batch_ms);
        Next::SendLater
    }

    /// Counts a stranger's refusal, and adds its record where there were few lately.
    pub(super) fn add_stranger(&mut self, now: u64, settings: &Stats, record: String) -> Next {
        self.counted.strangers = self.counted.strangers.saturating_add(1);
        let minute = now / MINUTE_MS;
        if self.strangers.0 != minute {
            self.strangers = (minute, 0);
        }
        if self.strangers.1 >= STRANGERS_MAX {
            return Next::Nothing;
        }
        self.strangers.1 = self.strangers.1.saturating_add(1);
        self.add(now, settings, record)
    }

    /// The while is over.
    pub(super) fn is_due(&mut self) {
        self.due_ms = 0;
    }

    /// Takes what waits.
    pub(super) fn take(&mut self) -> (Vec<String>, Counted) {
        (std::mem::take(&mut self.records), std::mem::take(&mut self.counted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_262_400_000;

    #[test]
    fn the_first_waits_for_all_and_a_full_batch_waits_for_none() {
        let settings = Stats { batch_max: 3, ..Stats::default() };
        let mut waiting = Waiting::default();
        let mut add = |now: u64| waiting.add(now, &settings, "a".to_owned());
        assert_eq!([add(NOW), add(NOW), add(NOW)], [Next::SendLater, Next::Nothing, Next::Send]);
        let (records, _) = waiting.take();
        assert_eq!(records.len(), 3);
        let gone = NOW + settings.batch_ms + LATE_MS + 1;
        assert_eq!(waiting.add(gone, &settings, "b".to_owned()), Next::SendLater, "the task that waited is gone");
    }

    #[test]
    fn strangers_are_all_counted_and_few_are_told() {
        let settings = Stats { batch_max: 1_000, ..Stats::default() };
        let mut waiting = Waiting::default();
        for _ in 0..500 {
            waiting.add_stranger(NOW, &settings, "stranger".to_owned());
        }
        let (records, counted) = waiting.take();
        assert_eq!((records.len() as u64, counted.strangers), (STRANGERS_MAX, 500));
        assert_eq!(waiting.add_stranger(NOW, &settings, String::new()), Next::Nothing, "no request of its own");
        waiting.add_stranger(NOW + MINUTE_MS, &settings, "later".to_owned());
        assert_eq!(waiting.take(), (vec!["later".to_owned()], Counted { strangers: 2 }));
    }
}
