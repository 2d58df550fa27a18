//! Points in time as traces print them, as exact nanoseconds: calendar stamps and Unix seconds.

use crate::decimal;

/// What a stamp should look like, for messages.
pub(crate) const EXPECTED: &str =
    "a stamp like 2023-11-16 18:17:03.9799600, 2024-05-10 00:00:00.009930+00:00 or Unix seconds";

/// How a stamp is printed; more than one in a file is a quirk worth a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    /// Digits of the fraction.
    pub(crate) digits: u8,
    /// Whether it names an offset from UTC.
    pub(crate) offset: bool,
    /// Whether it is a plain number of seconds.
    pub(crate) plain: bool,
}

impl Shape {
    /// In words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self { digits, plain: true, .. } => format!("seconds with {digits} digits of fraction"),
            Self { digits, offset: true, .. } => {
                format!("{digits} digits of fraction and an offset from UTC")
            }
            Self { digits, .. } => format!("{digits} digits of fraction"),
        }
    }
}

/// Whole seconds since 1970-01-01 UTC of a calendar stamp (RFC 3339, for instance); `None` where it is none.
#[must_use]
pub fn unix_seconds(text: &str) -> Option<i64> {
    let (nanos, _) = parse(text.as_bytes())?;
    i64::try_from(nanos.div_euclid(1_000_000_000)).ok()
}

/// Nanoseconds since 1970-01-01 UTC of a calendar stamp from then to 2554; `None` where it is none.
#[must_use]
pub fn unix_nanos(text: &str) -> Option<u64> {
    u64::try_from(parse(text.as_bytes())?.0).ok()
}

/// Nanoseconds since 1970-01-01 UTC, a stamp without offset taken as UTC.
pub(crate) fn parse(text: &[u8]) -> Option<(i128, Shape)> {
    if text.get(4) != Some(&b'-') {
        return plain(text);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let days = days_since_epoch(number(&date[..4])?, field(date, 5, 7, b'-')?, field(date, 8, 10, b'-')?)?;
    let (&separator, rest) = rest.split_first()?;
    if !matches!(separator, b' ' | b'T') {
        return None;
    }
    let (clock, rest) = rest.split_at_checked(8)?;
    let (hour, minute, second) = (number(&clock[..2])?, field(clock, 3, 5, b':')?, field(clock, 6, 8, b':')?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (digits, rest) = match rest.split_first() {
        Some((b'.', rest)) => {
            let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if len == 0 {
                return None;
            }
            rest.split_at(len)
        }
        _ => (&rest[..0], rest),
    };
    let offset_seconds = offset(rest)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds;
    let fraction =
        if digits.is_empty() { 0 } else { decimal::scaled(digits, 9 - digits.len() as i64).ok()? };
    let shape = Shape { digits: digits.len().min(255) as u8, offset: !rest.is_empty(), plain: false };
    Some((i128::from(seconds) * 1_000_000_000 + fraction, shape))
}

fn plain(text: &[u8]) -> Option<(i128, Shape)> {
    let nanos = decimal::scaled(text, 9).ok()?;
    let digits = text.iter().rev().position(|&b| b == b'.').unwrap_or(0);
    Some((nanos, Shape { digits: digits.min(255) as u8, offset: false, plain: true }))
}

/// The digits of `text` from `from` up to `to`, which follow `separator`.
fn field(text: &[u8], from: usize, to: usize, separator: u8) -> Option<i64> {
    if text[from - 1] != separator {
        return None;
    }
    number(&text[from..to])
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, b| b.is_ascii_digit().then(|| value * 10 + i64::from(b - b'0')))
}

/// Seconds east of UTC: nothing, `Z`, `+05:30`, `-0800`, `+01`.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [] | [b'Z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (number(rest)?, 0),
        4 => (number(&rest[..2])?, number(&rest[2..])?),
        5 => (number(&rest[..2])?, field(rest, 3, 5, b':')?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date
/// algorithms", `days_from_civil`).
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year, month and day of a day counted from 1970-01-01 (Hinnant, as above, `civil_from_days`).
#[must_use]
pub fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(text: &str) -> Option<i128> {
        parse(text.as_bytes()).map(|(nanos, _)| nanos)
    }

    #[test]
    fn stamps_are_read_to_the_last_digit() {
        // The seconds are those of `date -u -d … +%s`.
        assert_eq!(nanos("2023-11-16 18:17:03.9799600"), Some(1_700_158_623_979_960_000));
        assert_eq!(nanos("2024-05-10 00:00:00.009930+00:00"), Some(1_715_299_200_009_930_000));
        assert_eq!(nanos("2024-05-10T00:00:00Z"), Some(1_715_299_200_000_000_000));
        assert_eq!(nanos("2024-05-10 02:00:00+02:00"), Some(1_715_299_200_000_000_000));
        assert_eq!(nanos("2024-05-09 16:00:00.5-0800"), Some(1_715_299_200_500_000_000));
        assert_eq!(nanos("2024-02-29 00:00:00"), Some(1_709_164_800_000_000_000));
        assert_eq!(nanos("1969-12-31 23:59:59.5"), Some(-500_000_000));
        assert_eq!(nanos("1700158623.97996"), Some(1_700_158_623_979_960_000));
    }

    #[test]
    fn days_that_are_not_are_refused() {
        for text in [
            "2023-02-29 00:00:00",
            "2100-02-29 00:00:00",
            "2023-13-01 00:00:00",
            "2023-00-01 00:00:00",
            "2023-04-31 00:00:00",
            "2023-11-16 24:00:00",
            "2023-11-16 18:60:03",
            "2023-11-16",
            "2023-11-16 18:17",
            "2023-11-16 18:17:03.",
            "2023-11-16 18:17:03 UTC",
            "2023-11-16 18:17:03+1",
            "2023-11-16 18:17:03+25:00",
            "2023/11/16 18:17:03",
            "2023-11-16x18:17:03",
            "16.11.2023 18:17:03",
            "",
        ] {
            assert_eq!(nanos(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_day_comes_back(days in -200_000i64..200_000) {
            let (year, month, day) = date_of(days);
            prop_assert_eq!(days_since_epoch(year, month, day), Some(days));
        }

        #[test]
        fn no_bytes_break_the_reading(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&text);
        }

        #[test]
        fn nearly_right_stamps_break_nothing(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.+Z-]{0,24}") {
            let _ = parse(text.as_bytes());
        }
    }
}
