//! Figures for a person: few digits, units beside them.

/// A count with commas between groups of three digits.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that count, at least.
fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => count(value.round() as u64),
    }
}

/// Milliseconds in the unit that suits them: µs, ms, s; an en dash where undefined.
pub(crate) fn millis(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(0.0) => "0 ms".to_owned(),
        Some(value) if value < 0.9995 => format!("{} µs", short(value * 1e3)),
        Some(value) if value < 999.5 => format!("{} ms", short(value)),
        Some(value) => format!("{} s", short(value / 1e3)),
    }
}

/// Seconds, with minutes, hours or days beside them where there are many.
pub(crate) fn seconds(value: f64) -> String {
    let whole = value.round() as u64;
    match whole {
        0 => format!("{} ms", short(value * 1e3)),
        1..=119 => format!("{} s", short(value)),
        120..=7_199 => format!("{} s ({} min {:02} s)", count(whole), whole / 60, whole % 60),
        7_200..=172_799 => {
            format!("{} s ({} h {:02} min)", count(whole), whole / 3_600, whole / 60 % 60)
        }
        _ => format!("{} s ({} d {:02} h)", count(whole), whole / 86_400, whole / 3_600 % 24),
    }
}

/// Something in a second.
pub(crate) fn rate(value: f64) -> String {
    short(value)
}

/// A part in the whole; empty where the whole is nothing.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!("{:.1} %", part as f64 * 100.0 / whole as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(count), ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_latency_takes_the_unit_that_suits_it() {
        let cases = [0.0, 0.0123, 0.9994, 1.0, 87.654, 999.4, 999.5, 12_345.6, 1_234_567.0];
        let text = cases.map(|value| millis(Some(value)));
        let expected =
            ["0 ms", "12.3 µs", "999 µs", "1.00 ms", "87.7 ms", "999 ms", "1.00 s", "12.3 s", "1,235 s"];
        assert_eq!(text, expected);
        assert_eq!(millis(None), "–");
    }

    #[test]
    fn long_times_are_told_in_two_units() {
        let text = [0.25, 90.0, 3_600.0, 90_061.0, 604_800.0].map(seconds);
        let expected =
            ["250 ms", "90.0 s", "3,600 s (60 min 00 s)", "90,061 s (25 h 01 min)", "604,800 s (7 d 00 h)"];
        assert_eq!(text, expected);
    }
}
