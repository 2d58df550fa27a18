//! Sync at work: who has another content is found and brought up to date, by policy and mode.

use super::*;
use crate::config::Implementations;
use crate::digest::Digest;
use crate::door::{Action, ActionOutcome, Deed, Layer, Manifest};
use crate::ids::ActionId;
use crate::index::Implementation;
use crate::index::argmin::{Executor, Scored};
use crate::sync::config::{Mode, PolicyFile, SyncFile};

pub(super) fn sync() -> SyncFile {
    SyncFile { act: true, manage: vec!["*".into()], ..SyncFile::default() }
}

pub(super) fn with(sync: SyncFile) -> ControlFile {
    ControlFile { sync: Some(sync), ..file() }
}

pub(super) fn digest(of: u8) -> Digest {
    Digest([of; 32])
}

pub(super) fn publish(bench: &mut Bench, content: u8) -> Vec<Output> {
    let layer = Layer { digest: digest(content + 100), bytes: Bytes(10) };
    let manifest = Manifest { digest: digest(content), layers: vec![layer] };
    bench.feed(Input::Published { model: ModelId(0), manifest: Some(manifest), modified_nanos: 0 })
}

/// A host says which content of model 0 it has, and since when.
pub(super) fn has(bench: &mut Bench, host: u32, content: u8, modified_nanos: u64) -> Vec<Output> {
    let stored = StoredModel {
        digest: digest(content),
        modified_nanos,
        ..StoredModel::of_size(ModelId(0), Bytes(10))
    };
    let observation = Observation { stored: vec![stored], ..Observation::default() };
    bench.feed(Input::Observed { host: HostId(host), observation })
}

pub(super) fn acts(outputs: &[Output]) -> Vec<(u32, Deed)> {
    let act = |output: &Output| match output {
        Output::Act(Action { host, deed, .. }) => Some((host.0, *deed)),
        _ => None,
    };
    outputs.iter().filter_map(act).collect()
}

pub(super) fn done(bench: &mut Bench, action: u64) -> Vec<Output> {
    bench.feed(Input::Acted { action: ActionId(action), outcome: ActionOutcome::Done })
}

pub(super) fn notes(outputs: &[Output]) -> (bool, bool) {
    let conflict = outputs.iter().any(|output| matches!(output, Output::Note(Note::Conflict { .. })));
    let converged = outputs.iter().any(|output| matches!(output, Output::Note(Note::Converged { .. })));
    (conflict, converged)
}

#[test]
fn a_new_content_in_the_registry_reaches_all_that_have_the_name() {
    let mut bench = Bench::new(&with(sync()), 2, 1);
    publish(&mut bench, 1);
    has(&mut bench, 0, 1, 5);
    assert_eq!(notes(&has(&mut bench, 1, 1, 5)), (false, false), "all have the same");
    let out = bench.at(1_000).feed(Input::Wake);
    assert_eq!(acts(&out), []);
    let out = publish(&mut bench, 2);
    assert_eq!((acts(&out), notes(&out)), (vec![(0, Deed::Pull), (1, Deed::Pull)], (true, false)));
    assert_eq!(sent(&bench.arrive()).len(), 1);
    assert_eq!(bench.control.facts().sync.counts.stale_serves, 1);
    done(&mut bench, 0);
    assert_eq!(notes(&has(bench.at(2_000), 0, 2, 9)), (false, false));
    done(&mut bench, 1);
    assert_eq!(notes(&has(bench.at(4_000), 1, 2, 9)), (false, true));
    let counts = &bench.control.facts().sync.counts;
    assert_eq!((counts.converged, counts.converge_nanos_max), (1, 3_000_000_000));
    assert!(bench.control.facts().sync.drift.is_empty());
}

#[test]
fn a_right_content_on_one_host_is_pushed_first_and_pulled_then() {
    let file = SyncFile { policy: PolicyFile::LastWriter, allow_push: true, ..sync() };
    let mut bench = Bench::new(&with(file), 2, 1);
    publish(&mut bench, 1);
    has(&mut bench, 0, 1, 5);
    has(&mut bench, 1, 1, 5);
    // Somebody makes a newer one on host 1.
    let out = has(&mut bench, 1, 3, 50);
    assert_eq!((acts(&out), notes(&out)), (vec![(1, Deed::Push)], (true, false)));
    done(&mut bench, 0);
    assert_eq!(acts(&publish(&mut bench, 3)), [(0, Deed::Pull)]);
    done(&mut bench, 1);
    assert_eq!(notes(&has(&mut bench, 0, 3, 60)), (false, true));
}

