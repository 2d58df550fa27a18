//! A tree of partial sums (Fenwick, A new data structure for cumulative frequency tables, 1994): O(log n) to set a weight and
//! to pick an index, O(1) for the sum.

use alloc::vec::Vec;

/// Weights with partial sums.
#[derive(Clone, Debug, Default)]
pub struct Fenwick {
    weights: Vec<u64>,
    /// Node n, from 1, is the sum of the weights of the `span(n)` indexes below n. Node 0 is not used.
    nodes: Vec<u64>,
    sum: u64,
}

impl Fenwick {
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
        while self.weights.len() <= index {
            self.grow();
        }
        let before = self.weights[index];
        self.sum = super::changed(self.sum, before, weight);
        self.weights[index] = weight;
        // What is added may be negative; no node is in the end, so wrapping round 2^64 does no harm.
        let added = weight.wrapping_sub(before);
        let mut node = index + 1;
        while let Some(sum) = self.nodes.get_mut(node) {
            *sum = sum.wrapping_add(added);
            node += span(node);
        }
    }

    /// The sum of all weights.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The index that these bits pick.
    #[must_use]
    pub fn pick(&self, bits: u64) -> Option<usize> {
        if self.sum == 0 {
            return None;
        }
        // The most indexes whose weights have a sum of at most what is left: the next one is it.
        let (mut index, mut left) = (0, super::scaled(bits, self.sum));
        let mut step = 1 << self.weights.len().ilog2();
        while step > 0 {
            if let Some(rest) = self.nodes.get(index + step).and_then(|sum| left.checked_sub(*sum)) {
                index += step;
                left = rest;
            }
            step /= 2;
        }
        Some(index)
    }

    /// Adds an index with weight 0, and its node.
    fn grow(&mut self) {
        self.weights.push(0);
        if self.nodes.is_empty() {
            self.nodes.push(0);
        }
        let node = self.weights.len();
        let (mut sum, mut child) = (0, node - 1);
        while child > node - span(node) {
            sum += self.nodes[child];
            child -= span(child);
        }
        self.nodes.push(sum);
    }
}

/// How many indexes a node sums up: its lowest bit.
const fn span(node: usize) -> usize {
    node & node.wrapping_neg()
}
