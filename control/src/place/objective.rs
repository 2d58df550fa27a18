//! What a plan is worth: how long requests are expected to wait under it, and what its loads cost.
//!
//! The unit is the mean number of requests that wait, in 10⁻¹⁵: by Little's law (1961) arrivals a second times the mean wait.
//!
//! - With replicas, a request waits as in a queue with all their slots ([`Waits`]). One queue for all of them is what control is: it
//!   lets a request out when a slot is free.
//! - Without any, every request waits for a cold load (and an eviction, [`ASSUMED_EVICTION`]), and then as with one replica on
//!   the host with the fewest slots; where that one would be overrun, as with none at all.
//! - A load that the plan asks for counts as one request that waits for it once in the horizon: load time / horizon.
//!
//! Demands of the operator come first: of two plans the better one misses fewer of them, whatever it costs.

use alloc::vec::Vec;

use super::draft::Draft;
use super::erlang::{Traffic, Waits};
use super::ground::{Ground, Pair};
use super::problem::{Model, Plan, Problem, SPAN_MAX, Why};
use crate::units::Nanos;

/// What it takes until an evicted model is gone: 0.5 to 1.5 s were seen on GPUs.
pub const ASSUMED_EVICTION: Nanos = Nanos::from_secs(1);

/// Parts of a waiting request.
const REQUEST: u128 = 1_000_000_000_000_000;

/// What a plan is worth, the best one least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Objective {
    /// Pins and replicas missing to least numbers.
    pub missing: u64,
    /// Replicas missing to targets.
    pub short: u64,
    /// Mean number of requests that wait, in 10⁻¹⁵.
    pub cost: u128,
}

impl Objective {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            missing: self.missing + other.missing,
            short: self.short + other.short,
            cost: self.cost.saturating_add(other.cost),
        }
    }
}

/// What a plan is worth. A plan that keeps its hands off counts as one without replicas.
#[must_use]
pub fn objective(problem: &Problem, plan: &Plan) -> Objective {
    let ground = Ground::new(problem);
    let costs = Costs::new(&ground, |model| model.arrivals_micros);
    let mut replicas = alloc::vec![Vec::new(); ground.models_len()];
    for replica in &plan.replicas {
        if let Some(Pair { model, host }) = ground.pair(replica) {
            replicas[model].push(host);
        }
    }
    let worth = |(model, hosts): (usize, &Vec<usize>)| costs.of(model, hosts);
    replicas.iter().enumerate().map(worth).fold(Objective::default(), Objective::plus)
}

/// Costs of the models of a problem.
#[derive(Debug)]
pub(super) struct Costs<'a> {
    ground: &'a Ground<'a>,
    traffic: Vec<Traffic>,
    waits: Vec<Waits>,
    /// Nanoseconds that a request waits where there is no replica.
    cold: Vec<u128>,
    /// Of one load.
    loads: Vec<u128>,
    /// The share of a host's memory, in mebibytes, that each model's replica takes at least: of the memory, or of the places.
    mebibytes: Vec<u128>,
}

impl<'a> Costs<'a> {
    /// With so many arrivals of each model, in millionths a second.
    pub(super) fn new(ground: &'a Ground<'a>, arrivals_micros: impl Fn(&Model) -> u64) -> Self {
        let problem = ground.problem;
        let open =
            || problem.hosts.iter().zip(&ground.slots).filter(|(host, _)| host.open).map(|(_, slots)| *slots);
        let (servers_max, slots_min) = (open().sum(), open().min().unwrap_or(1));
        let of = |model: &Model| Traffic { arrivals_micros: arrivals_micros(model), service: model.service };
        let traffic: Vec<Traffic> = problem.models.iter().map(of).collect();
        let waits: Vec<Waits> = traffic.iter().map(|traffic| Waits::new(*traffic, servers_max)).collect();
        let cold = |(model, waits): (&Model, &Waits)| {
            let served = if waits.carries(slots_min) { waits.at(slots_min) } else { waits.at(0) };
            u128::from(model.load.min(SPAN_MAX).0) + u128::from(ASSUMED_EVICTION.0) + served
        };
        let load = |model: &Model| {
            u128::from(model.load.min(SPAN_MAX).0) * REQUEST / u128::from(problem.horizon.0.max(1))
        };
        let place = mebibytes_of_a_place(problem);
        Self {
            ground,
            mebibytes: problem
                .models
                .iter()
                .map(|model| u128::from(model.memory.0 >> 20).max(place))
                .collect(),
            cold: problem.models.iter().zip(&waits).map(cold).collect(),
            loads: problem.models.iter().map(load).collect(),
            traffic,
            waits,
        }
    }

