//! Plans grow where requests would wait for too long.

use super::*;
use crate::door::{Action, Deed};
use crate::place::config::{ModelPlacementFile, PlacementFile};
use crate::place::problem::Why;

/// Placement that may act, with the first model pinned to the first host.
fn file(strategy: &str) -> ControlFile {
    let pin = ModelPlacementFile { pin: vec!["h0".into()], ..ModelPlacementFile::default() };
    let placement = PlacementFile {
        strategy: strategy.into(),
        act: true,
        manage: vec!["*".into()],
        interval_seconds: 60,
        headroom_percent: 0,
        residency_min_seconds: 0,
        models: [("m:latest".into(), pin)].into(),
        ..PlacementFile::default()
    };
    ControlFile { placement: Some(placement), dispatch: DispatchLimit::Slots, ..super::file() }
}

/// Hosts of one slot, of which the first has the model in memory.
fn bench(strategy: &str, hosts: u32) -> Bench {
    let mut bench = Bench::new(&file(strategy), hosts, 1);
    bench.at(1_000).observe_with(0, &[0], &[0]);
    bench.at(60_000).feed(Input::Wake);
    bench
}

/// The hosts to which requests went that arrive at once.
fn burst(bench: &mut Bench, requests: u32) -> Vec<u32> {
    (0..requests).flat_map(|_| sent(&bench.arrive())).map(|(_, host)| host).collect()
}

fn replicas(bench: &Bench) -> Vec<(u32, Why)> {
    let plan = bench.control.facts().placement.plan.as_ref().unwrap();
    plan.replicas.iter().map(|replica| (replica.host.0, replica.why)).collect()
}

// Five seconds of service and ten of a load are assumed before any answer.

#[test]
fn a_plan_grows_once_requests_wait_longer_than_for_a_load() {
    let mut bench = bench("greedy", 3);
    assert_eq!(burst(&mut bench, 3), [0], "two that wait for ten seconds are no reason to load");
    assert_eq!(burst(&mut bench, 1), [1], "three would wait for fifteen");
    assert_eq!(replicas(&bench), [(0, Why::Pinned), (1, Why::Waits)]);
    assert_eq!(burst(&mut bench, 9), [], "it grows once a second at most");
    let out = bench.at(61_000).feed(Input::Wake);
    assert_eq!(sent(&out).len(), 1);
    let loads = |output: &Output| matches!(output, Output::Act(Action { deed: Deed::Load(_), .. }));
    assert!(out.iter().any(loads), "what is planned is loaded to stay: {out:?}");
    assert_eq!(bench.restored().control.facts().placement, bench.control.facts().placement);
}

#[test]
fn what_an_operator_wrote_does_not_grow_by_itself() {
    let mut bench = bench("static", 3);
    assert_eq!(burst(&mut bench, 20), [0]);
    assert_eq!(replicas(&bench), [(0, Why::Pinned)]);
}

#[test]
fn what_is_static_grows_where_nobody_wrote_anything() {
    let mut bench = Bench::new(&file("static"), 2, 1);
    bench.at(1_000).observe_with(0, &[0, 1], &[0, 1]);
    bench.observe_with(1, &[1], &[]);
    bench.at(60_000).feed(Input::Wake);
    assert_eq!(replicas(&bench), [(0, Why::Pinned), (0, Why::Stays)]);
    let other = || Arrive { model: ModelId(1), ..Arrive::default() };
    let hosts = (0..4).flat_map(|_| sent(&bench.arrive_with(other()))).map(|(_, host)| host);
    assert_eq!(hosts.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn frozen_plans_do_not_grow() {
    let mut bench = bench("greedy", 3);
    bench.feed(Input::Operator(Change::Freeze(true)));
    assert_eq!(burst(&mut bench, 20), [0]);
}

#[test]
fn without_room_requests_wait() {
    let mut bench = bench("greedy", 2);
    let other = LoadedModel { model: ModelId(1), bytes: Bytes(95), vram: Bytes(95) };
    let stored = [0, 1].map(|model| StoredModel::of_size(ModelId(model), Bytes(10))).to_vec();
    let observation = Observation { stored, loaded: vec![other], ..Observation::default() };
    bench.feed(Input::Observed { host: HostId(1), observation });
    // The other model has no other replica.
    assert_eq!(burst(&mut bench, 20), [0]);
    assert_eq!(replicas(&bench), [(0, Why::Pinned), (1, Why::Stays)]);
}

#[test]
fn once_nobody_waits_requests_go_by_what_is_in_memory_again() {
    let mut bench = bench("greedy", 2);
    assert_eq!(burst(&mut bench, 4), [0, 1]);
    for (request, host) in [(0, 0), (1, 1)] {
        bench.first_byte(request, 0);
        assert_eq!(sent(&bench.finish(request, 0)).len(), 1, "host {host} takes one that waited");
    }
    assert!(!bench.control.facts().placement.short.is_empty());
    bench.at(121_000).feed(Input::Wake);
    assert!(bench.control.facts().placement.short.is_empty());
}
