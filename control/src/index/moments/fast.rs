//! Sums that are kept up to date: O(1) for a change and for a question.

use serde::{Deserialize, Serialize};

/// A ratio to compare with, exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ratio {
    /// Above the line.
    pub numerator: u64,
    /// Below the line, at least 1.
    pub denominator: u64,
}

/// Count, sum and sum of squares of fewer than 2^32 values of 32 bits: count × squares and sum² fit into 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "(u32, u64, u128)", into = "(u32, u64, u128)")]
pub struct Sums {
    pub(super) count: u32,
    pub(super) sum: u64,
    pub(super) squares: u128,
}

impl Sums {
    /// How many values there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The sum of their squares.
    #[must_use]
    pub const fn squares(&self) -> u128 {
        self.squares
    }

    /// A value comes.
    pub fn add(&mut self, value: u32) {
        self.count += 1;
        self.sum += u64::from(value);
        self.squares += square(value.into());
    }

    /// A value that is there goes.
    ///
    /// # Panics
    /// Where the sums show that it is not there. Not all that is wrong is seen.
    pub fn remove(&mut self, value: u32) {
        let left = |sums: &Self| {
            Some(Self {
                count: sums.count.checked_sub(1)?,
                sum: sums.sum.checked_sub(value.into())?,
                squares: sums.squares.checked_sub(square(value.into()))?,
            })
        };
        *self = left(self).expect("a value that goes came before");
    }

    /// Whether the square of the coefficient of variation, variance / mean², is a ratio or more. The variance is that of
    /// the values as a whole population, squares / count - mean². Undefined where the mean is 0.
    #[must_use]
    pub fn cv_squared_at_least(&self, ratio: Ratio) -> Option<bool> {
        // (squares / n - (sum / n)²) / (sum / n)² = (n squares - sum²) / sum²
        let mean_part = square(self.sum);
        let variance_part = u128::from(self.count) * self.squares - mean_part;
        let reached = || product(variance_part, ratio.denominator) >= product(mean_part, ratio.numerator);
        (self.sum > 0).then(reached)
    }

    /// How many of these ratios, which rise, the square of the coefficient of variation reaches.
    /// Undefined where the mean is 0.
    #[must_use]
    pub fn cv_squared_bucket(&self, edges: &[Ratio]) -> Option<usize> {
        debug_assert!(edges.is_sorted_by(|a, b| cross(*a, *b) <= cross(*b, *a)), "edges rise");
        (self.sum > 0).then(|| edges.partition_point(|edge| self.cv_squared_at_least(*edge) == Some(true)))
    }
}

impl From<Sums> for (u32, u64, u128) {
    fn from(sums: Sums) -> Self {
        (sums.count, sums.sum, sums.squares)
    }
}

impl TryFrom<(u32, u64, u128)> for Sums {
    type Error = &'static str;

    /// Sums that values can have: each at most u32::MAX, and sum² at most count × squares (Cauchy, Schwarz).
    fn try_from((count, sum, squares): (u32, u64, u128)) -> Result<Self, Self::Error> {
        let sums = Self { count, sum, squares };
        let (n, value_max) = (u128::from(count), u128::from(u32::MAX));
        // In this order: the bound on squares keeps n × squares within 128 bits.
        let possible =
            squares <= n * value_max * value_max && square(sum) <= n * squares && u128::from(sum) <= squares;
        possible.then_some(sums).ok_or("no values have these moments")
    }
}

const fn square(value: u64) -> u128 {
    value as u128 * value as u128
}

const fn cross(ratio: Ratio, with: Ratio) -> u128 {
    ratio.numerator as u128 * with.denominator as u128
}

/// A product of 192 bits: its upper 128, then its lower 64.
const fn product(factor: u128, other: u64) -> (u128, u64) {
    let low = (factor as u64) as u128 * other as u128;
    ((factor >> 64) * other as u128 + (low >> 64), low as u64)
}
