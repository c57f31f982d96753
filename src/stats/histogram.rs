//! Durations, in buckets an eighth of an octave wide: percentiles to within some per cent, in little room.

/// Buckets of one octave.
const PARTS: u64 = 8;
const PARTS_LOG2: u32 = PARTS.trailing_zeros();

/// How long things took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    sum_ms: u64,
    /// `(bucket, count)`, by bucket.
    buckets: Vec<(u64, u64)>,
}

impl Histogram {
    /// Adds one duration.
    pub(super) fn add(&mut self, ms: u64) {
        self.sum_ms = self.sum_ms.saturating_add(ms);
        self.count_in(bucket_of(ms), 1);
    }

    /// Adds all of another one.
    pub(super) fn merge(&mut self, other: &Histogram) {
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        for (bucket, count) in &other.buckets {
            self.count_in(*bucket, *count);
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// Their mean.
    pub(super) fn mean(&self) -> Option<u64> {
        self.sum_ms.checked_div(self.count())
    }

    /// The duration that `percent` of them do not exceed.
    pub(super) fn percentile(&self, percent: u64) -> Option<u64> {
        let total = self.count();
        let rank = total.saturating_mul(percent).div_ceil(100).max(1);
        let mut below = 0_u64;
        for (bucket, count) in &self.buckets {
            if below.saturating_add(*count) >= rank {
                let (start, end) = (bound(*bucket), bound(bucket.saturating_add(1)));
                let into = end.saturating_sub(start).saturating_mul(rank - below).checked_div(*count).unwrap_or(0);
                // The last millisecond of the bucket is `end - 1`.
                return Some(start.saturating_add(into).min(end.saturating_sub(1)));
            }
            below = below.saturating_add(*count);
        }
        None
    }

    /// As numbers: the sum, how many buckets, and each with its count.
    pub(super) fn write(&self, numbers: &mut Vec<u64>) {
        numbers.extend([self.sum_ms, self.buckets.len() as u64]);
        numbers.extend(self.buckets.iter().flat_map(|(bucket, count)| [*bucket, *count]));
    }

    /// Reads what [`Self::write`] wrote.
    pub(super) fn read(numbers: &mut impl Iterator<Item = u64>) -> Histogram {
        let sum_ms = numbers.next().unwrap_or(0);
        let length = numbers.next().unwrap_or(0);
        let buckets = (0..length).map_while(|_| Some((numbers.next()?, numbers.next()?))).collect();
        Histogram { sum_ms, buckets }
    }

    fn count_in(&mut self, bucket: u64, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, known)) = self.buckets.get_mut(at) {
                    *known = known.saturating_add(count);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }
}

/// Durations below [`PARTS`] have a bucket each; the octaves above have as many each.
fn bucket_of(ms: u64) -> u64 {
    if ms < PARTS {
        return ms;
    }
    let octave = ms.ilog2() - PARTS_LOG2;
    u64::from(octave).saturating_mul(PARTS).saturating_add(ms >> octave)
}

/// The first duration of a bucket.
fn bound(bucket: u64) -> u64 {
    if bucket < 2 * PARTS {
        return bucket;
    }
    let octave = bucket / PARTS - 1;
    let part = bucket % PARTS + PARTS;
    u32::try_from(octave).ok().and_then(|octave| part.checked_shl(octave)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_duration_is_in_its_bucket(ms in 0..u64::from(u32::MAX)) {
            let bucket = bucket_of(ms);
            prop_assert!(bound(bucket) <= ms && ms < bound(bucket + 1));
            prop_assert!(bound(bucket + 1) - bound(bucket) <= (ms / PARTS).max(1), "an eighth at most");
        }

        #[test]
        fn percentiles_are_near_the_true_ones(mut times in prop::collection::vec(0_u64..600_000, 1..400), percent in 1_u64..=100) {
            let mut histogram = Histogram::default();
            times.iter().for_each(|ms| histogram.add(*ms));
            times.sort_unstable();
            let rank = (times.len() * percent as usize).div_ceil(100).max(1);
            let exact = times[rank - 1];
            let found = histogram.percentile(percent).unwrap();
            prop_assert!(found.abs_diff(exact) <= exact / PARTS + 1, "{found} for {exact}");
            prop_assert_eq!(histogram.mean(), Some(times.iter().sum::<u64>() / times.len() as u64));
        }

        #[test]
        fn a_sum_of_parts_is_the_whole(times in prop::collection::vec(0_u64..600_000, 0..100), at in 0_usize..100) {
            let of = |times: &[u64]| {
                let mut histogram = Histogram::default();
                times.iter().for_each(|ms| histogram.add(*ms));
                histogram
            };
            let (left, right) = times.split_at(at.min(times.len()));
            let mut merged = of(left);
            merged.merge(&of(right));
            prop_assert_eq!(&merged, &of(&times));
            let mut numbers = Vec::new();
            merged.write(&mut numbers);
            prop_assert_eq!(Histogram::read(&mut numbers.into_iter()), merged);
        }
    }
}
