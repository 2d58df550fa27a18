//! Arithmetic in fixed point: what floats would do elsewhere, the same on every machine.

/// Binary digits of a logarithm behind the point.
pub(super) const LOG2_DIGITS: u32 = 10;

/// The binary logarithm in parts of 1,024, rounded down; that of 0 is taken as that of 1.
///
/// Digit by digit: squaring doubles the logarithm, and what passes 2 is a digit of 1 (Turner: A fast binary logarithm
/// algorithm, IEEE Signal Processing Magazine 27(5), 2010).
pub(super) fn log2(value: u64) -> u32 {
    let value = value.max(1);
    let whole = value.ilog2();
    // The mantissa, 1 to 2, with 31 digits behind the point.
    let mut mantissa = if whole >= 31 { value >> (whole - 31) } else { value << (31 - whole) };
    let mut result = whole;
    for _ in 0..LOG2_DIGITS {
        mantissa = (mantissa * mantissa) >> 31;
        result <<= 1;
        if mantissa >> 32 != 0 {
            mantissa >>= 1;
            result |= 1;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn log2_is_within_one_part_of_1024(bits in any::<u64>(), shift in 0u32..64) {
            let value = (bits >> shift).max(1);
            let exact = (value as f64).log2() * 1_024.0;
            let off = exact - f64::from(log2(value));
            prop_assert!((-1e-3..1.001).contains(&off), "log2({}) is {} off", value, off);
        }
    }

    #[test]
    fn limits_of_the_numbers_do_not_overflow() {
        assert_eq!(log2(0), 0);
        assert_eq!(log2(1 << 40), 40 << 10);
        assert_eq!(log2(u64::MAX), (64 << 10) - 1);
    }
}
