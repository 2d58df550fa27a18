//! Loads ahead of demand.

use super::*;
use crate::door::{Action, ActionFailure, ActionOutcome, Deed};
use crate::ids::ActionId;
use crate::policy::breaker::BreakerFile;
use crate::policy::markov::BudgetFile;
use crate::policy::prefetch::{PrefetchCounts, PrefetchFile};

fn prefetching() -> ControlFile {
    let budget = BudgetFile { loads_per_hour: 1_000, loads_burst_max: 9, loads_under_way_max: 2 };
    ControlFile { prefetch: Some(PrefetchFile { budget, ..PrefetchFile::default() }), ..file() }
}

fn of(model: u32) -> Arrive {
    Arrive { model: ModelId(model), ..Arrive::default() }
}

/// Hosts with both models on disk, where the second always follows the first; both are in no memory, nothing runs.
fn taught(file: &ControlFile, hosts: u32) -> Bench {
    let mut bench = Bench::new(file, hosts, 2);
    bench.feed(Input::Operator(Change::Freeze(true)));
    (0..hosts).for_each(|host| drop(bench.observe_with(host, &[0, 1], &[])));
    for request in 0..20 {
        bench.arrive_with(of(request as u32 % 2));
        bench.finish(request, 0);
    }
    bench.feed(Input::Operator(Change::Freeze(false)));
    bench
}

fn acts(outputs: &[Output]) -> Vec<Action> {
    let act = |output: &Output| if let Output::Act(action) = output { Some(*action) } else { None };
    outputs.iter().filter_map(act).collect()
}

/// The first model is asked for, on host 0, and the second is asked for on host 1, ahead.
fn asked(file: &ControlFile) -> Bench {
    let mut bench = taught(file, 2);
    let outputs = bench.arrive_with(of(0));
    assert_eq!(sent(&outputs), [(20, 0)]);
    let action = Action { id: ActionId(0), host: HostId(1), deed: Deed::Load(None), model: ModelId(1) };
    assert_eq!(acts(&outputs), [action]);
    bench
}

fn done(bench: &mut Bench) {
    bench.feed(Input::Acted { action: ActionId(0), outcome: ActionOutcome::Done });
}

fn counts(bench: &Bench) -> PrefetchCounts {
    bench.control.facts().prefetch.counts
}

#[test]
fn what_is_likely_next_is_loaded_on_an_idle_host_once() {
    let mut bench = asked(&prefetching());
    assert_eq!(acts(&bench.arrive_with(of(0))), [], "it is on its way");
}

#[test]
fn what_was_loaded_ahead_is_there_before_the_host_says_so() {
    let mut bench = asked(&prefetching());
    done(&mut bench);
    bench.finish(20, 0);
    assert_eq!(sent(&bench.arrive_with(of(0))), [(21, 1)]);
    assert_eq!(acts(&bench.feed(Input::Wake)), []);
    bench.finish(21, 0);
    assert_eq!(acts(&bench.arrive_with(of(0))), []);
    assert_eq!(counts(&bench).asked, 1);
}

#[test]
fn a_model_that_requests_are_on_hosts_for_is_not_loaded_elsewhere() {
    let mut bench = taught(&prefetching(), 3);
    bench.arrive_with(of(1));
    // The second model runs; after the first it is the likely one, and the first runs as well.
    assert_eq!(acts(&bench.arrive_with(of(0))), []);
}

#[test]
fn a_request_that_meets_what_was_loaded_ahead_counts_it_as_used() {
    let mut bench = asked(&prefetching());
    done(&mut bench);
    bench.observe_with(1, &[0, 1], &[1]);
    assert_eq!(sent(&bench.arrive_with(of(1))), [(21, 1)]);
    let expected = PrefetchCounts { asked: 1, done: 1, used: 1, ..PrefetchCounts::default() };
    assert_eq!(counts(&bench), expected);
}

