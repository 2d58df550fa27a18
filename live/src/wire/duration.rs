//! Spans of time as Ollama reads them in `keep_alive`: a number of seconds, or Go's notation (`"1h30m"`).

use control::request::KeepAlive;
use control::units::Nanos;
use serde_json::Value;

/// A `keep_alive`: a number counts seconds, a string is in Go's notation, below zero means for ever.
/// `Ok(None)` for null.
///
/// Source: Ollama v0.24.0, `api/types.go` (`Duration.UnmarshalJSON`).
///
/// # Errors
/// The message that Ollama gives for what is neither.
pub fn keep_alive(value: &Value) -> Result<Option<KeepAlive>, String> {
    let signed = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(seconds), _) => i128::from(seconds) * 1_000_000_000,
            (None, Some(seconds)) => (seconds * 1e9) as i128,
            (None, None) => return Err(format!("invalid duration {number}")),
        },
        Value::String(text) => {
            go_nanos(text).ok_or_else(|| format!("time: invalid duration {}", Value::from(text.as_str())))?
        }
        other => return Err(format!("unsupported type for a duration: {other}")),
    };
    if signed < 0 || signed > i128::from(i64::MAX) {
        return Ok(Some(KeepAlive::Forever));
    }
    Ok(Some(KeepAlive::For(Nanos(signed as u64))))
}

/// Go's `time.ParseDuration`: an optional sign, then decimal numbers, each with a unit. Exact integers.
fn go_nanos(text: &str) -> Option<i128> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let whole_len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(whole_len);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() || whole.len() > 18 {
            return None;
        }
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total += whole.parse::<i128>().unwrap_or(0) * scale;
        // Digits below a nanosecond of the largest unit change nothing.
        let digits = &fraction[..fraction.len().min(18)];
        total += digits.parse::<i128>().unwrap_or(0) * scale / 10_i128.pow(digits.len() as u32);
        rest = after;
    }
    Some(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_that_ollama_takes_is_read() {
        let for_millis = |millis| Ok(Some(KeepAlive::For(Nanos::from_millis(millis))));
        for (value, want) in [
            (json!(null), Ok(None)),
            (json!(300), for_millis(300_000)),
            (json!(1.5), for_millis(1_500)),
            (json!(0), for_millis(0)),
            (json!(-1), Ok(Some(KeepAlive::Forever))),
            (json!("5m"), for_millis(300_000)),
            (json!("1h2m3.5s"), for_millis(3_723_500)),
            (json!(".5s"), for_millis(500)),
            (json!("0"), for_millis(0)),
            (json!("+10ms"), for_millis(10)),
            (json!("-1s"), Ok(Some(KeepAlive::Forever))),
            (json!("9999999999999h"), Ok(Some(KeepAlive::Forever))),
        ] {
            assert_eq!(keep_alive(&value), want, "{value}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for value in [json!("abc"), json!("-1"), json!("5"), json!(""), json!("5 m"), json!("."), json!([1])]
        {
            assert!(keep_alive(&value).is_err(), "{value}");
        }
        assert_eq!(keep_alive(&json!("abc")), Err("time: invalid duration \"abc\"".into()));
    }
}
