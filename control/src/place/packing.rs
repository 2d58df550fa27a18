//! Bin packing: each model gets as many replicas as keep its slots at most so busy, the largest models first. Four ways to
//! choose among the hosts with room; a host that has the model in memory, or else on disk, goes before them all.

use alloc::vec;
use alloc::vec::Vec;

use super::draft::Draft;
use super::erlang::Traffic;
use super::ground::{Ground, Pair};
use super::problem::Why;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

const PARAMETERS: &[Parameter] = &[Parameter {
    name: "utilisation_percent",
    summary: "how busy slots may be",
    default: 70,
    least: 1,
    most: 100,
}];

const fn strategy(name: &'static str, summary: &'static str, source: &'static str) -> Strategy {
    Strategy {
        name,
        summary,
        source,
        cost: "O(replicas × hosts)",
        needs: "arrivals and service times of each model, memory, declared slots",
        requires: Requires::Nothing,
        parameters: PARAMETERS,
    }
}

/// What they say of themselves.
pub(super) const FIRST_FIT: Strategy = strategy(
    "first-fit",
    "replicas by load, largest first, each on the first host with room",
    "first fit decreasing (Johnson 1973)",
);
/// See [`FIRST_FIT`].
pub(super) const BEST_FIT: Strategy = strategy(
    "best-fit",
    "replicas by load, largest first, each where the least memory is left",
    "best fit decreasing (Johnson 1973)",
);
/// See [`FIRST_FIT`].
pub(super) const WORST_FIT: Strategy = strategy(
    "worst-fit",
    "replicas by load, largest first, each where the most memory is left",
    "worst fit decreasing (Johnson 1973)",
);
/// See [`FIRST_FIT`].
pub(super) const BALANCED: Strategy = strategy(
    "balanced",
    "replicas by load, largest first, each where slots and memory are used least",
    "dominant resource (Ghodsi et al. 2011) of load and memory, least first",
);

/// Which of the hosts with room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fit {
    First,
    Best,
    Worst,
    Balanced,
}

pub(super) fn draft<'a>(ground: &'a Ground<'a>, parameters: &Parameters, fit: Fit) -> Draft<'a> {
    let mut packing = Packing {
        draft: Draft::founded(ground),
        utilisation_percent: parameters.get(0).into(),
        fit,
        busy: vec![0; ground.hosts_len()],
    };
    for model in ground.largest_first() {
        packing.place(model);
    }
    packing.draft
}

struct Packing<'a> {
    draft: Draft<'a>,
    utilisation_percent: u128,
    fit: Fit,
    /// Load that each host is given, in 2⁻³² servers.
    busy: Vec<u128>,
}

impl Packing<'_> {
    fn place(&mut self, model: usize) {
        let of = &self.draft.ground.problem.models[model];
        let load = Traffic { arrivals_micros: of.arrivals_micros, service: of.service }.load();
        let mut left = load;
        for host in 0..self.draft.ground.hosts_len() {
            if self.draft.has(Pair { model, host }) {
                left -= self.carry(host, left);
            }
        }
        while left > 0 {
            let Some(host) = self.draft.least_host(model, |host| self.key(Pair { model, host })) else {
                return;
            };
            self.draft.add(Pair { model, host }, Why::Load);
            left -= self.carry(host, left);
        }
    }

    /// Gives a host as much of a load as a replica there may carry.
    fn carry(&mut self, host: usize, left: u128) -> u128 {
        let most = (u128::from(self.draft.ground.slots[host]) << 32) * self.utilisation_percent / 100;
        let carried = left.min(most);
        self.busy[host] += carried;
        carried
    }

    fn key(&self, pair: Pair) -> (bool, bool, u128) {
        let (ground, host) = (self.draft.ground, pair.host);
        let memory = u128::from(ground.memory[host]);
        let used = u128::from(self.draft.used(host));
        let left = memory.saturating_sub(used);
        let by_fit = match self.fit {
            Fit::First => 0,
            Fit::Best => left,
            Fit::Worst => u128::MAX - left,
            Fit::Balanced => {
                let busy_permille = self.busy[host] * 1_000 / (u128::from(ground.slots[host]) << 32);
                let used_permille = (used * 1_000).checked_div(memory).unwrap_or(1_000);
                busy_permille.max(used_permille)
            }
        };
        (!ground.is_resident(pair), !ground.is_stored(pair), by_fit)
    }
}
