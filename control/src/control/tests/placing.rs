//! Placement at work: what is done for a plan, within which bounds, and where requests go.

use super::*;
use crate::digest::Digest;
use crate::door::{Action, ActionFailure, ActionOutcome, Deed, Layer, Manifest};
use crate::ids::ActionId;
use crate::place::config::{ModelPlacementFile, PlacementFile, Routing};
use crate::request::KeepAlive;

const LOAD: Deed = Deed::Load(Some(KeepAlive::Forever));

/// Placement that may act on all models, by pins alone.
fn placement() -> PlacementFile {
    PlacementFile {
        strategy: "static".into(),
        act: true,
        manage: vec!["*".into()],
        interval_seconds: 10,
        residency_min_seconds: 0,
        headroom_percent: 0,
        ..PlacementFile::default()
    }
}

fn pinned(placement: PlacementFile, model: &str, hosts: &[&str]) -> PlacementFile {
    let pin = hosts.iter().map(|host| (*host).into()).collect();
    let mut placement = placement;
    placement.models.insert(model.into(), ModelPlacementFile { pin, ..ModelPlacementFile::default() });
    placement
}

fn with(placement: PlacementFile) -> ControlFile {
    ControlFile { placement: Some(placement), dispatch: DispatchLimit::Slots, ..file() }
}

fn acts(outputs: &[Output]) -> Vec<(u32, Deed, u32)> {
    let act = |output: &Output| match output {
        Output::Act(Action { host, deed, model, .. }) => Some((host.0, *deed, model.0)),
        _ => None,
    };
    outputs.iter().filter_map(act).collect()
}

fn ended(bench: &mut Bench, action: u64, outcome: ActionOutcome) -> Vec<Output> {
    bench.feed(Input::Acted { action: ActionId(action), outcome })
}

#[test]
fn a_pinned_model_is_loaded_to_stay_and_requests_go_there() {
    let mut bench = Bench::new(&with(pinned(placement(), "m:latest", &["h1"])), 3, 1);
    assert_eq!(acts(&bench.at(10_000).feed(Input::Wake)), [(1, LOAD, 0)]);
    assert_eq!(acts(&bench.at(20_000).feed(Input::Wake)), [], "it is under way");
    ended(&mut bench, 0, ActionOutcome::Done);
    assert_eq!(acts(&bench.at(21_000).feed(Input::Wake)), [], "the host has not said so yet");
    bench.observe_with(1, &[0], &[0]);
    assert_eq!(sent(&bench.arrive()), [(0, 1)], "the replica");
    assert_eq!(sent(&bench.arrive()), [], "which is full: others wait for it");
    let out = bench.feed(Input::Silent { host: HostId(1) });
    assert_eq!(sent(&out).len(), 1, "without a replica that answers, any host will do");
}

#[test]
fn routing_any_takes_any_host() {
    let placement = PlacementFile { routing: Routing::Any, ..pinned(placement(), "m:latest", &["h1"]) };
    let mut bench = Bench::new(&with(placement), 3, 1);
    bench.at(10_000).feed(Input::Wake);
    bench.observe_with(1, &[0], &[0]);
    let hosts: Vec<_> = (0..3).flat_map(|_| sent(&bench.arrive())).map(|(_, host)| host).collect();
    assert_eq!(hosts.len(), 3);
}

#[test]
fn a_model_goes_from_memory_where_its_room_is_wanted() {
    // Hosts have 100 bytes, models take 60 in memory each.
    let placement = pinned(placement(), "elsewhere:latest", &["h0"]);
    let mut bench = Bench::new(&with(placement), 1, 1);
    let big = |loaded: &[u32]| {
        let loaded = loaded.iter().map(|model| LoadedModel {
            model: ModelId(*model),
            bytes: Bytes(60),
            vram: Bytes(60),
        });
        let stored = [0, 1].map(|model| StoredModel::of_size(ModelId(model), Bytes(60))).to_vec();
        Observation { stored, loaded: loaded.collect(), ..Observation::default() }
    };
    bench.feed(Input::Observed { host: HostId(0), observation: big(&[0]) });
    assert_eq!(acts(&bench.at(10_000).feed(Input::Wake)), [(0, Deed::Unload, 0)]);
    ended(&mut bench, 0, ActionOutcome::Done);
    let out = bench.feed(Input::Observed { host: HostId(0), observation: big(&[]) });
    assert_eq!(acts(&out), [(0, LOAD, 1)]);
}

#[test]
fn what_is_not_managed_is_left_alone() {
    let mut placement = pinned(placement(), "elsewhere:latest", &["h0"]);
    placement.manage = vec!["elsewhere:*".into()];
    let mut bench = Bench::new(&with(placement), 1, 1);
    let loaded = vec![LoadedModel { model: ModelId(0), bytes: Bytes(95), vram: Bytes(95) }];
    let stored = [0, 1].map(|model| StoredModel::of_size(ModelId(model), Bytes(60))).to_vec();
    let observation = Observation { stored, loaded, ..Observation::default() };
    bench.feed(Input::Observed { host: HostId(0), observation });
    assert_eq!(acts(&bench.at(10_000).feed(Input::Wake)), []);
}

