//! Flags, experiments, shadows, guards, and going back.

use alloc::collections::BTreeMap;

use super::*;
use crate::config::Config;
use crate::ids::{SessionId, TenantId};
use crate::policy::assign::{ArmFile, ExperimentFile, FlagFile};
use crate::policy::guard::{GuardFile, Metric};

fn flag(share_permille: u16, guard: Option<Metric>) -> ControlFile {
    let guard = guard.map(|metric| GuardFile { metric, ..GuardFile::default() });
    let flag = FlagFile { balancer: "random".into(), share_permille, guard, ..FlagFile::default() };
    let flags = [("new".into(), flag)].into();
    ControlFile { flags, dispatch: DispatchLimit::Unlimited, attempts_max: 1, ..file() }
}

fn arm_of(outputs: &[Output]) -> ArmId {
    let dispatch = outputs.iter().find_map(|output| match output {
        Output::Dispatch(dispatch) => Some(dispatch.arm),
        _ => None,
    });
    dispatch.expect("it went out")
}

/// Serves requests; those of the flag's arm take so many milliseconds to the first byte, all others 100. The notes.
fn serve(bench: &mut Bench, requests: u64, flag_millis: u64) -> Vec<Note> {
    let mut all = Vec::new();
    for _ in 0..requests {
        let request = bench.arrived;
        let begun = bench.now;
        let arm = arm_of(&bench.arrive());
        let millis = if arm == bench.arm("new") { flag_millis } else { 100 };
        bench.now = begun + Nanos::from_millis(millis);
        all.extend(notes(&bench.first_byte(request, 0)));
        all.extend(notes(&bench.finish(request, 0)));
    }
    all
}

#[test]
fn a_flag_takes_its_share_of_the_sessions_and_keeps_each() {
    let mut bench = Bench::new(&flag(300, None), 2, 1);
    let mut arms: BTreeMap<u64, ArmId> = BTreeMap::new();
    for request in 0..2_000 {
        let session = request % 1_000;
        let arrive = Arrive { session: Some(SessionId(session)), ..Arrive::default() };
        let arm = arm_of(&bench.arrive_with(arrive));
        assert_eq!(*arms.entry(session).or_insert(arm), arm, "session {session}");
    }
    let new = bench.arm("new");
    let flagged = arms.values().filter(|arm| **arm == new).count();
    assert!((250..350).contains(&flagged), "{flagged} of 1,000");
}

#[test]
fn arms_of_an_experiment_decide_for_their_shares_and_the_base_for_the_rest() {
    let arms = ["random", "prequal"]
        .map(|name| ArmFile { name: name.into(), balancer: name.into(), share_permille: 250 })
        .into();
    let experiments = [("which".into(), ExperimentFile { arms, ..ExperimentFile::default() })].into();
    let mut bench = Bench::new(&ControlFile { experiments, ..flag(0, None) }, 2, 1);
    let mut counts: BTreeMap<ArmId, u32> = BTreeMap::new();
    (0..1_000).for_each(|_| *counts.entry(arm_of(&bench.arrive())).or_default() += 1);
    let counts = ["base", "which/random", "which/prequal"].map(|arm| counts[&bench.arm(arm)]);
    assert!((430..570).contains(&counts[0]), "{counts:?}");
    assert!(counts[1..].iter().all(|count| (200..300).contains(count)), "{counts:?}");
    assert_eq!(counts.iter().sum::<u32>(), 1_000, "a flag without a share decides nothing");
}

#[test]
fn a_guard_takes_a_slow_arm_back() {
    let mut bench = Bench::new(&flag(500, Some(Metric::Ttft)), 2, 1);
    let new = bench.arm("new");
    assert_eq!(serve(&mut bench, 1_000, 250), [Note::RolledBack { arm: new }]);
    assert_eq!(bench.control.epoch(), Epoch(1));
    let decided = bench.control.facts().arms[new.index()].counts.decided;
    serve(&mut bench, 100, 250);
    assert_eq!(bench.control.facts().arms[new.index()].counts.decided, decided);
}

