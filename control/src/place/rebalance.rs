//! A few moves that improve what is in memory: each must be worth more than its loads, and more than a share of what its models'
//! waits cost, so that noise moves nothing. The best one first; where none is worth it, nothing changes. The share is of the
//! models that are moved, not of all: in a large fleet no single move is worth a share of everything.
//!
//! A move adds a replica, takes one to a host with more slots, or puts one in the place of another, which goes where it still fits or
//! goes. To drop one alone gains nothing: what nobody needs may stay while nobody needs its room.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::check::check;
use super::draft::Draft;
use super::ground::{Ground, Pair};
use super::objective::Costs;
use super::problem::{Standing, Why};
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "rebalance",
    summary: "a few moves that improve what is in memory by more than they cost",
    source: "local search with hysteresis; waits by Erlang's formula (Kleinrock 1975)",
    cost: "O(moves × replicas × (hosts + models))",
    needs: "arrivals, service and load times of each model, memory, declared slots",
    requires: Requires::Nothing,
    parameters: &[
        Parameter { name: "moves_max", summary: "most moves of a plan", default: 4, least: 1, most: 1_000 },
        Parameter {
            name: "hysteresis_percent",
            summary: "what a move must gain, in percent of what its models' waits cost",
            default: 5,
            least: 0,
            most: 100,
        },
    ],
};

/// Moves that break a demand are passed over, so many of a plan at most.
const REFUSED_MAX: usize = 16;

pub(super) fn draft<'a>(ground: &'a Ground<'a>, parameters: &Parameters) -> Draft<'a> {
    let (moves_max, hysteresis_percent) = (parameters.get(0), u128::from(parameters.get(1)));
    let costs = Costs::new(ground, |model| model.arrivals_micros);
    let mut draft = Draft::founded(ground);
    draft.keep_residents();
    let (mut moves, mut refused) = (0, Vec::new());
    while moves < moves_max && refused.len() < REFUSED_MAX {
        let mut search = Search { costs: &costs, hysteresis_percent, refused: &refused, best: None };
        search.look(&mut draft);
        let Some((_, step)) = search.best else { break };
        let mut moved = draft.clone();
        step.take(&mut moved);
        if check(ground.problem, &moved.plan(Standing::Sought)).is_ok() {
            draft = moved;
            moves += 1;
        } else {
            refused.push(step);
        }
    }
    draft
}

/// A move: a replica that goes, perhaps to another host, and one that comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Step {
    goes: Option<(Pair, Option<usize>)>,
    comes: Option<Pair>,
}

impl Step {
    fn take(self, draft: &mut Draft<'_>) {
        if let Some((from, _)) = self.goes {
            draft.remove(from);
        }
        if let Some(pair) = self.comes {
            draft.add(pair, if self.goes.is_some() { Why::Moved } else { Why::Gain });
        }
        if let Some((Pair { model, .. }, Some(host))) = self.goes {
            draft.add(Pair { model, host }, Why::Moved);
        }
    }
}

struct Search<'a> {
    costs: &'a Costs<'a>,
    hysteresis_percent: u128,
    refused: &'a [Step],
    /// What gains most, and how much; of several the first that was looked at.
    best: Option<(u128, Step)>,
}

impl Search<'_> {
    /// Looks at all moves. Leaves the draft as it was.
    fn look(&mut self, draft: &mut Draft<'_>) {
        for model in 0..draft.ground.models_len() {
            if let Some(host) = draft.best_host(model) {
                let pair = Pair { model, host };
                let touched = self.costs.waiting(model, draft.servers(model));
                self.offer(self.costs.gain(draft, pair), touched, Step { goes: None, comes: Some(pair) });
            }
        }
        for host in 0..draft.ground.hosts_len() {
            for model in 0..draft.ground.models_len() {
                let from = Pair { model, host };
                if may_go(draft, from) {
                    self.replace(draft, from);
                }
            }
        }
    }

    /// Takes a move where it is the best so far; `touched` is what the waits of its models cost.
    fn offer(&mut self, gain: Option<u128>, touched: u128, step: Step) {
        let Some(gain) = gain else { return };
        let enough = gain.saturating_mul(100) > touched.saturating_mul(self.hysteresis_percent);
        if enough && self.best.is_none_or(|(most, _)| gain > most) && !self.refused.contains(&step) {
            self.best = Some((gain, step));
        }
    }

    /// What can be made of the place of a replica.
    fn replace(&mut self, draft: &mut Draft<'_>, from: Pair) {
        let (model, servers) = (from.model, draft.servers(from.model));
        let why = draft.remove(from);
        let before = self.costs.waiting(model, servers);
        let change = |draft: &Draft<'_>, to: Option<usize>| {
            let slots = to.map_or(0, |host| draft.ground.slots[host]);
            let after = self.costs.waiting(model, draft.servers(model) + slots) as i128;
            let loading = to.map_or(0, |host| self.costs.loading(Pair { model, host })) as i128;
            after + loading - before as i128 - self.costs.loading(from) as i128
        };
        let (away, elsewhere) = (change(draft, None), self.elsewhere(draft, from));
        let moved = elsewhere.map(|host| change(draft, Some(host)));
        if let Some(change) = moved {
            self.offer(gained(change), before, Step { goes: Some((from, elsewhere)), comes: None });
        }
        let (to, change) = match moved {
            Some(change) if change < away => (elsewhere, change),
            _ => (None, away),
        };
        for other in (0..draft.ground.models_len()).filter(|other| *other != model) {
            let pair = Pair { model: other, host: from.host };
            if draft.takes(pair)
                && let Some(gain) = self.costs.gain(draft, pair)
            {
                let touched = before.saturating_add(self.costs.waiting(other, draft.servers(other)));
                let step = Step { goes: Some((from, to)), comes: Some(pair) };
                self.offer(gained(change - gain as i128), touched, step);
            }
        }
        draft.add(from, why);
    }

    /// The best other host for what was taken off one.
    fn elsewhere(&self, draft: &Draft<'_>, from: Pair) -> Option<usize> {
        let model = from.model;
        let host = draft.least_host(model, |host| {
            let stored = draft.ground.is_stored(Pair { model, host });
            (host == from.host, Reverse(draft.ground.slots[host]), !stored)
        });
        host.filter(|host| *host != from.host)
    }
}

/// How much cheaper a change is, where it is.
fn gained(change: i128) -> Option<u128> {
    u128::try_from(-change).ok().filter(|gain| *gain > 0)
}

/// Whether a replica may go: no demand of the operator holds it.
fn may_go(draft: &Draft<'_>, pair: Pair) -> bool {
    let limits = draft.ground.problem.models[pair.model].limits;
    draft.why(pair).is_some_and(|why| !matches!(why, Why::Young | Why::Pinned))
        && !draft.ground.is_pinned(pair)
        && draft.replicas(pair.model) > limits.min.max(limits.target.unwrap_or(0))
}
