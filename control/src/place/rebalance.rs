//! A few moves that improve what is in memory: each must be worth more than its loads, and more than a share of what all
//! waits cost, so that noise moves nothing. The best one first; where none is worth it, nothing changes.
//!
//! A move adds a replica, takes one to a host with more slots, or puts one in the place of another, which goes where it still fits or
//! goes. To drop one alone gains nothing: what nobody needs may stay while nobody needs its room.

use alloc::vec::Vec;

use super::check::check;
use super::draft::Draft;
use super::ground::{Ground, Pair};
use super::objective::{Costs, Objective};
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
            summary: "what a move must gain, in percent of what all waits cost",
            default: 2,
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
        let search = Search { costs: &costs, refused: &refused };
        let Some((gain, step)) = search.best(&mut draft) else { break };
        let of = |model| costs.of_drafted(&draft, model);
        let all = (0..ground.models_len()).map(of).fold(Objective::default(), Objective::plus);
        if gain.saturating_mul(100) <= all.cost.saturating_mul(hysteresis_percent) {
            break;
        }
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
    refused: &'a [Step],
}

impl Search<'_> {
    /// The move that gains most, and how much; of several the first that is looked at. Leaves the draft as it was.
    fn best(&self, draft: &mut Draft<'_>) -> Option<(u128, Step)> {
        let mut best = None;
        let mut offer = |gain: Option<u128>, step: Step| {
            if let Some(gain) = gain
                && best.is_none_or(|(most, _)| gain > most)
                && !self.refused.contains(&step)
            {
                best = Some((gain, step));
            }
        };
        for model in 0..draft.ground.models_len() {
            if let Some(host) = draft.best_host(model) {
                let pair = Pair { model, host };
                offer(self.costs.gain(draft, pair), Step { goes: None, comes: Some(pair) });
            }
        }
        for host in 0..draft.ground.hosts_len() {
            for model in 0..draft.ground.models_len() {
                let from = Pair { model, host };
                if may_go(draft, from) {
                    self.replace(draft, from, &mut offer);
                }
            }
        }
        best
    }

    /// What can be made of the place of a replica.
    fn replace(&self, draft: &mut Draft<'_>, from: Pair, offer: &mut impl FnMut(Option<u128>, Step)) {
        let (model, before) = (from.model, draft.servers(from.model));
        let why = draft.remove(from);
        let saved = self.costs.loading(from);
        let loss = self.costs.waiting(model, draft.servers(model)) - self.costs.waiting(model, before);
        // Elsewhere it loses less, perhaps nothing, but must be loaded.
        let elsewhere = draft.least_host(model, |host| {
            let stored = draft.ground.is_stored(Pair { model, host });
            (host == from.host, core::cmp::Reverse(draft.ground.slots[host]), !stored)
        });
        let moved = elsewhere.filter(|host| *host != from.host).map(|host| {
            let after = draft.servers(model) + draft.ground.slots[host];
            let change = self.costs.waiting(model, after) as i128 - self.costs.waiting(model, before) as i128;
            (host, change + self.costs.loading(Pair { model, host }) as i128 - saved as i128)
        });
        let stays_away = loss as i128 - saved as i128;
        if let Some((host, change)) = moved {
            offer(gained(change), Step { goes: Some((from, Some(host))), comes: None });
        }
        let (to, change) = match moved {
            Some((host, change)) if change < stays_away => (Some(host), change),
            _ => (None, stays_away),
        };
        for other in (0..draft.ground.models_len()).filter(|other| *other != model) {
            let pair = Pair { model: other, host: from.host };
            if draft.takes(pair)
                && let Some(gain) = self.costs.gain(draft, pair)
            {
                offer(gained(change - gain as i128), Step { goes: Some((from, to)), comes: Some(pair) });
            }
        }
        draft.add(from, why);
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
