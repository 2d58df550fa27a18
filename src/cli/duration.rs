//! Spans of time on the command line: `90s`, `1.5h`, `250ms`, and windows `10m..70m`.

use control::units::{Instant, Nanos};

/// A window of time from the start of a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    /// Where it begins.
    pub(super) from: Instant,
    /// Where it ends; [`Instant::MAX`] where open.
    pub(super) until: Instant,
}

/// Reads `90s`, `1.5h`, `250ms`: a number with its unit.
pub(super) fn span(text: &str) -> Result<Nanos, String> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let nanos: u64 = match unit.trim() {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "" => return Err(format!("found `{text}`, expected a unit after the number: ms, s, m, h or d")),
        other => return Err(format!("found the unit `{other}`, expected ms, s, m, h or d")),
    };
    let wrong = || format!("found `{text}`, expected a number and a unit, for example 90s or 1.5h");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || fraction.len() > 9 {
        return Err(wrong());
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let parts: u64 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| wrong())? };
    // In 128 bits: 10^9 days in nanoseconds do not fit into 64.
    let scale = 10_u128.pow(fraction.len() as u32);
    let total = u128::from(whole) * u128::from(nanos) + u128::from(parts) * u128::from(nanos) / scale;
    u64::try_from(total).map(Nanos).map_err(|_| format!("found `{text}`, expected less than 584 years"))
}

/// Reads `10m..70m`, `..1h`, `30m..`.
pub(super) fn window(text: &str) -> Result<Window, String> {
    let Some((from, until)) = text.split_once("..") else {
        return Err(format!("found `{text}`, expected START..END, for example 10m..70m, ..1h or 30m.."));
    };
    let point =
        |text: &str, open| if text.is_empty() { Ok(open) } else { span(text).map(|span| Instant(span.0)) };
    let window = Window { from: point(from, Instant::ZERO)?, until: point(until, Instant::MAX)? };
    if window.from >= window.until {
        return Err(format!("found `{text}`, expected an end after the start"));
    }
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units() {
        assert_eq!(span("250ms"), Ok(Nanos(250_000_000)));
        assert_eq!(span("1.5h"), Ok(Nanos(5_400_000_000_000)));
        assert_eq!(span(".5s"), Ok(Nanos(500_000_000)));
        assert_eq!(span("2d"), Ok(Nanos(172_800_000_000_000)));
    }

    #[test]
    fn spans_without_sense_say_what_was_expected() {
        for text in ["", "5", "s", ".", "1.2.3s", "5 parsecs", "-3s", "99999999999999999999s", "1000000d"] {
            let error = span(text).expect_err(text);
            assert!(error.contains("expected"), "{text}: {error}");
        }
    }

    #[test]
    fn windows_may_be_open() {
        assert_eq!(
            window("10s..1m"),
            Ok(Window { from: Instant(10_000_000_000), until: Instant(60_000_000_000) })
        );
        assert_eq!(window("..1m").map(|window| window.from), Ok(Instant::ZERO));
        assert_eq!(window("1m..").map(|window| window.until), Ok(Instant::MAX));
        assert!(window("2m..1m").is_err());
        assert!(window("2m").is_err());
    }
}
