//! Percentiles of latencies: all values kept and sorted, or a histogram.
//!
//! Forms are held to agree on least, greatest, sum and count; that a histogram's quantiles are within a part in a
//! thousand is a property test beside it.

use control::draw::Draw;
use reports::histogram::{Histogram, rank};

use super::fit::Complexity;
use super::{Clock, Component, Subject};

/// Quantiles that are asked for, in thousandths.
const QUANTILES: [u64; 3] = [500, 950, 990];

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "histogram".into(),
        forms: ["a vector of all, sorted when asked", "a log-linear histogram"],
        operation: "record all values and ask three percentiles",
        scale: "values",
        claimed: [Complexity::Linearithmic, Complexity::Linear],
        clock: Clock::Cpu,
        counted: None,
        build: Box::new(|case| {
            let values = Values { draw: case.draw(), len: case.scale };
            if case.is_baseline() {
                Box::new(Sorted { values, kept: Vec::new() })
            } else {
                Box::new(Buckets { values, kept: Histogram::new() })
            }
        }),
    }]
}

/// Latencies over three powers of ten, in nanoseconds.
struct Values {
    draw: Draw,
    len: usize,
}

impl Values {
    fn next(&mut self) -> u64 {
        let bits = self.draw.bits();
        (bits >> 34) >> (bits & 7)
    }
}

/// What was recorded last stays until the next begins, so that its memory shows.
struct Sorted {
    values: Values,
    kept: Vec<u64>,
}

impl Subject for Sorted {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            self.kept = Vec::new();
            for _ in 0..self.values.len {
                self.kept.push(self.values.next());
            }
            self.kept.sort_unstable();
            let len = self.kept.len() as u64;
            let at = |permille| self.kept[rank(len, permille) as usize - 1];
            std::hint::black_box(QUANTILES.map(at));
            let total: u64 = self.kept.iter().sum();
            sum = sum.wrapping_add(total ^ at(0) ^ at(1_000) ^ len);
        }
        sum
    }
}

struct Buckets {
    values: Values,
    kept: Histogram,
}

impl Subject for Buckets {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            self.kept = Histogram::new();
            for _ in 0..self.values.len {
                self.kept.record(self.values.next());
            }
            std::hint::black_box(QUANTILES.map(|permille| self.kept.quantile(permille)));
            let (min, max) = (self.kept.min().unwrap_or(0), self.kept.max().unwrap_or(0));
            sum = sum.wrapping_add(self.kept.sum() as u64 ^ min ^ max ^ self.kept.count());
        }
        sum
    }
}
