//! Ever the replica that shortens waits most for its memory, until none is worth its load; the same for waits alone, whatever
//! the memory, since a large model that comes last finds no room; and the same again after each model has its first replica, the
//! largest first. The best of these plans is taken: where gains diminish, it is within a constant factor of the best. A replica goes
//! where its model is loaded, else where it is on disk, else where it fits best.
//!
//! A heap holds what each model's next replica is worth; after a replica only the models are looked at again whose next one is
//! worth something else. What a replica is worth depends on its host by its level ([`Ground::level`]) alone, so that a model's
//! stays as it is for as long as any one host of that level has room.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::draft::Draft;
use super::ground::{Ground, Pair};
use super::objective::Costs;
use super::problem::Why;
use crate::index::heap::{Heap, Positions};
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "greedy",
    summary: "ever the replica that shortens waits most for its memory",
    source: "cost-effective lazy forward selection (Leskovec et al. 2007); waits by Erlang's formula (Kleinrock 1975)",
    cost: "O(replicas × (hosts + models))",
    needs: "arrivals, service and load times of each model, memory, declared slots",
    requires: Requires::Nothing,
    parameters: &[],
};

pub(super) fn draft<'a>(ground: &'a Ground<'a>) -> Draft<'a> {
    let costs = Costs::new(ground, |model| model.arrivals_micros);
    grown(&Draft::founded(ground), &costs, Why::Gain)
}

/// The draft with replicas added for as long as one is worth it.
pub(super) fn grown<'a>(draft: &Draft<'a>, costs: &Costs<'_>, why: Why) -> Draft<'a> {
    let from = |mut draft: Draft<'a>, per_memory: bool| {
        grow(&mut draft, costs, why, per_memory);
        draft
    };
    let mut covered = draft.clone();
    cover(&mut covered, costs, why);
    let drafts = [from(draft.clone(), true), from(draft.clone(), false), from(covered, true)];
    drafts.into_iter().min_by_key(|draft| costs.of_all(draft)).expect("there are three")
}

/// A first replica of each model that is worth one, the largest model first.
fn cover(draft: &mut Draft<'_>, costs: &Costs<'_>, why: Why) {
    for model in draft.ground.largest_first() {
        if draft.replicas(model) == 0
            && let Some(host) = draft.best_host(model)
            && costs.worth(draft, Pair { model, host }, false).is_some()
        {
            draft.add(Pair { model, host }, why);
        }
    }
}

fn grow(draft: &mut Draft<'_>, costs: &Costs<'_>, why: Why, per_memory: bool) {
    let mut offers = Offers::new(draft, costs, per_memory);
    while let Some((_, model)) = offers.heap.pop(&mut offers.positions) {
        let model = model as usize;
        let host = draft.best_host(model).expect("a model on offer has a host with room");
        draft.add(Pair { model, host }, why);
        offers.renew(draft, model);
        for other in 0..draft.ground.models_len() {
            if offers.witness[other] == Some(host) && !draft.takes(Pair { model: other, host }) {
                offers.renew(draft, other);
            }
        }
    }
}

/// What the next replica of each model is worth, the most first.
struct Offers<'a> {
    costs: &'a Costs<'a>,
    per_memory: bool,
    /// By what it is worth, then model.
    heap: Heap<(Reverse<u128>, u32)>,
    positions: Positions,
    /// A host of the best level with room: of those the one with the most, since it keeps room longest.
    witness: Vec<Option<usize>>,
}

impl<'a> Offers<'a> {
    fn new(draft: &Draft<'_>, costs: &'a Costs<'a>, per_memory: bool) -> Self {
        let models = draft.ground.models_len();
        let (heap, positions) = (Heap::default(), Positions::default());
        let mut offers = Self { costs, per_memory, heap, positions, witness: vec![None; models] };
        for model in 0..models {
            offers.renew(draft, model);
        }
        offers
    }

    fn renew(&mut self, draft: &Draft<'_>, model: usize) {
        self.heap.remove(&mut self.positions, model as u32);
        let roomiest = |host: usize| Reverse(draft.ground.memory[host].saturating_sub(draft.used(host)));
        self.witness[model] = draft.least_of_best_level(model, roomiest);
        let Some(host) = self.witness[model] else { return };
        if let Some(worth) = self.costs.worth(draft, Pair { model, host }, self.per_memory) {
            self.heap.push(&mut self.positions, (Reverse(worth), model as u32), model as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::problem::{Limits, Problem, Standing};
    use super::super::tests::problems;
    use super::*;

    /// Everything is looked at again for each replica.
    fn grow_plainly(draft: &mut Draft<'_>, costs: &Costs<'_>, per_memory: bool) {
        let models = || 0..draft.ground.models_len();
        loop {
            let offer = |model: usize| {
                let host = draft.best_host(model)?;
                Some((costs.worth(draft, Pair { model, host }, per_memory)?, Reverse(model), host))
            };
            let Some((_, Reverse(model), host)) = models().filter_map(offer).max() else { return };
            draft.add(Pair { model, host }, Why::Gain);
        }
    }

    /// The same hosts and models without demands, and with hosts that fill up: what is left is to choose.
    fn scarce(mut problem: Problem) -> Problem {
        for host in &mut problem.hosts {
            (host.open, host.models_max) = (true, Some(1 + host.slots % 3));
        }
        for model in &mut problem.models {
            model.limits = Limits::default();
            (model.pinned, model.excluded, model.apart_from) = Default::default();
        }
        problem
    }

    fn both_find_the_same(problem: &Problem) -> Result<(), TestCaseError> {
        let ground = Ground::new(problem);
        let costs = Costs::new(&ground, |model| model.arrivals_micros);
        for per_memory in [false, true] {
            let (mut found, mut plain) = (Draft::founded(&ground), Draft::founded(&ground));
            grow(&mut found, &costs, Why::Gain, per_memory);
            grow_plainly(&mut plain, &costs, per_memory);
            prop_assert_eq!(found.plan(Standing::Sought), plain.plan(Standing::Sought));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_heap_finds_what_a_walk_through_all_models_finds(problem in problems(12, 8)) {
            both_find_the_same(&problem)?;
            both_find_the_same(&scarce(problem))?;
        }
    }
}
