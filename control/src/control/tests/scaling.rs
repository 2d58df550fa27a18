//! Hosts that stand by come and go.

use super::*;
use crate::door::{Action, ActionFailure, ActionOutcome, Deed};
use crate::facts::scale::Power;
use crate::ids::ActionId;
use crate::policy::scale::ScaleFile;

/// Half of the slots are to be at work; a look every second, and ten seconds until a host goes.
fn scale() -> ScaleFile {
    ScaleFile {
        act: true,
        interval_seconds: 1,
        target_percent: 50,
        window_seconds: 10,
        ..ScaleFile::default()
    }
}

fn file(scale: ScaleFile) -> ControlFile {
    ControlFile { scale: Some(scale), ..super::file() }
}

/// One host that is always on, and others that stand by with the same model on disk; two slots each. Later ones cost less.
fn bench(scale: ScaleFile, standby: u32) -> Bench {
    let mut bench = Bench::new(&file(scale), 1, 2);
    for host in 1..=standby {
        let declaration = Declaration {
            name: format!("h{host}"),
            slots: 2,
            cost_cents_per_hour: 100 - host,
            standby: true,
            ..Declaration::default()
        };
        bench.feed(Input::HostDeclared { host: HostId(host), declaration });
        bench.observe(host);
    }
    bench
}

fn acts(outputs: &[Output]) -> Vec<(u32, Deed)> {
    let act = |output: &Output| match output {
        Output::Act(Action { host, deed, .. }) => Some((host.0, *deed)),
        _ => None,
    };
    outputs.iter().filter_map(act).collect()
}

fn tick(bench: &mut Bench, second: u64) -> Vec<Output> {
    bench.at(second * 1_000).feed(Input::Wake)
}

fn acted(bench: &mut Bench, action: u64, outcome: ActionOutcome) -> Vec<Output> {
    bench.feed(Input::Acted { action: ActionId(action), outcome })
}

fn power(bench: &Bench) -> Vec<Power> {
    bench.control.facts().hosts.iter().map(|host| host.power).collect()
}

#[test]
fn hosts_that_stand_by_get_nothing_until_they_were_provisioned_and_heard() {
    let mut bench = bench(scale(), 2);
    assert_eq!(
        [sent(&bench.arrive()), sent(&bench.arrive()), sent(&bench.arrive())].concat(),
        [(0, 0), (1, 0)]
    );
    let out = tick(&mut bench, 5);
    assert_eq!(
        acts(&out),
        [(2, Deed::Start), (1, Deed::Start)],
        "six slots for three requests, the cheapest first"
    );
    assert_eq!(acts(&tick(&mut bench, 6)), [], "what comes counts");
    assert_eq!(sent(&acted(&mut bench, 0, ActionOutcome::Done)), []);
    assert_eq!(power(&bench), [Power::On, Power::Coming, Power::Coming]);
    assert_eq!(sent(&bench.observe(2)), [(2, 2)]);
    assert_eq!(bench.restored().control.facts().scale, bench.control.facts().scale);
}

#[test]
fn a_host_goes_when_fewer_have_been_enough_for_long_and_what_runs_there_has_ended() {
    let mut bench = bench(scale(), 1);
    (0..3).for_each(|_| drop(bench.arrive()));
    assert_eq!(acts(&tick(&mut bench, 5)), [(1, Deed::Start)]);
    acted(&mut bench, 0, ActionOutcome::Done);
    bench.observe_with(1, &[0], &[0]);
    assert_eq!(bench.running_on(1), [2]);
    bench.finish(0, 0);
    bench.finish(1, 0);
    for second in 6..15 {
        tick(&mut bench, second);
    }
    assert_eq!(power(&bench)[1], Power::On, "three requests were there ten seconds ago");
    assert_eq!(acts(&tick(&mut bench, 16)), [], "one runs there");
    assert_eq!(power(&bench)[1], Power::Leaving);
    assert_eq!(sent(&bench.arrive()), [(3, 0)], "nothing new goes there");
    bench.finish(2, 0);
    assert_eq!(acts(&tick(&mut bench, 17)), [(1, Deed::Stop)]);
    acted(&mut bench, 1, ActionOutcome::Done);
    assert_eq!(power(&bench)[1], Power::Off);
    assert!(bench.control.facts().hosts[1].observation.loaded.is_empty(), "what it had in memory is lost");
    bench.feed(Input::Silent { host: HostId(1) });
    assert_eq!(bench.control.facts().hosts[1].silent_since, None, "nobody expected to hear it");
}

