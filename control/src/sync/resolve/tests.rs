use proptest::prelude::*;

use super::*;
use crate::index::argmin::Sequential;
use crate::index::argmin::tests::Reversed;
use crate::sync::artifact::Artifact;
use crate::sync::artifact::tests::{artifact, host, origin, plain};
use crate::sync::conflict::Preference;

fn registers() -> impl Strategy<Value = Vec<Register>> {
    let said = prop::collection::vec((origin(), prop::option::weighted(0.9, artifact())), 0..4);
    prop::collection::vec(said, 1..12).prop_map(|registers| {
        let register = |said: Vec<(_, Option<Artifact>)>| {
            let mut register = Register::default();
            said.into_iter().for_each(|(origin, artifact)| {
                register.say(origin, 0, artifact);
            });
            register
        };
        registers.into_iter().map(register).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn cached_and_parallel_verdicts_are_those_of_a_chain(
        registers in registers(),
        capacity in prop_oneof![Just(0u32), 1u32..8, Just(1_000)],
        width in 1usize..9,
        batches in prop::collection::vec((0u32..3, prop::collection::vec(any::<prop::sample::Index>(), 0..400)), 0..5),
    ) {
        let policies =
            [Policy::Manual, Policy::VersionVector, Policy::Custom([Preference::HigherVersion].into())];
        let mut cached = Resolver::new(Implementation::Optimised, capacity);
        let mut chain = Resolver::new(Implementation::Baseline, capacity);
        let mut asked = 0;
        for (epoch, batch) in batches {
            let batch: Vec<&Register> = batch.iter().map(|at| at.get(&registers)).collect();
            let policy = &policies[epoch as usize];
            prop_assert_eq!(
                cached.resolve(&Reversed(width), &batch, policy, Epoch(epoch)),
                chain.resolve(&Sequential, &batch, policy, Epoch(epoch))
            );
            asked += batch.len() as u64;
            prop_assert_eq!(chain.counters(), Counters { hits: 0, misses: asked });
            let counters = cached.counters();
            prop_assert_eq!(counters.hits + counters.misses, asked);
            prop_assert!(capacity > 0 || counters.hits == 0);
        }
    }
}

#[test]
fn a_verdict_is_worked_out_once_for_each_content_and_epoch() {
    let registers: Vec<Register> = (0..100_u8)
        .map(|number| {
            let mut register = Register::default();
            register.say(host(0), 0, Some(plain(number)));
            register
        })
        .collect();
    let batch: Vec<&Register> = registers.iter().collect();
    let mut resolver = Resolver::new(Implementation::Optimised, 1_000);
    for (epoch, hits, misses) in [(0, 0, 100), (0, 100, 100), (1, 100, 200), (0, 200, 200)] {
        resolver.resolve(&Sequential, &batch, &Policy::LastWriter, Epoch(epoch));
        assert_eq!(resolver.counters(), Counters { hits, misses });
    }
}
