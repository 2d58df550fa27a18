//! The best plan there is, by branch and bound: model by model each host gets a replica or does not, and a branch is left where
//! even free choice for all further models could not beat the best plan so far. For small fleets, and to know how far from the
//! best the others are.
//!
//! Hosts that are alike need not be told apart: of two of them, the first has the replicas that come first. The search begins with
//! what greedy and rebalance find, so a search that is cut short is never worse than they.

use alloc::vec;
use alloc::vec::Vec;

use super::check::check;
use super::draft::Draft;
use super::ground::{Ground, Pair};
use super::objective::{Costs, Objective, reason};
use super::problem::{Plan, Standing};
use super::{greedy, rebalance};
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "exact",
    summary: "the best plan there is, searched up to a limit: for a few hosts and models",
    source: "branch and bound (Land, Doig 1960)",
    cost: "O(2^(hosts × models)), at most nodes_max",
    needs: "arrivals, service and load times of each model, memory, declared slots",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "nodes_max",
        summary: "choices looked at before the best so far is taken",
        default: 200_000,
        least: 1,
        most: 100_000_000,
    }],
};

/// Where models times hosts are more, nothing is searched.
const PAIRS_MAX: usize = 1_024;

pub(super) fn plan<'a>(ground: &'a Ground<'a>, parameters: &Parameters) -> Plan {
    let costs = Costs::new(ground, |model| model.arrivals_micros);
    let mut search = Search::new(ground, &costs, parameters.get(0).into());
    let rebalanced = rebalance::draft(ground, &Parameters::defaults(rebalance::STRATEGY.parameters));
    for mut known in [greedy::draft(ground), rebalanced] {
        known.keep_residents();
        search.consider(&known);
    }
    let small = ground.models_len() * ground.hosts_len() <= PAIRS_MAX;
    let complete = small && search.descend(0, 0, Objective::default());
    let (_, mut best) = search.best.expect("greedy found one");
    best.keep_residents();
    best.plan(if complete { Standing::Exact } else { Standing::CutShort })
}

struct Search<'a> {
    costs: &'a Costs<'a>,
    draft: Draft<'a>,
    /// Models, those first that cost most without a replica.
    models: Vec<usize>,
    /// Hosts, those that are alike side by side.
    hosts: Vec<usize>,
    /// Whether each is like the one before it.
    alike: Vec<bool>,
    /// What all models from each place on cost at least.
    rest: Vec<Objective>,
    best: Option<(Objective, Draft<'a>)>,
    nodes_left: u64,
}

impl<'a> Search<'a> {
    fn new(ground: &'a Ground<'a>, costs: &'a Costs<'a>, nodes_left: u64) -> Self {
        let draft = Draft::of_the_young(ground);
        let mut models: Vec<usize> = (0..ground.models_len()).collect();
        models.sort_by_key(|model| core::cmp::Reverse(costs.waiting(*model, 0)));
        let likeness = |host: usize| {
            let of = &ground.problem.hosts[host];
            let pair = |model| Pair { model, host };
            let bits = |model| {
                let pair = pair(model);
                let marks = [
                    ground.is_resident(pair),
                    ground.is_stored(pair),
                    ground.is_pinned(pair),
                    draft.has(pair),
                ];
                (ground.is_allowed(pair), marks)
            };
            let pairs: Vec<_> = (0..ground.models_len()).map(bits).collect();
            (of.zone, of.memory, of.models_max, ground.slots[host], pairs)
        };
        let mut hosts: Vec<usize> = (0..ground.hosts_len()).collect();
        hosts.sort_by_cached_key(|host| likeness(*host));
        let alike =
            (0..hosts.len()).map(|at| at > 0 && likeness(hosts[at - 1]) == likeness(hosts[at])).collect();
        let mut rest = vec![Objective::default(); models.len() + 1];
        for at in (0..models.len()).rev() {
            rest[at] = least_of(&draft, costs, models[at]).plus(rest[at + 1]);
        }
        Self { costs, draft, models, hosts, alike, rest, best: None, nodes_left }
    }

    /// Looks at all plans below a node: so many models are decided, so many hosts of the next one. False where it was cut short.
    fn descend(&mut self, model_at: usize, host_at: usize, done: Objective) -> bool {
        let bound = done.plus(self.rest[model_at]);
        if self.best.as_ref().is_some_and(|(best, _)| bound >= *best) {
            return true;
        }
        let Some(&model) = self.models.get(model_at) else {
            self.consider(&self.draft.clone());
            return true;
        };
        let Some(&host) = self.hosts.get(host_at) else {
            let of = self.costs.of_drafted(&self.draft, model);
            return self.descend(model_at + 1, 0, done.plus(of));
        };
        let pair = Pair { model, host };
        if self.draft.has(pair) {
            return self.descend(model_at, host_at + 1, done);
        }
        if self.nodes_left == 0 {
            return false;
        }
        self.nodes_left -= 1;
        if self.draft.takes(pair) && !self.is_mirrored(model_at, host_at) {
            self.draft.add(pair, reason(&self.draft, pair));
            let complete = self.descend(model_at, host_at + 1, done);
            self.draft.remove(pair);
            if !complete {
                return false;
            }
        }
        self.descend(model_at, host_at + 1, done)
    }

    /// Whether the host before is alike in all, has the same replicas so far, and not this one: then the mirror image of what
    /// would follow is looked at.
    fn is_mirrored(&self, model_at: usize, host_at: usize) -> bool {
        let has = |at: usize, host_at: usize| {
            self.draft.has(Pair { model: self.models[at], host: self.hosts[host_at] })
        };
        self.alike[host_at]
            && (0..model_at).all(|at| has(at, host_at - 1) == has(at, host_at))
            && !has(model_at, host_at - 1)
    }

    /// Takes a whole plan where it is better than the best so far and keeps to everything.
    fn consider(&mut self, draft: &Draft<'a>) {
        let worth = self.costs.of_all(draft);
        let better = self.best.as_ref().is_none_or(|(best, _)| worth < *best);
        if better && check(draft.ground.problem, &draft.plan(Standing::Sought)).is_ok() {
            self.best = Some((worth, draft.clone()));
        }
    }
}

/// What a model costs at least, were all other models gone.
fn least_of(draft: &Draft<'_>, costs: &Costs<'_>, model: usize) -> Objective {
    let ground = draft.ground;
    let limits = ground.problem.models[model].limits;
    let pairs = (0..ground.hosts_len()).map(|host| Pair { model, host });
    let free: Vec<Pair> = pairs.filter(|pair| draft.has(*pair) || draft.takes(*pair)).collect();
    let residents = free.iter().filter(|pair| ground.is_resident(**pair)).count();
    let mut slots: Vec<u64> = free.iter().map(|pair| ground.slots[pair.host]).collect();
    slots.sort_unstable_by_key(|slots| core::cmp::Reverse(*slots));
    slots.truncate(limits.max as usize);
    let load = free.iter().map(|pair| costs.loading(*pair)).max().unwrap_or(0);
    let missing = |wanted: u32| u64::from(wanted).saturating_sub(slots.len() as u64);
    let with = |replicas: usize| {
        let servers = slots[..replicas].iter().sum();
        let loads = load.saturating_mul(replicas.saturating_sub(residents) as u128);
        costs.waiting(model, servers).saturating_add(loads)
    };
    let pins = ground.pinned[model].iter().filter(|host| !free.contains(&Pair { model, host: **host }));
    Objective {
        missing: missing(limits.min) + pins.count() as u64,
        short: missing(limits.target.unwrap_or(0)),
        cost: (0..=slots.len()).map(with).min().expect("at least no replica is possible"),
    }
}
