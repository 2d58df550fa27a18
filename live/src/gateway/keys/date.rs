//! Dates of a config as milliseconds since 1970.

use toml::value::{Datetime, Offset};

/// A date (its first moment in UTC), or a time with its offset. `None` for a time without one, and before 1970.
pub(crate) fn unix_millis_of_date(written: &Datetime) -> Option<u64> {
    let date = written.date?;
    let days = days_since_1970(date.year.into(), date.month.into(), date.day.into());
    let minutes = match (written.time, written.offset) {
        (None, None) => return u64::try_from(days * 86_400_000).ok(),
        (Some(_), Some(Offset::Z)) => 0,
        (Some(_), Some(Offset::Custom { minutes })) => minutes,
        _ => return None,
    };
    let time = written.time?;
    let seconds = i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60;
    let seconds = seconds + i64::from(time.second.unwrap_or(0)) - i64::from(minutes) * 60;
    u64::try_from((days * 86_400 + seconds) * 1_000).ok()
}

/// Days of the Gregorian calendar, counted from March, so that the leap day ends a year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Months from March have 31, 30, 31, 30, 31 days, twice, then 31 and the rest.
    let of_months = (153 * month + 2) / 5;
    year * 365 + leap_days + of_months + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<u64> {
        unix_millis_of_date(&text.parse().expect("a date"))
    }

    #[test]
    fn dates_are_midnight_utc_and_times_need_an_offset() {
        assert_eq!(millis("1970-01-01"), Some(0));
        assert_eq!(millis("2000-03-01"), Some(951_868_800_000));
        assert_eq!(millis("2027-01-31T18:00:00+01:30"), Some(1_801_413_000_000));
        assert_eq!(millis("2027-01-31T16:30:00Z"), Some(1_801_413_000_000));
        assert_eq!(millis("2027-01-31T16:30:00"), None);
        assert_eq!(millis("16:30:00"), None);
        assert_eq!(millis("1969-12-31"), None);
    }
}