#[test]
fn the_registry_gets_the_right_content_also_where_no_host_lacks_it() {
    let file = SyncFile { policy: PolicyFile::LastWriter, allow_push: true, ..sync() };
    let mut bench = Bench::new(&with(file), 1, 1);
    publish(&mut bench, 1);
    has(&mut bench, 0, 1, 5);
    assert_eq!(acts(&has(&mut bench, 0, 3, 50)), [(0, Deed::Push)]);
    done(&mut bench, 0);
    assert_eq!(acts(&bench.at(60_000).feed(Input::Wake)), [], "the registry has not been heard yet");
    assert_eq!(notes(&publish(&mut bench, 3)), (false, true));
}

#[test]
fn what_the_registry_makes_of_a_push_is_the_same_content() {
    let file = SyncFile { policy: PolicyFile::Majority, allow_push: true, ..sync() };
    let mut bench = Bench::new(&with(file), 3, 1);
    has(&mut bench, 0, 3, 5);
    has(&mut bench, 1, 3, 5);
    assert_eq!(acts(&has(&mut bench, 2, 1, 5)), [(0, Deed::Push)]);
    done(&mut bench, 0);
    // The registry's manifest of it has a digest of its own; those that have the content are left alone.
    assert_eq!(acts(&publish(&mut bench, 4)), [(2, Deed::Pull)]);
    done(&mut bench, 1);
    assert_eq!(notes(&has(&mut bench, 2, 4, 60)), (false, true));
}

#[test]
fn the_first_writer_the_majority_and_an_operator_decide_otherwise() {
    let right = |policy| {
        let mut bench = Bench::new(&with(SyncFile { policy, act: false, ..sync() }), 3, 1);
        has(&mut bench, 0, 1, 10);
        has(&mut bench, 1, 2, 20);
        has(&mut bench, 2, 2, 30);
        bench
    };
    let winner = |bench: &Bench| bench.control.facts().sync.right.get(&ModelId(0)).map(|right| right.1);
    assert_eq!(winner(&right(PolicyFile::FirstWriter)), Some(digest(1)));
    assert_eq!(winner(&right(PolicyFile::LastWriter)), Some(digest(2)));
    assert_eq!(winner(&right(PolicyFile::Majority)), Some(digest(2)));
    let mut bench = right(PolicyFile::Manual);
    assert_eq!(winner(&bench), None, "nobody but an operator");
    bench.feed(Input::Operator(Change::Resolve { model: ModelId(0), digest: Some(digest(1)) }));
    assert_eq!(winner(&bench), Some(digest(1)));
    assert_eq!(bench.restored().control.facts().sync, bench.control.facts().sync);
    bench.feed(Input::Operator(Change::Resolve { model: ModelId(0), digest: None }));
    assert_eq!(winner(&bench), None, "what was decided is withdrawn");
}

#[test]
fn lazy_waits_for_a_request_and_periodic_for_the_end_of_the_period() {
    let stale = |mode| {
        let file = SyncFile { mode, period_seconds: 100, ..sync() };
        let mut bench = Bench::new(&with(file), 1, 1);
        publish(&mut bench, 1);
        has(&mut bench, 0, 1, 5);
        let out = publish(bench.at(1_000), 2);
        (bench, acts(&out))
    };
    assert_eq!(stale(Mode::Eager).1, [(0, Deed::Pull)]);
    let (mut lazy, out) = stale(Mode::Lazy);
    assert_eq!(out, []);
    assert_eq!(acts(&lazy.at(40_000).feed(Input::Wake)), []);
    lazy.arrive();
    assert_eq!(acts(&lazy.at(90_000).feed(Input::Wake)), [(0, Deed::Pull)]);
    let (mut periodic, out) = stale(Mode::Periodic);
    assert_eq!(out, []);
    assert_eq!(acts(&periodic.at(99_000).feed(Input::Wake)), []);
    assert_eq!(acts(&periodic.at(100_000).feed(Input::Wake)), [(0, Deed::Pull)]);
}

#[test]
fn other_weights_are_kept_under_a_second_name_where_that_is_wanted() {
    let mut bench = Bench::new(&with(SyncFile { keep_others: true, ..sync() }), 1, 1);
    publish(&mut bench, 1);
    assert_eq!(acts(&has(&mut bench, 0, 9, 5)), [(0, Deed::Branch)]);
    done(&mut bench, 0);
    assert_eq!(acts(&has(&mut bench, 0, 9, 5)), [(0, Deed::Pull)]);
}

#[test]
fn a_name_with_too_few_copies_gets_another_in_another_zone() {
    let mut bench = Bench::new(&with(SyncFile { copies_min: 2, ..sync() }), 0, 1);
    for (host, zone) in [(0, "a"), (1, "a"), (2, "b")] {
        let name = format!("h{host}");
        let declaration = Declaration { name, slots: 1, zone: zone.into(), ..Declaration::default() };
        bench.feed(Input::HostDeclared { host: HostId(host), declaration });
        bench.feed(Input::Observed { host: HostId(host), observation: Observation::default() });
    }
    publish(&mut bench, 1);
    assert_eq!(acts(&has(&mut bench, 0, 1, 5)), [(2, Deed::Pull)]);
}

