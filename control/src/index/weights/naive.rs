//! The plain twin: a walk through the weights for every sum and every pick.

use alloc::vec::Vec;

/// Weights in a list.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    weights: Vec<u64>,
}

impl Plain {
    /// The weights up to the highest index that was ever set.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        &self.weights
    }

    /// Sets the weight of an index.
    ///
    /// # Panics
    /// Where the sum of all weights would reach 2^64.
    pub fn set(&mut self, index: usize, weight: u64) {
        if index >= self.weights.len() {
            self.weights.resize(index + 1, 0);
        }
        super::changed(self.sum(), self.weights[index], weight);
        self.weights[index] = weight;
    }

    /// The sum of all weights.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.weights.iter().sum()
    }

    /// The index that these bits pick.
    #[must_use]
    pub fn pick(&self, bits: u64) -> Option<usize> {
        let mut left = super::scaled(bits, self.sum());
        for (index, weight) in self.weights.iter().enumerate() {
            match left.checked_sub(*weight) {
                None => return Some(index),
                Some(rest) => left = rest,
            }
        }
        None
    }
}
