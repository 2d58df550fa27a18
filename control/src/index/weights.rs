//! Weights by dense index, and the index that a draw picks in proportion to them.
//!
//! A draw of 64 bits is scaled to `x = bits * sum / 2^64`; the index i is picked where the weights below i are at most x in
//! sum, and with its own are more. An index is off by a fraction of 2^-64 of its share at the most.

mod fast;
mod naive;

use alloc::vec::Vec;

pub use fast::Fenwick;
pub use naive::Plain;
use serde::{Deserialize, Serialize, Serializer};

use super::Implementation;

/// Weights. Their sum is below 2^64. Either twin serialises as the list of weights, and comes back optimised.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<u64>")]
pub enum Weights {
    /// [`Fenwick`].
    Optimised(Fenwick),
    /// [`Plain`].
    Baseline(Plain),
}

impl Weights {
    /// None yet: every index weighs 0.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Fenwick::default()),
            Implementation::Baseline => Self::Baseline(Plain::default()),
        }
    }

    /// The weights up to the highest index that was ever set.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        match self {
            Self::Optimised(fenwick) => fenwick.as_slice(),
            Self::Baseline(plain) => plain.as_slice(),
        }
    }

    /// The weight of an index; 0 where it was never set.
    #[must_use]
    pub fn get(&self, index: usize) -> u64 {
        self.as_slice().get(index).copied().unwrap_or(0)
    }

    /// Sets the weight of an index.
    ///
    /// # Panics
    /// Where the sum of all weights would reach 2^64.
    pub fn set(&mut self, index: usize, weight: u64) {
        match self {
            Self::Optimised(fenwick) => fenwick.set(index, weight),
            Self::Baseline(plain) => plain.set(index, weight),
        }
    }

    /// The sum of all weights.
    #[must_use]
    pub fn sum(&self) -> u64 {
        match self {
            Self::Optimised(fenwick) => fenwick.sum(),
            Self::Baseline(plain) => plain.sum(),
        }
    }

    /// The index that these bits pick, in proportion to the weights; none where all are 0.
    #[must_use]
    pub fn pick(&self, bits: u64) -> Option<usize> {
        match self {
            Self::Optimised(fenwick) => fenwick.pick(bits),
            Self::Baseline(plain) => plain.pick(bits),
        }
    }
}

/// Weights are equal where every index weighs the same.
impl PartialEq for Weights {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.as_slice(), other.as_slice());
        (0..ours.len().max(theirs.len())).all(|index| self.get(index) == other.get(index))
    }
}

impl Serialize for Weights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl TryFrom<Vec<u64>> for Weights {
    type Error = &'static str;

    fn try_from(weights: Vec<u64>) -> Result<Self, Self::Error> {
        let sum = weights.iter().try_fold(0u64, |sum, weight| sum.checked_add(*weight));
        sum.ok_or("weights have a sum of 2^64 or more")?;
        let mut fenwick = Fenwick::default();
        weights.into_iter().enumerate().for_each(|(index, weight)| fenwick.set(index, weight));
        Ok(Self::Optimised(fenwick))
    }
}

/// Where a draw falls among weights with this sum.
fn scaled(bits: u64, sum: u64) -> u64 {
    ((u128::from(bits) * u128::from(sum)) >> 64) as u64
}

/// The sum after a weight was changed.
///
/// # Panics
/// Where it would reach 2^64.
fn changed(sum: u64, before: u64, after: u64) -> u64 {
    (sum - before).checked_add(after).expect("weights have a sum below 2^64")
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