#[test]
fn a_guard_leaves_an_equal_arm_alone() {
    let mut bench = Bench::new(&flag(500, Some(Metric::Ttft)), 2, 1);
    assert_eq!(serve(&mut bench, 1_000, 100), []);
}

#[test]
fn a_frozen_guard_tells_and_changes_nothing() {
    let mut bench = Bench::new(&flag(500, Some(Metric::Ttft)), 2, 1);
    let new = bench.arm("new");
    bench.feed(Input::Operator(Change::Freeze(true)));
    let notes = serve(&mut bench, 1_000, 250);
    assert!(!notes.is_empty() && notes.iter().all(|note| *note == Note::Breached { arm: new }), "{notes:?}");
    assert!(!bench.control.facts().arms[new.index()].rolled_back);
}

#[test]
fn another_config_gives_an_arm_another_chance() {
    let file = flag(500, Some(Metric::Ttft));
    let mut bench = Bench::new(&file, 2, 1);
    let new = bench.arm("new");
    serve(&mut bench, 1_000, 250);
    bench.install(&file);
    assert!(!bench.control.facts().arms[new.index()].rolled_back);
    assert_eq!(serve(&mut bench, 1_000, 250), [Note::RolledBack { arm: new }]);
}

#[test]
fn failures_count_against_an_arm_and_clients_mistakes_do_not() {
    for (failure, rolls_back) in [(Failure::ServerError, true), (Failure::BadRequest, false)] {
        let mut bench = Bench::new(&flag(500, Some(Metric::Failures)), 2, 1);
        let new = bench.arm("new");
        for request in 0..400 {
            if arm_of(&bench.arrive()) == new {
                bench.fail(request, 0, failure);
            } else {
                bench.finish(request, 0);
            }
        }
        assert_eq!(bench.control.facts().arms[new.index()].rolled_back, rolls_back, "{failure:?}");
    }
}

#[test]
fn shadows_decide_beside_the_base_and_change_nothing() {
    let plain = ControlFile { balancer: "prequal".into(), dispatch: DispatchLimit::Unlimited, ..file() };
    let shadowed = ControlFile { shadows: ["random".into(), "prequal".into()].into(), ..plain.clone() };
    let mut benches = [Bench::new(&plain, 5, 1), Bench::new(&shadowed, 5, 1)];
    let (mut shadows, mut agreed) = ([0; 2], [0; 2]);
    let arms = ["shadow/random", "shadow/prequal"].map(|arm| benches[1].arm(arm));
    for request in 0..200 {
        let [plain, shadowed] = benches.each_mut().map(Bench::arrive);
        assert_eq!(sent(&plain), sent(&shadowed));
        for output in &shadowed {
            let Output::Shadow(shadow) = output else { continue };
            let at = arms.iter().position(|arm| *arm == shadow.arm).expect("it is a shadow");
            assert_eq!(shadow.agrees, sent(&shadowed) == [(request, shadow.host.0)]);
            shadows[at] += 1;
            agreed[at] += u64::from(shadow.agrees);
        }
        if request >= 9 {
            benches.iter_mut().for_each(|bench| drop(bench.finish(request - 9, 0)));
        }
    }
    assert_eq!(shadows, [200, 200]);
    assert_eq!(agreed[1], 200, "the same balancer with the same draws decides the same");
    assert!((1..150).contains(&agreed[0]), "{agreed:?}");
    let counts = arms.map(|arm| benches[1].control.facts().arms[arm.index()].counts);
    assert_eq!(counts.map(|counts| (counts.decided, counts.agreed)), [(200, agreed[0]), (200, 200)]);
}

#[test]
fn rollback_restores_the_config_before_and_only_that() {
    let mut bench = Bench::new(&file(), 2, 1);
    let before: Config = bench.control.config().clone();
    bench.install(&flag(500, None));
    let rollback = Input::Operator(Change::Rollback);
    assert_eq!(bench.feed(rollback.clone()), [Output::Note(Note::Restored)]);
    assert_eq!((bench.control.config(), bench.control.epoch()), (&before, Epoch(2)));
    assert_eq!(bench.feed(rollback), [Output::Note(Note::NothingToRestore)]);
}

