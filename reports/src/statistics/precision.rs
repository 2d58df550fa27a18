//! How many replicates a precision asks for, in two stages (Stein, Annals of Mathematical Statistics 16 (1945) 243): a pilot tells the deviation, and with
//! it how many are needed; the interval goes by the pilot's deviation. So the number does not depend on which mean was seen, and to
//! look does not bias.

use super::estimate::{Estimate, Method, Sample, Terms, by_t, quantile_of_t};

/// Replicates of a pilot.
pub const PILOT: usize = 10;

/// Replicates with which the interval of a mean is at most this wide to either side; the pilot's at least. `None` where the pilot says nothing
/// (fewer than two values, or one that is not finite), or the width is not above 0.
#[must_use]
pub fn replicates_needed(pilot: &[f64], half_width: f64, confidence: f64) -> Option<usize> {
    let sample = Sample::of(pilot)?;
    if half_width.is_nan() || half_width <= 0.0 {
        return None;
    }
    let ratio = quantile_of_t(sample.len - 1, confidence) * sample.deviation / half_width;
    Some((libm::ceil(ratio * ratio) as usize).max(sample.len))
}

/// The mean of all values, of which the first `pilot` were the pilot.
#[must_use]
pub fn second_stage(values: &[f64], pilot: usize, terms: Terms) -> Option<Estimate> {
    let (first, all) = (Sample::of(values.get(..pilot)?)?, Sample::of(values)?);
    Some(by_t(all, first, terms.confidence, Method::Stein))
}

#[cfg(test)]
mod tests {
    use control::draw::{Component, Draw};

    use super::*;

    const TERMS: Terms = Terms { confidence: 0.95, seed: 1 };

    /// Normal values: sums of twelve uniform ones.
    fn normal(repetition: u64, len: usize, mean: f64, deviation: f64) -> Vec<f64> {
        let mut draw = Draw::new(7, Component::Scenario, repetition, 0);
        let mut uniform = || (draw.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        (0..len).map(|_| mean + deviation * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0)).collect()
    }

    #[test]
    fn the_interval_is_as_narrow_as_asked_for_and_holds_the_truth_as_often_as_it_says() {
        let (repetitions, mut held, mut most) = (2_000, 0, 0);
        for repetition in 0..repetitions {
            let all = normal(repetition, 2_000, 100.0, 10.0);
            let needed = replicates_needed(&all[..PILOT], 2.0, 0.95).unwrap();
            let found = second_stage(&all[..needed], PILOT, TERMS).unwrap();
            assert!(found.high - found.low <= 4.0 + 1e-9, "{found:?}");
            held += usize::from((found.low..=found.high).contains(&100.0));
            most = most.max(needed);
        }
        let share = held as f64 / repetitions as f64;
        println!("{share} hold the truth, with {most} replicates at most");
        assert!((0.935..=0.975).contains(&share), "{share}");
    }

    #[test]
    fn a_pilot_that_says_nothing_asks_for_nothing() {
        assert_eq!(replicates_needed(&[1.0], 1.0, 0.95), None);
        assert_eq!(replicates_needed(&[1.0, f64::INFINITY], 1.0, 0.95), None);
        assert_eq!(replicates_needed(&[1.0, 2.0], 0.0, 0.95), None);
        assert_eq!(replicates_needed(&[5.0; 10], 0.1, 0.95), Some(10));
    }
}
