use control::units::Nanos;
use sim::check::Checks;
use sim::faults::FaultKind;

use super::super::draw::{self, Range};
use super::super::trial::{Kind, Ran};
use super::*;

/// Breaks where two kinds of faults hit one host.
fn both_hit_one_host(file: &ScenarioFile, _: &Ran) -> Result<(), String> {
    let faults = concrete(file).faults.map_or(Vec::new(), |faults| faults.at);
    let hit =
        |kind: FaultKind| faults.iter().filter(move |fault| fault.kind == kind).map(|fault| &fault.host);
    let both = hit(FaultKind::Slow).find(|host| hit(FaultKind::Clock).any(|other| other == *host));
    both.map_or(Ok(()), |host| Err(format!("{host:?} is slow and its clock is wrong")))
}

#[test]
fn what_breaks_under_two_faults_shrinks_to_these_two() {
    let range = Range { seed: 3, kinds: Vec::new(), events_min: 2_000 };
    let terms = Terms { checks: Checks::Sparse, rule: Some(&both_hit_one_host) };
    let (file, violation) = (0..100)
        .find_map(|run| {
            let scenario = scenario::parse("drawn", &draw::scenario(&range, run)).expect("it can be read");
            let violation = trial::run(&scenario, terms).err()?;
            Some((scenario.file, violation))
        })
        .expect("two faults hit one host sooner or later");
    assert_eq!(violation.kind, Kind::Rule);
    let shrunk = shrink(&file, violation, terms, &mut |_| true);
    assert!(shrunk.before.faults > 2, "{:?}", shrunk.before);
    let mut kinds: Vec<FaultKind> =
        shrunk.scenario.faults.iter().flat_map(|faults| &faults.at).map(|fault| fault.kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [FaultKind::Slow, FaultKind::Clock], "{}", written(&shrunk.scenario));
    assert_eq!((shrunk.after.requests, shrunk.after.hosts), (1, 1));
    let again = scenario::parse("shrunk", &written(&shrunk.scenario)).expect("it can be read");
    assert_eq!(trial::run(&again, terms), Err(shrunk.violation));
}

#[test]
fn violations_are_alike_but_for_their_numbers() {
    let violation = |kind, what: &str| Violation { kind, what: what.into() };
    let first = violation(Kind::Simulator, "host 3: 17 of 16 bytes of disk used");
    assert!(first.is_like(&violation(Kind::Simulator, "host 0: 9 of 8 bytes of disk used")));
    assert!(!first.is_like(&violation(Kind::Log, "host 3: 17 of 16 bytes of disk used")));
    assert!(!first.is_like(&violation(Kind::Simulator, "time went back")));
}

#[test]
fn a_scenario_with_its_faults_written_out_runs_as_before() {
    let range = Range { seed: 5, kinds: Vec::new(), events_min: 3_000 };
    let terms = Terms { checks: Checks::Sparse, rule: None };
    for run in 0..5 {
        let drawn = scenario::parse("drawn", &draw::scenario(&range, run)).expect("it can be read");
        let file = concrete(&drawn.file);
        let faults = file.faults.as_ref().expect("something breaks");
        assert!(faults.drawn.is_none() && !faults.at.is_empty());
        let listed = scenario::parse("listed", &written(&file)).expect("it can be read");
        let ran = trial::run(&drawn, terms).expect("everything holds");
        assert_eq!(Ok(&ran), trial::run(&listed, terms).as_ref());
        assert!(ran.counts.simulated > Nanos::ZERO);
    }
}