#[test]
fn after_a_rollback_all_is_decided_as_if_nothing_had_been_installed() {
    for (balancer, scheduler) in pairs() {
        let file = ControlFile {
            balancer: balancer.1.name.into(),
            scheduler: scheduler.1.name.into(),
            ..ControlFile::default()
        };
        let other = ControlFile {
            balancer: if balancer.1.name == "random" { "prequal" } else { "random" }.into(),
            scheduler: if scheduler.1.name == "token-counter" { "fifo" } else { "token-counter" }.into(),
            ..ControlFile::default()
        };
        let mut bench = Bench::new(&file, 3, 1);
        let arrive = |request: u64| Arrive {
            tenant: TenantId((request * 7 % 3) as u32),
            prompt_bytes: Bytes(4_000 - request * 100),
            ..Arrive::default()
        };
        // What is learned now is known when the others are queued: a change of the config orders them anew by it.
        for request in 0..3 {
            bench.arrive_with(arrive(request));
            let usage = Usage { prompt_tokens: 900, output_tokens: 300, ..Usage::default() };
            bench.feed(Input::Finished { request: RequestId(request), attempt: 0, usage });
        }
        for request in 3..15 {
            bench.arrive_with(arrive(request));
        }
        let mut changed = bench.restored();
        changed.install(&other);
        changed.feed(Input::Operator(Change::Rollback));
        let mut running: Vec<u64> = [3, 4, 5].into();
        for request in 15..40 {
            // Whoever runs is done in turn, so that the order of the queue and the choices of hosts show.
            let done = running.remove(0);
            let outputs = bench.finish(done, 0);
            let place = format!("{} and {}", balancer.1.name, scheduler.1.name);
            assert_eq!(outputs, changed.finish(done, 0), "{place}");
            running.extend(sent(&outputs).iter().map(|sent| sent.0));
            assert_eq!(bench.arrive_with(arrive(request % 15)), changed.arrive_with(arrive(request % 15)));
        }
    }
}

#[test]
fn tenants_are_owed_what_they_were_owed_before_another_scheduler_decided() {
    let fair = ControlFile { scheduler: "token-counter".into(), ..file() };
    let mut bench = Bench::new(&fair, 1, 1);
    let of = |tenant| Arrive { tenant: TenantId(tenant), ..Arrive::default() };
    // The first tenant is served a lot while the second waits, too.
    for tenant in [0, 0, 0, 1] {
        bench.arrive_with(of(tenant));
    }
    let usage = Usage { prompt_tokens: 9_000, output_tokens: 9_000, ..Usage::default() };
    let outputs = bench.feed(Input::Finished { request: RequestId(0), attempt: 0, usage });
    assert_eq!(sent(&outputs), [(3, 0)]);
    bench.arrive_with(of(1));
    bench.install(&file());
    bench.install(&fair);
    assert_eq!(sent(&bench.finish(3, 0)), [(4, 0)], "the second tenant is still owed");
}

#[test]
fn a_balancer_that_decides_again_goes_on_from_what_it_kept() {
    let prequal = ControlFile { balancer: "prequal".into(), ..file() };
    let mut bench = Bench::new(&prequal, 3, 9);
    (0..10).for_each(|_| drop(bench.arrive()));
    let memory = |bench: &Bench| {
        let arms = bench.control.snapshot().facts.arms;
        let of = |arm: &&crate::facts::arms::ArmFacts| arm.kind == crate::balance::BalancerKind::Prequal;
        arms.iter().find(of).expect("it was in force").memory.clone()
    };
    let kept = memory(&bench);
    bench.install(&file());
    (0..5).for_each(|_| drop(bench.arrive()));
    bench.install(&prequal);
    assert!(kept.len() > 10 && memory(&bench) == kept);
    bench.arrive();
    assert_ne!(memory(&bench), kept);
}
