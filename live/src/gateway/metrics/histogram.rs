//! Histograms with fixed buckets.

/// Times of requests: from what a loaded model on a fast GPU takes to a cold load and a long answer.
pub(in crate::gateway) const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// Times of one token: 1,000 to 1 a second.
pub(in crate::gateway) const TOKEN_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0];
/// Times of a step of control.
pub(in crate::gateway) const DECISION_SECONDS: &[f64] = &[
    0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.01,
    0.1,
];

/// Times of actions on hosts: from a second name to a pull of hundreds of GiB.
pub(in crate::gateway) const ACTION_SECONDS: &[f64] =
    &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0];

/// Counts of values by the least bound that is not below them.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::gateway) struct Histogram {
    bounds: &'static [f64],
    /// One more than bounds: the last holds what is above all.
    counts: Box<[u64]>,
    sum: f64,
}

impl Histogram {
    /// An empty one; bounds rise.
    pub(in crate::gateway) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1].into(), sum: 0.0 }
    }

    /// Counts a value.
    pub(in crate::gateway) fn record(&mut self, value: f64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
    }

    /// Each bound with the count of values up to it; the last has no bound.
    pub(in crate::gateway) fn cumulative(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(&self.counts).scan(0, |total, (bound, count)| {
            *total += count;
            Some((bound, *total))
        })
    }

    /// Sum of all values.
    pub(in crate::gateway) fn sum(&self) -> f64 {
        self.sum
    }

    /// Count of all values.
    pub(in crate::gateway) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_up_from_the_bound_that_it_does_not_pass() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 9.0] {
            histogram.record(value);
        }
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative, [(Some(1.0), 2), (Some(2.0), 3), (None, 4)]);
        assert_eq!((histogram.count(), histogram.sum()), (4, 12.0));
    }
}
