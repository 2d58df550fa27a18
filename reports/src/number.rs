//! Figures of a report: integer quantities, divided once at the end, rounded to a fixed number of decimals, so that the
//! same run writes the same bytes on any machine.

use serde::{Serialize, Serializer};

/// `dividend / divisor` rounded to `decimals` (half up); `None` where the divisor is 0.
#[must_use]
pub fn ratio(dividend: u128, divisor: u128, decimals: u32) -> Option<f64> {
    let scale = 10_u128.pow(decimals);
    let scaled = (dividend * scale + divisor / 2).checked_div(divisor)?;
    Some(scaled as f64 / scale as f64)
}

/// Nanoseconds as milliseconds with six decimals; exact below 2⁵³ ns (104 days).
#[must_use]
pub fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// A figure that may be infinite: the number, or the string `"inf"` in JSON.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub enum Figure {
    /// A number.
    Finite(f64),
    /// Beyond all numbers.
    Infinite,
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Finite(value) => serializer.serialize_f64(*value),
            Self::Infinite => serializer.serialize_str("inf"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_rounded_once_and_undefined_over_nothing() {
        assert_eq!(ratio(2, 3, 4), Some(0.6667));
        assert_eq!(ratio(1, 2, 0), Some(1.0));
        assert_eq!(ratio(5, 0, 3), None);
        assert_eq!(millis(1_234_567), 1.234_567);
    }

    #[test]
    fn an_infinite_figure_is_the_string_inf() {
        assert_eq!(serde_json::to_string(&[Figure::Finite(1.5), Figure::Infinite]).unwrap(), "[1.5,\"inf\"]");
    }
}