    /// Of the requests of a model that has so many slots in all.
    pub(super) fn waiting(&self, model: usize, servers: u64) -> u128 {
        let wait = if servers == 0 { self.cold[model] } else { self.waits[model].at(servers) };
        self.traffic[model].arrivals() * wait
    }

    /// Of the load of a replica, which is nothing where the model is in memory.
    pub(super) fn loading(&self, pair: Pair) -> u128 {
        if self.ground.is_resident(pair) { 0 } else { self.loads[pair.model] }
    }

    /// By how much a replica makes waits cheaper than it is itself; `None` where it does not.
    pub(super) fn gain(&self, draft: &Draft<'_>, pair: Pair) -> Option<u128> {
        let before = draft.servers(pair.model);
        let shorter = self
            .waiting(pair.model, before)
            .saturating_sub(self.waiting(pair.model, before + self.ground.slots[pair.host]));
        shorter.checked_sub(self.loading(pair)).filter(|gain| *gain > 0)
    }

    /// What a replica gains, or what it gains for what it takes of the fleet. Where hosts may have few models, even a small one takes
    /// a place of theirs, which counts as the memory that there is for each place.
    pub(super) fn worth(&self, draft: &Draft<'_>, pair: Pair, per_memory: bool) -> Option<u128> {
        let gain = self.gain(draft, pair)?;
        Some(if per_memory { gain / self.mebibytes[pair.model] } else { gain })
    }

    /// What replicas on these hosts are worth to a model.
    pub(super) fn of(&self, model: usize, hosts: &[usize]) -> Objective {
        let of = &self.ground.problem.models[model];
        let pairs = || hosts.iter().map(|host| Pair { model, host: *host });
        let pinned = pairs().filter(|pair| self.ground.is_pinned(*pair)).count();
        let missing = |wanted: u32| u64::from(wanted).saturating_sub(hosts.len() as u64);
        let loads = pairs().fold(0u128, |sum, pair| sum.saturating_add(self.loading(pair)));
        let servers = hosts.iter().map(|host| self.ground.slots[*host]).sum();
        Objective {
            missing: missing(of.limits.min) + (self.ground.pinned[model].len() - pinned) as u64,
            short: missing(of.limits.target.unwrap_or(0)),
            cost: self.waiting(model, servers).saturating_add(loads),
        }
    }

    /// What the draft is worth.
    pub(super) fn of_all(&self, draft: &Draft<'_>) -> Objective {
        let models = 0..self.ground.models_len();
        models.map(|model| self.of_drafted(draft, model)).fold(Objective::default(), Objective::plus)
    }

    /// What the draft is worth to a model.
    pub(super) fn of_drafted(&self, draft: &Draft<'_>, model: usize) -> Objective {
        let hosts: Vec<usize> =
            (0..self.ground.hosts_len()).filter(|host| draft.has(Pair { model, host: *host })).collect();
        self.of(model, &hosts)
    }
}

/// Memory of open hosts for each model that they may have at once; at least one.
fn mebibytes_of_a_place(problem: &Problem) -> u128 {
    let open = || problem.hosts.iter().filter(|host| host.open);
    let memory: u128 = open().map(|host| u128::from(host.memory.0)).sum();
    let places: u128 = open().map(|host| host.places(problem.models.len()) as u128).sum();
    ((memory >> 20) / places.max(1)).max(1)
}

/// Why a replica is there, for a search that does not note it.
pub(super) fn reason(draft: &Draft<'_>, pair: Pair) -> Why {
    if draft.ground.is_pinned(pair) {
        Why::Pinned
    } else if draft.replicas(pair.model) < draft.ground.problem.models[pair.model].limits.min {
        Why::Minimum
    } else if draft.ground.is_resident(pair) {
        Why::Stays
    } else {
        Why::Gain
    }
}
