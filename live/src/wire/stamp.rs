//! Points of civil time, as Ollama writes them (RFC 3339, UTC, nine decimals).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use traces::stamp::date_of;

/// The time as `2026-11-24T00:27:03.000000000Z`; times before 1970 are written as 1970.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (year, month, day) = date_of((since.as_secs() / 86_400) as i64);
    let second = since.as_secs() % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:09}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_nanos()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_are_written_right() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::new(seconds, 5));
        assert_eq!(at(0), "1970-01-01T00:00:00.000000005Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000000005Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000000005Z");
        assert_eq!(at(1_709_251_200), "2024-03-01T00:00:00.000000005Z");
        assert_eq!(at(4_102_444_799), "2099-12-31T23:59:59.000000005Z");
    }
}
