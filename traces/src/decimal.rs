//! Decimal numbers as exact integers: a stamp never passes through a float.

/// Why some bytes are no decimal number in range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DecimalError {
    /// Not a number.
    NotANumber,
    /// A number, but below zero or too large.
    OutOfRange,
}

/// Largest exponent looked at; beyond it nothing fits.
const EXPONENT_MAX: i64 = 1 << 20;

/// `text` (digits, perhaps a sign, a point, an exponent) times ten to the power of `scale`, rounded half up to a
/// whole number. `4.314579` at scale 9 is 4,314,579,000; `9.5e-05` at scale 9 is 95,000.
pub(crate) fn scaled(text: &[u8], scale: i64) -> Result<i128, DecimalError> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (mantissa, exponent) = match rest.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&b| b == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &mantissa[..0]),
    };
    if whole.is_empty() && fraction.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(DecimalError::NotANumber);
    }
    let digits_len = (whole.len() + fraction.len()) as i64;
    // Digits that lie before the point once the power of ten is applied; the first after it decides the rounding.
    let kept = whole.len() as i64 + exponent + scale;
    let mut value: i128 = 0;
    for &digit in whole.iter().chain(fraction).take(kept.max(0) as usize) {
        value = push(value, digit - b'0')?;
    }
    if value != 0 {
        for _ in digits_len..kept {
            value = push(value, 0)?;
        }
    }
    if (0..digits_len).contains(&kept) {
        let next = if (kept as usize) < whole.len() {
            whole[kept as usize]
        } else {
            fraction[kept as usize - whole.len()]
        };
        value += i128::from(next >= b'5');
    }
    Ok(if negative { -value } else { value })
}

/// A whole number in ordinary digits, or one printed with a fraction of zeros (`19440110.0`).
pub(crate) fn whole(text: &[u8]) -> Result<i128, DecimalError> {
    if let [whole @ .., b'.', b'0'] = text {
        return scaled(whole, 0);
    }
    if text.iter().all(u8::is_ascii_digit) { scaled(text, 0) } else { Err(DecimalError::NotANumber) }
}

fn exponent(text: &[u8]) -> Result<i64, DecimalError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::NotANumber);
    }
    let mut value = 0i64;
    for digit in digits {
        value = (value * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX);
    }
    Ok(if negative { -value } else { value })
}

fn push(value: i128, digit: u8) -> Result<i128, DecimalError> {
    value
        .checked_mul(10)
        .and_then(|value| value.checked_add(i128::from(digit)))
        // Room for sums of two such numbers.
        .filter(|&value| value <= i128::MAX / 4)
        .ok_or(DecimalError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_exact() {
        for (text, nanos) in [
            ("0", 0),
            ("0.0", 0),
            ("4.314579", 4_314_579_000),
            ("19440110.0", 19_440_110_000_000_000),
            ("9.5e-05", 95_000),
            ("1e3", 1_000_000_000_000),
            ("1.5E+1", 15_000_000_000),
            ("-2.5", -2_500_000_000),
            (".5", 500_000_000),
            ("5.", 5_000_000_000),
            ("0.30000000000000004", 300_000_000),
            ("2.9999999999999996e-05", 30_000),
            ("0.0000000005", 1),
            ("0.0000000004", 0),
            ("0.00000000005", 0),
            ("1e-400", 0),
            ("0e999999999999", 0),
            ("9007199254740993.000000001", 9_007_199_254_740_993_000_000_001),
        ] {
            assert_eq!(scaled(text.as_bytes(), 9), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_from_what_is_too_large() {
        for text in ["", ".", "-", "1.2.3", "1e", "1e+", "0x10", "NaN", "inf", "1 ", "1_000", "١"] {
            assert_eq!(scaled(text.as_bytes(), 9), Err(DecimalError::NotANumber), "{text}");
        }
        assert_eq!(scaled(b"1e30", 9), Err(DecimalError::OutOfRange));
        assert_eq!(scaled(&[b'9'; 500], 0), Err(DecimalError::OutOfRange));
        assert_eq!(whole(b"12.5"), Err(DecimalError::NotANumber));
        assert_eq!(whole(b"12.0"), Ok(12));
        assert_eq!(whole(b"-1"), Err(DecimalError::NotANumber));
    }

    proptest! {
        #[test]
        fn any_nanoseconds_printed_as_seconds_come_back(nanos in 0u64..=u64::MAX) {
            let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
            prop_assert_eq!(scaled(text.as_bytes(), 9), Ok(i128::from(nanos)));
        }

        #[test]
        fn any_bytes_give_an_answer(text in proptest::collection::vec(any::<u8>(), 0..40), scale in -3i64..12) {
            let _ = scaled(&text, scale);
        }
    }
}
