//! Ever the replica that shortens waits most for its memory, until none is worth its load: greedy on marginal gains, which is
//! within 1 - 1/e of the best where gains diminish. A replica goes where its model is loaded, else where it is on disk, else
//! where it fits best.
//!
//! A heap holds what each model's next replica is worth; after a replica only the models are looked at again whose next one is
//! worth something else. What a replica is worth depends on its host by its [`Level`](super::draft::Level) alone, so that a model's
//! stays as it is for as long as any one host of that level has room.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::draft::Draft;
use super::ground::{Ground, Pair};
use super::objective::{Costs, density};
use super::problem::Why;
use crate::index::heap::{Heap, Positions};
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "greedy",
    summary: "ever the replica that shortens waits most for its memory",
    source: "Nemhauser, Wolsey, Fisher 1978; waits by Erlang's formula (Kleinrock 1975)",
    cost: "O(replicas × (hosts + models))",
    needs: "arrivals, service and load times of each model, memory, declared slots",
    requires: Requires::Nothing,
    parameters: &[],
};

pub(super) fn draft<'a>(ground: &'a Ground<'a>) -> Draft<'a> {
    let mut draft = Draft::founded(ground);
    grow(&mut draft, &Costs::new(ground, |model| model.arrivals_micros), Why::Gain);
    draft
}

/// Adds replicas for as long as one is worth it.
pub(super) fn grow(draft: &mut Draft<'_>, costs: &Costs<'_>, why: Why) {
    let mut offers = Offers::default();
    offers.witness = vec![None; draft.ground.models_len()];
    for model in 0..draft.ground.models_len() {
        offers.renew(draft, costs, model);
    }
    while let Some((_, model)) = offers.heap.pop(&mut offers.positions) {
        let model = model as usize;
        let host = draft.best_host(model).expect("a model on offer has a host with room");
        draft.add(Pair { model, host }, why);
        offers.renew(draft, costs, model);
        for other in 0..draft.ground.models_len() {
            if offers.witness[other] == Some(host) && !draft.takes(Pair { model: other, host }) {
                offers.renew(draft, costs, other);
            }
        }
    }
}

/// What the next replica of each model is worth, the most first.
#[derive(Default)]
struct Offers {
    /// By gain per mebibyte, then model.
    heap: Heap<(Reverse<u128>, u32)>,
    positions: Positions,
    /// A host of the best level with room: of those the one with the most, since it keeps room longest.
    witness: Vec<Option<usize>>,
}

impl Offers {
    fn renew(&mut self, draft: &Draft<'_>, costs: &Costs<'_>, model: usize) {
        self.heap.remove(&mut self.positions, model as u32);
        let roomiest = |host: usize| {
            let free = draft.ground.problem.hosts[host].memory.0.saturating_sub(draft.used(host));
            (draft.level(Pair { model, host }), Reverse(free))
        };
        self.witness[model] = draft.least_host(model, roomiest);
        let Some(host) = self.witness[model] else { return };
        if let Some(gain) = costs.gain(draft, Pair { model, host }) {
            let density = density(gain, &draft.ground.problem.models[model]);
            self.heap.push(&mut self.positions, (Reverse(density), model as u32), model as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::problems;
    use super::*;

    /// Everything is looked at again for each replica.
    fn grow_plainly(draft: &mut Draft<'_>, costs: &Costs<'_>) {
        let models = || 0..draft.ground.models_len();
        loop {
            let offer = |model: usize| {
                let host = draft.best_host(model)?;
                let gain = costs.gain(draft, Pair { model, host })?;
                Some((density(gain, &draft.ground.problem.models[model]), Reverse(model), host))
            };
            let Some((_, Reverse(model), host)) = models().filter_map(offer).max() else { return };
            draft.add(Pair { model, host }, Why::Gain);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn the_heap_finds_what_a_walk_through_all_models_finds(problem in problems(12, 8)) {
            let ground = Ground::new(&problem);
            let costs = Costs::new(&ground, |model| model.arrivals_micros);
            let mut plain = Draft::founded(&ground);
            grow_plainly(&mut plain, &costs);
            prop_assert_eq!(draft(&ground).finish(), plain.finish());
        }
    }
}
