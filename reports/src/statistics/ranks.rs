//! How stable a ranking is: in how many of the samples drawn again from the replicates each arm would have been the best.

use control::draw::{Component, Draw};

/// Samples drawn again.
const RESAMPLES: u64 = 2_000;

/// The share of samples in which each arm has the least mean (the greatest where `more_is_better`); equal ones share it. `arms` hold a value of
/// each replicate, in the same order. An arm with a value that is not finite is never the best.
#[must_use]
pub fn best_shares(arms: &[Vec<f64>], more_is_better: bool, seed: u64) -> Vec<f64> {
    let Some(len) = arms.iter().map(Vec::len).min().filter(|len| *len > 0) else {
        return vec![0.0; arms.len()];
    };
    let mut shares = vec![0.0; arms.len()];
    for resample in 0..RESAMPLES {
        let mut draw = Draw::new(seed, Component::Resample, resample, 1);
        let chosen: Vec<usize> = (0..len).map(|_| draw.below(len as u32) as usize).collect();
        let sum = |arm: &Vec<f64>| chosen.iter().map(|replicate| arm[*replicate]).sum::<f64>();
        let sums: Vec<f64> =
            arms.iter().map(|arm| if more_is_better { -sum(arm) } else { sum(arm) }).collect();
        let Some(best) = sums.iter().copied().filter(|sum| sum.is_finite()).min_by(f64::total_cmp) else {
            continue;
        };
        let winners: Vec<usize> = (0..sums.len()).filter(|arm| sums[*arm] == best).collect();
        for winner in &winners {
            shares[*winner] += 1.0 / (winners.len() as f64 * RESAMPLES as f64);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_winner_wins_always_equal_ones_share_and_the_infinite_never() {
        let arms = [vec![1.0, 1.1, 0.9], vec![2.0, 2.1, 1.9], vec![0.1, f64::INFINITY, 0.1]];
        let rounded =
            |shares: Vec<f64>| shares.iter().map(|share| (share * 100.0) as u32).collect::<Vec<_>>();
        let of_two = best_shares(&arms[..2], false, 1);
        assert!((of_two[0] - 1.0).abs() < 1e-9, "{of_two:?}");
        assert!((best_shares(&arms[..2], true, 1)[1] - 1.0).abs() < 1e-9);
        let same = [vec![1.0, 2.0], vec![1.0, 2.0]];
        assert!(best_shares(&same, false, 1).iter().all(|share| (share - 0.5).abs() < 1e-9));
        let with_infinite = rounded(best_shares(&arms, false, 1));
        // Where the infinite replicate is not drawn, in 8 of 27 samples, the third is the best.
        assert!((24..=35).contains(&with_infinite[2]) && with_infinite[1] == 0, "{with_infinite:?}");
    }
}
