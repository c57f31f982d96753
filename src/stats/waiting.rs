//! What an isolate has to tell the Durable Object, until that has it: bounded, whatever fails and whoever floods.
use super::settings::Stats;

/// When the task that was to send what waits is this late, it is gone: another one does.
const LATE_MS: u64 = 2_000;
/// Refusals of strangers in a minute that one isolate records; more are only counted, and cost no request of their own.
const STRANGERS_MAX: u64 = 10;
/// Records that are kept for the next time where the Durable Object did not take them, and their bytes; the oldest go first.
const KEPT_MAX: usize = 500;
const KEPT_BYTES: usize = 1024 * 1024;
const MINUTE_MS: u64 = 60_000;

/// What is counted, not told, beside the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Requests that were refused without a good key.
    pub(super) strangers: u64,
    /// Records that were given up.
    pub(super) lost: u64,
}

impl Counted {
    /// Adds others.
    pub(super) fn add(&mut self, others: Counted) {
        self.strangers = self.strangers.saturating_add(others.strangers);
        self.lost = self.lost.saturating_add(others.lost);
    }
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
    /// How many of the records, the oldest, were sent in vain before.
    kept: usize,
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
        // What could not be sent goes with the next ones, and makes none of them hurry.
        if self.records.len().saturating_sub(self.kept) >= settings.batch_max.max(1) {
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
        self.kept = 0;
        (std::mem::take(&mut self.records), std::mem::take(&mut self.counted))
    }

    /// Takes back what could not be sent, for the next time.
    pub(super) fn put_back(&mut self, mut records: Vec<String>, counted: Counted) {
        let came = std::mem::take(&mut self.records);
        self.kept = self.kept.saturating_add(records.len());
        records.extend(came);
        let mut bytes: usize = records.iter().map(String::len).sum();
        let mut over = records.len().saturating_sub(KEPT_MAX);
        bytes -= records.iter().take(over).map(String::len).sum::<usize>();
        for record in records.iter().skip(over) {
            if bytes <= KEPT_BYTES {
                break;
            }
            bytes -= record.len();
            over += 1;
        }
        records.drain(..over);
        self.kept = self.kept.saturating_sub(over);
        self.records = records;
        self.counted.add(counted);
        self.counted.add(Counted { lost: over as u64, ..Counted::default() });
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
    fn what_was_sent_in_vain_goes_first_the_next_time_and_makes_no_batch_full() {
        let settings = Stats { batch_max: 3, ..Stats::default() };
        let mut waiting = Waiting::default();
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        waiting.add(NOW, &settings, "new".to_owned());
        waiting.put_back(texts(&["a", "b", "c"]), Counted { strangers: 4, lost: 1 });
        assert_eq!(waiting.add(NOW, &settings, "newer".to_owned()), Next::Nothing);
        assert_eq!(waiting.add(NOW, &settings, "newest".to_owned()), Next::Send, "three came since");
        let (records, counted) = waiting.take();
        assert_eq!(records, texts(&["a", "b", "c", "new", "newer", "newest"]));
        assert_eq!(counted, Counted { strangers: 4, lost: 1 });
        waiting.put_back(records, counted);
        assert_eq!(waiting.take(), (texts(&["a", "b", "c", "new", "newer", "newest"]), counted));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_is_given_up_and_counted() {
        let mut waiting = Waiting::default();
        waiting.put_back((0..KEPT_MAX + 7).map(|at| at.to_string()).collect(), Counted::default());
        let (records, counted) = waiting.take();
        assert_eq!((records.len(), records[0].as_str(), counted.lost), (KEPT_MAX, "7", 7));

        let large = "x".repeat(KEPT_BYTES / 4);
        waiting.put_back(vec![large.clone(); 6], counted);
        let (records, counted) = waiting.take();
        assert_eq!((records.len(), counted.lost), (4, 9));
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
        assert_eq!(waiting.take(), (vec!["later".to_owned()], Counted { strangers: 2, lost: 0 }));
    }
}
