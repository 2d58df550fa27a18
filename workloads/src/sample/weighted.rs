//! A choice among few things by weight, from one uniform number.

use super::Bits;

/// Things with weights, by index. One draw chooses one; a thing added at the end with a small weight moves few choices.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// Exclusive upper ends of the indices' shares of 0 … 2⁶⁴; that of the last is 2⁶⁴ and left out.
    ends: Box<[u64]>,
}

impl Weighted {
    /// A choice by these weights: at least one, each finite and at least 0, their sum above 0.
    ///
    /// # Panics
    /// Where they are not.
    #[must_use]
    pub fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        assert!(
            total > 0.0 && total.is_finite() && weights.iter().all(|weight| *weight >= 0.0),
            "weights were checked"
        );
        // What stands after the last weight above 0 is never chosen, so the last end belongs to that one.
        let last = weights.iter().rposition(|weight| *weight > 0.0).expect("their sum is above 0");
        let mut sum = 0.0;
        let ends = weights[..last].iter().map(|weight| {
            sum += weight;
            // 2⁵³ steps are what a double can tell apart; the shift cannot overflow, since sum < total.
            (((sum / total) * (1_u64 << 53) as f64) as u64).min((1 << 53) - 1) << 11
        });
        Self { ends: ends.collect() }
    }

    /// Chooses an index.
    #[must_use]
    #[inline]
    pub fn pick(&self, bits: &mut impl Bits) -> usize {
        if self.ends.is_empty() {
            return 0;
        }
        let value = bits.bits();
        if self.ends.len() <= 8 {
            self.ends.iter().filter(|end| **end <= value).count()
        } else {
            self.ends.partition_point(|end| *end <= value)
        }
    }
}

/// Zipf's weights: the `rank`-th of `len` (from 1) has weight `rank` to the power of −`exponent`.
#[must_use]
pub fn zipf_weights(len: usize, exponent: f64) -> Vec<f64> {
    (1..=len).map(|rank| libm::pow(rank as f64, -exponent)).collect()
}