#[test]
fn a_host_that_was_to_go_stays_where_it_is_needed_again() {
    let mut bench = bench(scale(), 1);
    (0..3).for_each(|_| drop(bench.arrive()));
    tick(&mut bench, 5);
    acted(&mut bench, 0, ActionOutcome::Done);
    bench.observe(1);
    bench.finish(0, 0);
    bench.finish(1, 0);
    (6..17).for_each(|second| drop(tick(&mut bench, second)));
    assert_eq!(power(&bench)[1], Power::Leaving);
    (0..3).for_each(|_| drop(bench.arrive()));
    let out = tick(&mut bench, 17);
    assert_eq!((acts(&out), sent(&out)), (vec![], vec![(5, 1)]));
    assert_eq!(power(&bench)[1], Power::On);
}

#[test]
fn the_last_host_with_a_model_stays() {
    let mut bench = bench(scale(), 1);
    (0..3).for_each(|_| drop(bench.arrive()));
    tick(&mut bench, 5);
    acted(&mut bench, 0, ActionOutcome::Done);
    bench.observe_with(1, &[0, 1], &[]);
    (0..3).for_each(|request| drop(bench.finish(request, 0)));
    (6..60).for_each(|second| drop(tick(&mut bench, second)));
    assert_eq!(power(&bench)[1], Power::On);
    bench.observe_with(0, &[0, 1], &[]);
    assert_eq!(acts(&tick(&mut bench, 60)), [(1, Deed::Stop)]);
}

#[test]
fn a_model_that_only_hosts_have_that_stand_by_is_reason_enough() {
    let mut bench = bench(scale(), 2);
    bench.observe_with(1, &[0, 1], &[]);
    bench.arrive_with(Arrive { model: ModelId(1), ..Arrive::default() });
    let out = tick(&mut bench, 5);
    assert_eq!(acts(&out), [(1, Deed::Start)], "not the cheapest, but the one that has it");
    acted(&mut bench, 0, ActionOutcome::Done);
    assert_eq!(sent(&bench.observe_with(1, &[0, 1], &[])), [(0, 1)]);
}

#[test]
fn a_host_that_is_gone_is_replaced() {
    let mut bench = bench(scale(), 1);
    bench.arrive();
    assert_eq!(acts(&tick(&mut bench, 5)), []);
    bench.feed(Input::Silent { host: HostId(0) });
    assert_eq!(acts(&tick(&mut bench, 6)), [(1, Deed::Start)]);
}

#[test]
fn one_that_could_not_be_provisioned_rests_and_another_comes() {
    let mut bench = bench(ScaleFile { hosts_max: Some(1), ..scale() }, 2);
    (0..9).for_each(|_| drop(bench.arrive()));
    assert_eq!(acts(&tick(&mut bench, 5)), [(2, Deed::Start)], "one at most");
    acted(&mut bench, 0, ActionOutcome::Failed(ActionFailure::Refused));
    assert_eq!(acts(&tick(&mut bench, 6)), [(1, Deed::Start)]);
}

#[test]
fn without_leave_to_act_it_is_said_once_what_would_be_done() {
    let mut bench = bench(ScaleFile { act: false, hosts_min: 1, ..scale() }, 1);
    let proposed = |outputs: &[Output]| {
        outputs
            .iter()
            .filter(|output| matches!(output, Output::Proposed(action) if action.deed == Deed::Start))
            .count()
    };
    assert_eq!(proposed(&tick(&mut bench, 5)), 1);
    assert_eq!(proposed(&tick(&mut bench, 6)), 0);
    assert_eq!(power(&bench)[1], Power::Off);
}

#[test]
fn frozen_nothing_comes_and_nothing_goes() {
    let mut bench = bench(scale(), 1);
    bench.feed(Input::Operator(Change::Freeze(true)));
    (0..9).for_each(|_| drop(bench.arrive()));
    assert_eq!(acts(&tick(&mut bench, 5)), []);
    bench.feed(Input::Operator(Change::Freeze(false)));
    assert_eq!(acts(&tick(&mut bench, 6)), [(1, Deed::Start)]);
}