#[test]
fn what_is_unloaded_before_a_request_meets_it_is_wasted() {
    let mut bench = asked(&prefetching());
    done(&mut bench);
    bench.observe_with(1, &[0, 1], &[]);
    assert_eq!(counts(&bench).wasted, 0, "the host was asked before the load was done");
    bench.observe_with(1, &[0, 1], &[1]);
    bench.observe_with(1, &[0, 1], &[]);
    let expected = PrefetchCounts { asked: 1, done: 1, wasted: 1, ..PrefetchCounts::default() };
    assert_eq!(counts(&bench), expected);
}

#[test]
fn a_load_gives_way_to_a_request_for_another_model() {
    let mut bench = asked(&prefetching());
    bench.feed(Input::Silent { host: HostId(0) });
    let outputs = bench.arrive_with(of(0));
    assert_eq!(sent(&outputs), [(21, 1)]);
    let action = Action { id: ActionId(0), host: HostId(1), deed: Deed::Load(None), model: ModelId(1) };
    assert!(outputs.contains(&Output::Abandon(action)));
    let expected = PrefetchCounts { asked: 1, abandoned: 1, ..PrefetchCounts::default() };
    assert_eq!(counts(&bench), expected);
    done(&mut bench);
    assert_eq!(counts(&bench), expected, "that it was done all the same comes too late");
}

#[test]
fn a_load_stays_for_a_request_for_its_model_and_was_of_use() {
    let mut bench = asked(&prefetching());
    bench.feed(Input::Silent { host: HostId(0) });
    assert_eq!(bench.arrive_with(of(1)).len(), 1, "sent, nothing given up");
    done(&mut bench);
    let expected = PrefetchCounts { asked: 1, done: 1, used: 1, ..PrefetchCounts::default() };
    assert_eq!(counts(&bench), expected);
}

#[test]
fn a_load_that_fails_counts_as_failed_and_may_be_asked_for_again() {
    let mut bench = asked(&prefetching());
    let outcome = ActionOutcome::Failed(ActionFailure::Host(Failure::OutOfMemory));
    bench.feed(Input::Acted { action: ActionId(0), outcome });
    assert_eq!(counts(&bench), PrefetchCounts { asked: 1, failed: 1, ..PrefetchCounts::default() });
    bench.finish(20, 0);
    assert_eq!(acts(&bench.arrive_with(of(0))).len(), 1);
}

#[test]
fn nothing_is_loaded_where_there_is_no_room_or_no_one_may_be_sent() {
    for why in ["nothing", "full", "drained", "silent", "frozen"] {
        let mut bench = taught(&prefetching(), 2);
        match why {
            "full" => {
                bench.feed(Input::ModelNamed { model: ModelId(2), name: "large:latest".into() });
                bench.observe_with(1, &[0, 1, 2], &[2]);
                let declaration =
                    Declaration { name: "h1".into(), memory: Bytes(20), ..Declaration::default() };
                bench.feed(Input::HostDeclared { host: HostId(1), declaration });
            }
            "drained" => drop(bench.drain(1, true)),
            "silent" => drop(bench.feed(Input::Silent { host: HostId(1) })),
            "frozen" => drop(bench.feed(Input::Operator(Change::Freeze(true)))),
            _ => {}
        }
        let loads = acts(&bench.arrive_with(of(0))).len();
        assert_eq!(loads, usize::from(why == "nothing"), "{why}");
    }
}

#[test]
fn nothing_is_loaded_where_a_breaker_keeps_requests_away() {
    let breaker = BreakerFile { consecutive_failures_max: 1, ..BreakerFile::default() };
    let mut bench = taught(&ControlFile { breaker: Some(breaker), attempts_max: 1, ..prefetching() }, 2);
    bench.drain(0, true);
    bench.feed(Input::Operator(Change::Freeze(true)));
    bench.arrive_with(of(0));
    bench.drain(0, false);
    bench.fail(20, 0, Failure::Unreachable);
    bench.feed(Input::Operator(Change::Freeze(false)));
    assert_eq!(acts(&bench.arrive_with(of(0))), [], "host 0 is busy, host 1 ejected");
}