#[test]
fn a_shadow_says_once_what_it_would_do_and_does_nothing() {
    let placement = PlacementFile { act: false, ..pinned(placement(), "m:latest", &["h1"]) };
    let mut bench = Bench::new(&with(placement), 2, 1);
    let out = bench.at(10_000).feed(Input::Wake);
    assert_eq!(acts(&out), []);
    assert!(out.iter().any(|output| matches!(output, Output::Proposed(action) if action.host == HostId(1))));
    let out = bench.at(20_000).feed(Input::Wake);
    assert!(!out.iter().any(|output| matches!(output, Output::Proposed(_))), "{out:?}");
    let hosts: Vec<_> = (0..2).flat_map(|_| sent(&bench.arrive())).map(|(_, host)| host).collect();
    assert_eq!(hosts.len(), 2, "requests go where they went");
}

#[test]
fn actions_keep_to_the_hour_and_a_place_rests_after_a_failure() {
    let placement = PlacementFile { changes_per_hour_max: 2, ..pinned(placement(), "m:latest", &["h0"]) };
    let mut bench = Bench::new(&with(placement), 1, 1);
    assert_eq!(acts(&bench.at(10_000).feed(Input::Wake)), [(0, LOAD, 0)]);
    let failed = ActionOutcome::Failed(ActionFailure::Host(Failure::OutOfMemory));
    assert_eq!(acts(&ended(&mut bench, 0, failed)), [], "it rests");
    assert_eq!(acts(&bench.at(20_000).feed(Input::Wake)), []);
    assert_eq!(acts(&bench.at(50_000).feed(Input::Wake)), [(0, LOAD, 0)]);
    ended(&mut bench, 1, failed);
    assert_eq!(acts(&bench.at(200_000).feed(Input::Wake)), [], "two an hour");
    assert_eq!(acts(&bench.at(1_900_000).feed(Input::Wake)), [(0, LOAD, 0)]);
}

#[test]
fn frozen_control_places_nothing() {
    let mut bench = Bench::new(&with(pinned(placement(), "m:latest", &["h0"])), 1, 1);
    bench.feed(Input::Operator(Change::Freeze(true)));
    assert_eq!(acts(&bench.at(10_000).feed(Input::Wake)), []);
    bench.feed(Input::Operator(Change::Freeze(false)));
    assert_eq!(acts(&bench.at(20_000).feed(Input::Wake)), [(0, LOAD, 0)]);
}

fn publish(bench: &mut Bench, model: u32) {
    let layer = Layer { digest: Digest([7; 32]), bytes: Bytes(10) };
    let manifest = Manifest { digest: Digest([8; 32]), layers: vec![layer] };
    bench.feed(Input::Published { model: ModelId(model), manifest: Some(manifest), modified_nanos: 0 });
}

#[test]
fn a_model_that_no_host_has_is_brought_and_its_requests_wait() {
    let placement = PlacementFile { strategy: "on-demand".into(), allow_pull: true, ..placement() };
    let mut bench = Bench::new(&with(placement), 2, 1);
    let elsewhere = || Arrive { model: ModelId(1), ..Arrive::default() };
    assert!(matches!(bench.arrive_with(elsewhere())[..], [Output::Reject { .. }]), "nobody knows of it");
    publish(&mut bench, 1);
    let out = bench.arrive_with(elsewhere());
    assert_eq!(acts(&out), [(0, Deed::Pull, 1)]);
    assert_eq!(acts(&bench.arrive_with(elsewhere())), [], "it comes already");
    ended(&mut bench, 0, ActionOutcome::Done);
    assert_eq!(sent(&bench.observe_with(0, &[0, 1], &[])), [(1, 0)]);
    assert_eq!(bench.restored().control.facts().errands, bench.control.facts().errands);
}

#[test]
fn the_last_copies_are_never_deleted() {
    // A disk with room for one model; the plan wants the other there.
    let placement = PlacementFile {
        allow_pull: true,
        allow_delete: true,
        ..pinned(placement(), "elsewhere:latest", &["h0"])
    };
    let mut bench = Bench::new(&with(placement), 1, 1);
    let declaration = Declaration {
        name: "h0".into(),
        slots: 1,
        memory: Bytes(100),
        disk: Bytes(15),
        ..Declaration::default()
    };
    bench.feed(Input::HostDeclared { host: HostId(0), declaration: declaration.clone() });
    publish(&mut bench, 1);
    assert_eq!(acts(&bench.at(10_000).feed(Input::Wake)), [], "it is the only copy");
    bench.feed(Input::HostDeclared {
        host: HostId(1),
        declaration: Declaration { name: "h1".into(), ..declaration },
    });
    assert_eq!(acts(&bench.observe(1)), [(0, Deed::Delete, 0)]);
    ended(&mut bench, 0, ActionOutcome::Done);
    assert_eq!(acts(&bench.observe_with(0, &[], &[])), [(0, Deed::Pull, 1)]);
}

#[test]
fn demand_moves_replicas() {
    let placement = PlacementFile { strategy: "greedy".into(), half_life_seconds: 10, ..placement() };
    let mut bench = Bench::new(&with(placement), 1, 4);
    bench.observe_with(0, &[0, 1], &[]);
    let mut all = Vec::new();
    for at in 0..48 {
        let out = bench.at(1_000 + at * 250).arrive_with(Arrive { model: ModelId(1), ..Arrive::default() });
        if let Some((request, _)) = sent(&out).first() {
            bench.first_byte(*request, 0);
            bench.finish(*request, 0);
        }
        all.extend(acts(&out));
    }
    assert_eq!(all, [(0, LOAD, 1)]);
}
