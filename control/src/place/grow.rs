//! Between two plans: models for which more requests wait than their replicas can take get replicas beside all that is planned.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::draft::Draft;
use super::ground::{Ground, position};
use super::problem::{Plan, Problem, Replica, Why};
use crate::ids::ModelId;

/// The plan with more replicas: for each of these models, in this order, until it has so many slots or no host has room. What is
/// planned stays, but for what is there only since nobody needs its room ([`Why::Stays`]) and is not the only one of its model. So does
/// what is in memory of a model that has no replica: it would be loaded again soon.
#[must_use]
pub fn grow(problem: &Problem, plan: &Plan, slots_wanted: &[(ModelId, u64)]) -> Plan {
    let ground = &Ground::new(problem);
    let mut draft = Draft::empty(ground);
    let grows = |replica: &Replica| slots_wanted.iter().any(|(model, _)| *model == replica.model);
    let mut replicas_of: BTreeMap<ModelId, u32> = BTreeMap::new();
    plan.replicas.iter().for_each(|replica| *replicas_of.entry(replica.model).or_default() += 1);
    let may_go =
        |replica: &Replica| replica.why == Why::Stays && !grows(replica) && replicas_of[&replica.model] > 1;
    let (stays, firm): (Vec<Replica>, Vec<Replica>) =
        plan.replicas.iter().partition(|replica| may_go(replica));
    // What is planned on a host that is closed just now is none of this problem.
    let mut replicas: Vec<Replica> = Vec::new();
    for replica in firm {
        match ground.pair(&replica).filter(|pair| draft.takes(*pair)) {
            Some(pair) => draft.add(pair, replica.why),
            None => replicas.push(replica),
        }
    }
    for pair in ground.oldest_first() {
        if draft.replicas(pair.model) == 0 && draft.fits(pair) {
            draft.add(pair, Why::Stays);
        }
    }
    for (model, slots) in slots_wanted {
        if let Some(model) = position(&problem.models, *model) {
            while draft.servers(model) < *slots && draft.add_best(model, Why::Waits) {}
        }
    }
    for replica in stays {
        match ground.pair(&replica) {
            Some(pair) if draft.takes(pair) => draft.add(pair, replica.why),
            Some(pair) if ground.is_allowed(pair) => {}
            _ => replicas.push(replica),
        }
    }
    let grown = draft.plan(plan.standing);
    replicas.extend(grown.replicas);
    replicas.sort_unstable();
    Plan { standing: plan.standing, replicas, unmet: plan.unmet.clone() }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::check::check;
    use super::super::tests::{chosen, problems};
    use super::super::{PlacementKind, plan};
    use super::*;
    use crate::ids::HostId;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_plan_that_grew_keeps_to_all_that_was_asked_and_what_it_held(
            problem in problems(9, 6),
            wanted in prop::collection::vec((0u32..12, 0u64..12), 0..4),
            packs in any::<bool>(),
        ) {
            let kind = if packs { PlacementKind::FirstFit } else { PlacementKind::Greedy };
            let before = plan(&chosen(kind), &problem);
            let wanted: Vec<(ModelId, u64)> =
                wanted.into_iter().map(|(model, slots)| (ModelId(model), slots)).collect();
            let grown = grow(&problem, &before, &wanted);
            prop_assert_eq!(check(&problem, &grown), Ok(()));
            let places = |plan: &Plan| -> BTreeSet<(HostId, ModelId)> {
                plan.replicas.iter().map(|replica| (replica.host, replica.model)).collect()
            };
            for replica in &before.replicas {
                let stays = places(&grown).contains(&(replica.host, replica.model));
                prop_assert!(stays || replica.why == Why::Stays, "{:?} is gone", replica);
            }
            for replica in grown.replicas.iter().filter(|replica| replica.why == Why::Waits) {
                prop_assert!(wanted.iter().any(|(model, _)| *model == replica.model));
            }
            let models: BTreeSet<ModelId> = before.replicas.iter().map(|replica| replica.model).collect();
            let after: BTreeSet<ModelId> = grown.replicas.iter().map(|replica| replica.model).collect();
            prop_assert!(models.is_subset(&after), "each model that had a replica has one");
        }
    }
}
