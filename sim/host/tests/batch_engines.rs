//! The two engines of the batch loop give the same events at the same times, on every input.

#[path = "batch/case.rs"]
mod case;
#[path = "batch/driver.rs"]
mod driver;

use case::{Draws, case, seeded};
use driver::{Seen, drive};
use proptest::prelude::*;
use sim_host::api::Engine;
use sim_host::batch::{LoopEvent, LoopSpec};

/// Both engines on one input: the first difference, if there is one, and the stepwise trace.
fn difference(draws: &mut Draws<impl Iterator<Item = u32>>) -> Result<Vec<Seen>, String> {
    let (spec, deliveries) = case(draws);
    let (stepwise, _) = drive(LoopSpec { engine: Engine::Stepwise, ..spec.clone() }, &deliveries);
    let (coalesced, _) = drive(LoopSpec { engine: Engine::Coalesced, ..spec.clone() }, &deliveries);
    let differs = stepwise.iter().zip(&coalesced).position(|(one, other)| one != other);
    match differs.or((stepwise.len() != coalesced.len()).then(|| stepwise.len().min(coalesced.len()))) {
        None => Ok(stepwise),
        Some(at) => Err(format!(
            "entry {at}\n stepwise  {:?}\n coalesced {:?}\n{spec:?}\n{deliveries:?}",
            stepwise.get(at),
            coalesced.get(at)
        )),
    }
}

#[test]
fn engines_agree_on_thousands_of_seeded_cases() {
    let (mut finished, mut cancelled) = (0, 0);
    for seed in 0..6_000 {
        match difference(&mut seeded(seed)) {
            Err(difference) => panic!("seed {seed}: {difference}"),
            Ok(seen) => {
                for entry in seen {
                    match entry {
                        Seen::Event { event: LoopEvent::Finished { .. }, .. } => finished += 1,
                        Seen::Event { event: LoopEvent::Cancelled(_), .. } => cancelled += 1,
                        _ => {}
                    }
                }
            }
        }
    }
    // The cases are not empty ones.
    assert!(finished > 60_000 && cancelled > 6_000, "{finished} finished, {cancelled} cancelled");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn engines_agree_on_cases_that_shrink(words in proptest::collection::vec(any::<u32>(), 0..700)) {
        let result = difference(&mut Draws(words.into_iter()));
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}