#[test]
fn a_model_that_is_not_managed_or_whose_registry_is_not_allowed_is_left_alone() {
    for file in [
        SyncFile { manage: vec!["elsewhere:*".into()], ..sync() },
        SyncFile { registries: vec!["hub.example".into()], ..sync() },
        SyncFile { act: false, ..sync() },
    ] {
        let mut bench = Bench::new(&with(file), 1, 1);
        publish(&mut bench, 1);
        has(&mut bench, 0, 1, 5);
        assert_eq!(acts(&publish(&mut bench, 2)), []);
    }
}

#[test]
fn a_step_back_to_a_config_with_sync_finds_again_who_has_another_content() {
    let mut bench = Bench::new(&with(SyncFile { act: false, ..sync() }), 2, 1);
    publish(&mut bench, 2);
    has(&mut bench, 0, 1, 5);
    let drift = bench.control.facts().sync.drift.clone();
    assert_eq!(drift.len(), 1);
    bench.install(&file());
    assert!(bench.control.facts().sync.drift.is_empty());
    bench.feed(Input::Operator(Change::Rollback));
    assert_eq!(bench.control.facts().sync.drift, drift);
}

#[test]
fn another_policy_judges_all_names_anew_and_a_name_that_is_no_longer_managed_is_left_alone() {
    let with_policy = |policy| with(SyncFile { policy, act: false, ..sync() });
    let mut bench = Bench::new(&with_policy(PolicyFile::FirstWriter), 2, 1);
    has(&mut bench, 0, 1, 10);
    has(&mut bench, 1, 2, 20);
    let right = |bench: &Bench| bench.control.facts().sync.right.get(&ModelId(0)).map(|right| right.1);
    assert_eq!(right(&bench), Some(digest(1)));
    assert_eq!(
        notes(&bench.install(&with_policy(PolicyFile::LastWriter))),
        (false, false),
        "they differ still"
    );
    assert_eq!(right(&bench), Some(digest(2)), "the registry was never heard of this name");
    let elsewhere = SyncFile { manage: vec!["other".into()], ..sync() };
    let out = bench.install(&with(SyncFile { policy: PolicyFile::LastWriter, ..elsewhere }));
    assert_eq!((acts(&out), right(&bench)), (vec![], None));
    let facts = &bench.control.facts().sync;
    assert!(facts.drift.is_empty() && facts.diverged.is_empty(), "{facts:?}");
    assert_eq!(acts(&has(&mut bench, 0, 3, 30)), []);
    assert_eq!(right(&bench), None);
    bench.install(&with_policy(PolicyFile::LastWriter));
    assert_eq!(right(&bench), Some(digest(3)), "what it has by now");
}

#[test]
fn names_that_are_heard_together_are_judged_together_in_order_whoever_works_it_out() {
    let models = 2..300;
    let told = |implementation, threads: bool| {
        let file = ControlFile { implementation: Implementations::from(implementation), ..with(sync()) };
        let mut bench = Bench::new(&file, 2, 1);
        if threads {
            bench.control.evaluate_with(Box::new(Backwards));
        }
        for model in models.clone() {
            bench.feed(Input::ModelNamed { model: ModelId(model), name: format!("m{model}:latest") });
        }
        let has_all = |bench: &mut Bench, host: u32, content: u8| {
            let of = |model| StoredModel {
                digest: digest(content),
                ..StoredModel::of_size(ModelId(model), Bytes(1))
            };
            let observation =
                Observation { stored: models.clone().map(of).collect(), ..Observation::default() };
            bench.feed(Input::Observed { host: HostId(host), observation })
        };
        assert_eq!(notes(&has_all(&mut bench, 0, 1)), (false, false));
        let out = has_all(&mut bench, 1, 2);
        (out, bench.control.facts().sync.clone())
    };
    let (out, facts) = told(Implementation::Optimised, true);
    let conflicts: Vec<u32> = super::notes(&out)
        .iter()
        .map(|note| match note {
            Note::Conflict { model, .. } => model.0,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(conflicts.into_iter().eq(models.clone()), "one each, by model");
    assert_eq!(facts.right.len(), models.len());
    for (implementation, threads) in [(Implementation::Optimised, false), (Implementation::Baseline, true)] {
        assert_eq!(told(implementation, threads), (out.clone(), facts.clone()));
    }
}

/// An executor that works the places out backwards.
#[derive(Debug)]
struct Backwards;

impl Executor for Backwards {
    fn width(&self) -> usize {
        4
    }

    fn map(
        &self,
        chunks: usize,
        score: &(dyn Fn(usize) -> Option<Scored> + Sync),
        into: &mut [Option<Scored>],
    ) {
        (0..chunks).rev().for_each(|chunk| into[chunk] = score(chunk));
    }
}
