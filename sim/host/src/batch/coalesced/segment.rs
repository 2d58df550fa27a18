//! A run of steps of one composition: what the first k of them take together, and how many it takes to get past a
//! time.

use crate::costs::SPAN_CELLS;

/// Steps that differ only in contexts, which grow by the same amount in each.
///
/// Step i (from 0) takes `first + i × rise + span × ceil((cells + i × growth) / 256)` picoseconds, so that the first
/// k take `first × k + rise × k (k − 1) / 2 + span × (a sum of floors)`. All three are exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) rise: u64,
    pub(super) span: u64,
    /// Cells in use once the first step has stored its tokens.
    pub(super) cells: u64,
    /// Cells that each step adds.
    pub(super) growth: u64,
}

impl Segment {
    /// Picoseconds of step `index`; saturating.
    fn step(&self, index: u64) -> u64 {
        let rise = self.rise.saturating_mul(index);
        let spans = (self.cells + self.growth * index).div_ceil(SPAN_CELLS);
        self.first.saturating_add(rise).saturating_add(self.span.saturating_mul(spans)).max(1)
    }

    /// Picoseconds of the first `steps` steps. Fewer than 2³² steps.
    pub(super) fn cost(&self, steps: u64) -> u128 {
        let mut picos = u128::from(self.first) * u128::from(steps);
        if steps > 1 {
            picos += u128::from(self.rise) * u128::from(steps * (steps - 1) / 2);
        }
        if self.span > 0 {
            picos += u128::from(self.span) * u128::from(self.spans(steps));
        }
        picos
    }

    /// Sum over the first `steps` steps of the cells in use, in units of 256, rounded up.
    fn spans(&self, steps: u64) -> u64 {
        floor_sum(steps, SPAN_CELLS, self.growth, self.cells + SPAN_CELLS - 1)
    }

    /// The least number of steps, at least 1 and at most `most`, that takes more than `picos`; `most` where none
    /// does.
    pub(super) fn steps_beyond(&self, picos: u128, most: u64) -> u64 {
        // Invariant: `low` steps do not get beyond; `high` steps do (or are all there are).
        let (mut low, mut high) = (0u64, most);
        let (mut at, mut at_cost) = (0u64, 0u128);
        while high - low > 1 {
            // Newton's step, rounded away from the root; the bracket keeps it honest.
            let slope = self.step(at);
            let guess = if at_cost <= picos {
                at.saturating_add(quotient(picos - at_cost, slope))
            } else {
                at.saturating_sub(quotient(at_cost - picos, slope).saturating_add(1))
            };
            at = guess.clamp(low + 1, high - 1);
            at_cost = self.cost(at);
            if at_cost > picos {
                high = at;
            } else {
                low = at;
            }
        }
        high
    }
}

/// `dividend / divisor`, at most `u64::MAX`; the common case in one machine division.
fn quotient(dividend: u128, divisor: u64) -> u64 {
    match u64::try_from(dividend) {
        Ok(dividend) => dividend / divisor,
        Err(_) => u64::try_from(dividend / u128::from(divisor)).unwrap_or(u64::MAX),
    }
}

/// Sum over i below `terms` of `floor((slope × i + start) / modulus)`, by Euclid's algorithm on the lattice points
/// under the line.
fn floor_sum(mut terms: u64, mut modulus: u64, mut slope: u64, mut start: u64) -> u64 {
    let mut sum = 0;
    loop {
        if terms == 0 {
            return sum;
        }
        if slope >= modulus {
            sum += terms * (terms - 1) / 2 * (slope / modulus);
            slope %= modulus;
        }
        if start >= modulus {
            sum += terms * (start / modulus);
            start %= modulus;
        }
        let top = slope * terms + start;
        if top < modulus {
            return sum;
        }
        terms = top / modulus;
        start = top % modulus;
        std::mem::swap(&mut modulus, &mut slope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> impl Iterator<Item = Segment> {
        let mut state = 1u64;
        let mut draw = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        (0..400).map(move |_| Segment {
            first: 1 + draw(3_000),
            rise: draw(3) * draw(50),
            span: draw(2) * draw(1_000),
            cells: draw(3_000),
            growth: draw(700),
        })
    }

    #[test]
    fn a_sum_of_steps_is_the_steps_summed() {
        for segment in segments() {
            let mut sum = 0;
            for steps in 0..300 {
                assert_eq!(segment.cost(steps), sum, "{segment:?}");
                sum += u128::from(segment.step(steps));
            }
        }
    }

    #[test]
    fn the_first_step_beyond_a_time_is_found_exactly() {
        for segment in segments() {
            for most in [1, 2, 7, 300] {
                let end = segment.cost(most);
                let edges = (1..=most).flat_map(|steps| {
                    let cost = segment.cost(steps);
                    [cost - 1, cost, cost + 1]
                });
                for picos in edges.filter(|&picos| picos < end) {
                    let found = segment.steps_beyond(picos, most);
                    assert!(segment.cost(found) > picos && segment.cost(found - 1) <= picos, "{segment:?}");
                }
                assert_eq!(segment.steps_beyond(end + 5, most), most);
            }
        }
    }

    #[test]
    fn a_long_run_beyond_64_bits_is_solved() {
        let segment = Segment { first: u64::MAX / 3, rise: u64::MAX / 5, span: 9, cells: 4, growth: 3 };
        let most = 3_000_000_000;
        for steps in [1, 2, 1_000_000, most - 1] {
            let picos = segment.cost(steps);
            assert_eq!(segment.steps_beyond(picos, most), steps + 1);
            assert_eq!(segment.steps_beyond(picos - 1, most), steps);
        }
    }
}
