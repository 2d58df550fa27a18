//! Hosts that are rented as the load asks for it, over whole simulations.

#[path = "simulated/run.rs"]
mod run;

use control::facts::errands::{ErrandCounts, Kind};
use control::replay::Replay;
use control::request::Outcome;
use herder::chaos::invariants;
use run::{Case, Run};
use sim::check::Checks;

fn case() -> Case {
    Case { checks: Checks::Always, ..Case::new("rented") }
}

fn counts(run: &Run, kind: Kind) -> ErrandCounts {
    run.end.errands.get(&kind).copied().unwrap_or_default()
}

/// Milliseconds to a first token within which so many percent of the requests had it.
fn ttft_millis(run: &Run, percent: usize) -> u64 {
    let waited =
        |record: &traces::record::Record| Some(record.first_token?.since(record.arrival).0 / 1_000_000);
    let mut ttft: Vec<u64> = run.records.iter().map(|record| waited(record).unwrap_or(u64::MAX)).collect();
    ttft.sort_unstable();
    ttft[(ttft.len() - 1) * percent / 100]
}

fn hours(run: &Run) -> f64 {
    run.end.host_time.on_nanos as f64 / 3.6e12
}

#[test]
fn hosts_come_and_go_with_the_load_and_no_request_is_lost() {
    let run = case().run();
    assert!(run.records.iter().all(|record| record.outcome == Outcome::Finished));
    let (starts, stops) = (counts(&run, Kind::Start), counts(&run, Kind::Stop));
    println!("{starts:?}, {stops:?}, {:?}", run.end.host_time);
    assert!(starts.done >= 6 && stops.done >= 4, "two waves and more: {starts:?}, {stops:?}");
    assert_eq!(starts.done_nanos / starts.done / 1_000_000_000, 30, "each takes what it is said to take");
    let (time, on) = (run.end.host_time, run.end.host_time.on_max);
    assert!(time.on_nanos < time.all_nanos * 3 / 4 && on > 4, "{time:?}");
    assert_eq!(time.standby, 4);
    let seen = invariants::hold(run.decisions(), &run.records).expect("nothing goes to a host that is off");
    assert_eq!(seen.finished, 3_000);
    let mut replay = Replay::new();
    for record in run.decisions() {
        replay.feed(record).expect("the log replays to the same decisions");
    }
    let baseline = case().set("control.implementation", "baseline").run();
    assert_eq!(baseline.records, run.records);
}

#[test]
fn latency_and_cost_lie_between_those_of_none_and_of_all() {
    let none = case().set("control.scale.hosts_max", 0).run();
    let some = case().run();
    let all = case().set("control.scale.hosts_min", 4).run();
    for (name, run) in [("none", &none), ("some", &some), ("all", &all)] {
        println!("{name}: p95 {} ms, {:.2} host-hours", ttft_millis(run, 95), hours(run));
    }
    assert!(hours(&none) < hours(&some) && hours(&some) < hours(&all));
    assert!(ttft_millis(&none, 95) > 4 * ttft_millis(&some, 95));
    assert!(ttft_millis(&some, 95) >= ttft_millis(&all, 95));
}

#[test]
fn what_only_a_rented_host_has_is_answered_and_that_host_stays() {
    let run = case().set("workload.requests", 400).set("fleet.group[0].models", r#"["llama3.1:8b"]"#).run();
    assert!(run.records.iter().all(|record| record.outcome == Outcome::Finished));
    assert!(counts(&run, Kind::Start).done >= 1);
}

#[test]
fn a_host_that_dies_is_replaced() {
    let crash = r#"[{ kind = "crash", at_millis = 100000, for_millis = 2000000, host = "own-1" }]"#;
    let quiet = || case().set("workload.requests", 600).set("workload.arrivals.daily.amplitude_percent", 0.0);
    let well = quiet().run();
    let dies = quiet().set("faults.at", crash).run();
    let starts = |run: &Run| counts(run, Kind::Start).asked;
    println!("{} starts, {} where a host dies", starts(&well), starts(&dies));
    assert!(starts(&dies) > starts(&well));
}
