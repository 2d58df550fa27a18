//! Replicas in proportion to the load: each model gets the share of the fleet's memory that it has of the busy slots, whole
//! replicas by largest remainder. What is there counts first; the rest goes where it fits best, the largest first.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::draft::Draft;
use super::erlang::Traffic;
use super::ground::Ground;
use super::problem::Why;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "popularity",
    summary: "replicas in proportion to each model's share of the load",
    source: "proportional replication (Cohen, Shenker 2002); largest remainder (Hamilton)",
    cost: "O(replicas × hosts)",
    needs: "arrivals and service times of each model, memory",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "fill_percent",
        summary: "memory to fill, in percent of what open hosts have",
        default: 90,
        least: 1,
        most: 100,
    }],
};

/// Parts that the most popular model's weight has.
const WEIGHT_MOST: u128 = 1 << 20;

pub(super) fn draft<'a>(ground: &'a Ground<'a>, parameters: &Parameters) -> Draft<'a> {
    let wanted = wanted(ground, parameters.get(0).into());
    let mut draft = Draft::founded(ground);
    for pair in ground.oldest_first() {
        if u64::from(draft.replicas(pair.model)) < wanted[pair.model] && draft.fits(pair) {
            draft.add(pair, Why::Share);
        }
    }
    for model in ground.largest_first() {
        while u64::from(draft.replicas(model)) < wanted[model] && draft.add_best(model, Why::Share) {}
    }
    draft
}

/// How many replicas each model should have.
fn wanted(ground: &Ground<'_>, fill_percent: u128) -> Vec<u64> {
    let problem = ground.problem;
    let loads: Vec<u128> = problem
        .models
        .iter()
        .map(|model| Traffic { arrivals_micros: model.arrivals_micros, service: model.service }.load())
        .collect();
    let most = loads.iter().copied().max().unwrap_or(0).max(1);
    let weight = |load: &u128| if *load == 0 { 0 } else { (load * WEIGHT_MOST / most).max(1) };
    let weights: Vec<u128> = loads.iter().map(weight).collect();
    let open = || problem.hosts.iter().filter(|host| host.open);
    let memory: u128 = open().map(|host| u128::from(host.memory.0)).sum();
    let places: u128 = open().map(|host| host.places(problem.models.len()) as u128).sum();
    // Replicas of the mean size, weighted, that the memory has room for.
    let of = |(model, weight): (&super::problem::Model, &u128)| u128::from(model.memory.0) * weight;
    let weighted: u128 = problem.models.iter().zip(&weights).map(of).sum();
    let sum: u128 = weights.iter().sum();
    let replicas = (memory * fill_percent * sum).checked_div(100 * weighted).unwrap_or(u128::MAX);
    apportion(&weights, replicas.min(places))
}

/// Shares `seats` out in proportion to weights: to each the whole part of its quota, what is left to the largest remainders, of
/// equal ones to the first.
fn apportion(weights: &[u128], seats: u128) -> Vec<u64> {
    let sum: u128 = weights.iter().sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let mut shares: Vec<u64> = weights.iter().map(|weight| (weight * seats / sum) as u64).collect();
    let given: u128 = shares.iter().map(|share| u128::from(*share)).sum();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| Reverse(weights[*at] * seats % sum));
    for at in order.into_iter().take((seats - given) as usize) {
        shares[at] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_go_by_quota_and_largest_remainder() {
        // Quotas are 21.5, 27.4 and 1.1.
        assert_eq!(apportion(&[430, 548, 22], 50), [22, 27, 1]);
        assert_eq!(apportion(&[1, 1, 1], 4), [2, 1, 1]);
        assert_eq!(apportion(&[5, 0], 3), [3, 0]);
        assert_eq!(apportion(&[0, 0], 3), [0, 0]);
    }
}
