//! Reads a moment in the two forms that HTTP and JSON give it in: a calendar crate would be 8 KB of the upload.

const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Milliseconds since the epoch of an RFC 3339 time such as `2027-01-01T00:00:00.5+08:00`. None for what is no such time,
/// and for one before the epoch.
pub fn of_rfc3339(text: &str) -> Option<u64> {
    let (day, text) = text.split_at_checked(10)?;
    let (time, text) = text.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let (fraction, zone) = match text.strip_prefix('.') {
        Some(text) => text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?),
        None => ("0", text),
    };
    let ms = fraction.bytes().chain(*b"00").take(3).fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    moment(year, month, day, time, offset(zone)?, ms).filter(|_| !fraction.is_empty())
}

/// Milliseconds since the epoch of an HTTP date such as `Sat, 21 Nov 2026 12:00:05 GMT`, or a mail's, whose zone may be
/// `+0800`. None for what is no such date, and for one before the epoch.
pub fn of_http_date(text: &str) -> Option<u64> {
    let mut words = text.split_ascii_whitespace().skip_while(|word| word.ends_with(','));
    let day = words.next().filter(|day| day.len() <= 2)?;
    let [day] = numbers(day, ' ', [day.len()])?;
    let month = words.next()?;
    let month = MONTHS.iter().zip(1..).find(|(name, _)| name.eq_ignore_ascii_case(month))?.1;
    let [year] = numbers(words.next()?, ' ', [4])?;
    let time = words.next()?;
    let zone = offset(words.next()?)?;
    moment(year, month, day, time, zone, 0).filter(|_| words.next().is_none())
}

/// Milliseconds that clocks of a zone such as `+08:00` or `+0800` are ahead.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z" | "GMT" | "UTC") {
        return Some(0);
    }
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_at_checked(2)?;
    let ([hours], [minutes]) = (numbers(hours, ':', [2])?, numbers(minutes.trim_start_matches(':'), ':', [2])?);
    let offset = (hours * 60 + minutes) * 60_000;
    let is_zone = hours < 24 && minutes < 60;
    is_zone.then_some(if zone.starts_with('-') { -offset } else { offset })
}

/// The numbers of a text, each of so many digits, with `between` between them.
fn numbers<const N: usize>(text: &str, between: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part =
            parts.next().filter(|part| part.len() == length && part.bytes().all(|digit| digit.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// `ms` after `time` of a day, on clocks that are `ahead` milliseconds.
fn moment(year: i64, month: i64, day: i64, time: &str, ahead: i64, ms: i64) -> Option<u64> {
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let february = if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    // A leap second is second 60.
    if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let before: i64 = lengths.iter().zip(1..month).map(|(length, _)| length).sum();
    let past = year - 1;
    let leap_days = past / 4 - past / 100 + past / 400;
    // 1970-01-01 is day 719162 of the calendar that begins with year 1.
    let days = past * 365 + leap_days + before + day - 1 - 719_162;
    u64::try_from(days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms - ahead).ok()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, FixedOffset, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    fn known(moment: DateTime<FixedOffset>) -> Option<u64> {
        u64::try_from(moment.timestamp_millis()).ok()
    }

    fn moments() -> impl Strategy<Value = DateTime<FixedOffset>> {
        // From the years 0 to 9999.
        (-62_167_132_800_000_i64..253_402_200_000_000, -23 * 60..23 * 60).prop_map(|(ms, minutes)| {
            let zone = FixedOffset::east_opt(minutes * 60).unwrap();
            DateTime::from_timestamp_millis(ms).unwrap().with_timezone(&zone)
        })
    }

    proptest! {
        #[test]
        fn reads_every_moment(moment in moments()) {
            for format in [SecondsFormat::Secs, SecondsFormat::Millis, SecondsFormat::Nanos] {
                let text = moment.to_rfc3339_opts(format, true);
                prop_assert_eq!(of_rfc3339(&text), known(DateTime::parse_from_rfc3339(&text).unwrap()), "{}", text);
            }
            let text = moment.to_rfc2822();
            prop_assert_eq!(of_http_date(&text), known(DateTime::parse_from_rfc2822(&text).unwrap()), "{}", text);
        }

        /// One letter is another, or is not there.
        #[test]
        fn takes_nothing_that_is_no_moment(moment in moments(), at in 0..40_usize, letter in "[-0-9:TZ+. ,é]?") {
            let mut text = moment.to_rfc3339();
            let at = at % text.len();
            text.replace_range(at..=at, &letter);
            // chrono wants the colon in a zone.
            prop_assume!(text.get(text.len() - 3..).is_some_and(|end| end.starts_with(':')));
            prop_assert_eq!(of_rfc3339(&text), DateTime::parse_from_rfc3339(&text).ok().and_then(known), "{}", text);
        }
    }

    #[test]
    fn the_forms_that_come() {
        let noon = Some(1_795_262_400_000);
        for text in [
            "2026-11-21T12:00:00Z",
            "2026-11-21 20:00:00+08:00",
            "2026-11-21T20:00:00+0800",
            "2026-11-21t12:00:00.000z",
        ] {
            assert_eq!(of_rfc3339(text), noon, "{text}");
        }
        for text in ["Sat, 21 Nov 2026 12:00:00 GMT", "21 nov 2026 20:00:00 +0800"] {
            assert_eq!(of_http_date(text), noon, "{text}");
        }
        let wrong = [
            "",
            "tomorrow",
            "2026-11-21",
            "2026-11-21T12:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T12:60:00Z",
            "2026-11-21T12:00:61Z",
            "2026-11-21T12:00:00.Z",
            "2026-11-21T12:00:00Zulu",
            "2026-11-21T12:00:00+08",
            "2026-11-21T12:00:00+24:00",
            "1969-12-31T23:59:59Z",
        ];
        for text in wrong {
            assert_eq!(of_rfc3339(text), None, "{text}");
        }
        for text in ["", "Sat, 21 Nov 2026", "21 Nov 2026 12:00:00 +08", "31 Feb 2026 12:00:00 GMT", "99 x 9999 1 GMT"]
        {
            assert_eq!(of_http_date(text), None, "{text}");
        }
    }
}
