//! What changes about hosts while control runs: drained ones, limits that are learned, and what is selected for them.

use super::*;
use crate::policy::limit::LimitFile;
use crate::policy::select::{Load, RuleFile, SelectFile, When};

#[test]
fn a_drained_host_ends_what_it_has_and_gets_nothing_new() {
    let mut bench = Bench::new(&file(), 2, 1);
    assert_eq!(sent(&bench.arrive()), [(0, 0)]);
    bench.drain(0, true);
    assert_eq!(sent(&bench.arrive()), [(1, 1)]);
    assert_eq!(bench.arrive(), []);
    assert_eq!(bench.finish(0, 0), [], "the answer ends, nobody follows");
    bench.observe(0);
    assert_eq!(sent(&bench.restored().drain(0, false)), [(2, 0)]);
    assert_eq!(sent(&bench.drain(0, false)), [(2, 0)]);
}

/// One host whose limit is learned, the model loaded there.
fn learning(requests_start: u32) -> Bench {
    let limit = Some(LimitFile { requests_start, ..LimitFile::default() });
    let mut bench = Bench::new(&ControlFile { dispatch: DispatchLimit::Learned, limit, ..file() }, 1, 1);
    bench.observe_with(0, &[0], &[0]);
    bench
}

/// Keeps a host full for some answers, in order; `ttft_millis` is how long the first byte takes after dispatch, by how
/// many are under way. The limit after each.
fn keep_full(bench: &mut Bench, answers: u64, ttft_millis: impl Fn(u32) -> u64) -> Vec<u32> {
    let mut limits = Vec::new();
    for _ in 0..answers {
        while bench.control.facts().counters.queued == 0 {
            bench.arrive();
        }
        let request = bench.running_on(0)[0];
        let load = bench.control.facts().loads[0];
        let ledger = &bench.control.facts().ledger;
        let begun = ledger.attempts(ledger.find(RequestId(request)).unwrap()).dispatched_at;
        bench.now = bench.now.max(begun + Nanos::from_millis(ttft_millis(load.in_flight)));
        bench.first_byte(request, 0);
        bench.finish(request, 0);
        limits.push(bench.control.facts().loads[0].limit);
    }
    limits
}

#[test]
fn a_learned_limit_rises_while_first_bytes_come_as_soon() {
    let mut bench = learning(2);
    let limits = keep_full(&mut bench, 200, |_| 100);
    assert!(limits.is_sorted() && *limits.last().unwrap() > 8, "{limits:?}");
    assert!(bench.control.facts().loads[0].in_flight > 8, "more are let out");
    assert_eq!(bench.restored().control.facts().loads[0].limit, *limits.last().unwrap());
}

#[test]
fn a_learned_limit_falls_where_requests_queue_at_the_host() {
    let mut bench = learning(32);
    // The first answer shows what it takes without a queue.
    bench.arrive();
    bench.at(100).first_byte(0, 0);
    bench.finish(0, 0);
    let limits = keep_full(&mut bench, 600, |in_flight| 100 * u64::from(in_flight).div_ceil(4));
    let last = *limits.last().unwrap();
    assert!((4..16).contains(&last), "{limits:?}");
    assert!(bench.control.facts().loads[0].in_flight <= last);
    bench.install(&file());
    assert_eq!(bench.control.facts().loads[0].limit, 1, "declared slots count again");
}

#[test]
fn a_frozen_limit_stays() {
    let mut bench = learning(2);
    bench.feed(Input::Operator(Change::Freeze(true)));
    assert!(keep_full(&mut bench, 100, |_| 100).iter().all(|limit| *limit == 2));
    bench.feed(Input::Operator(Change::Freeze(false)));
    assert!(*keep_full(&mut bench, 100, |_| 100).last().unwrap() > 2);
}

/// Join idle queues while load is low, round robin while it is high; held for three decisions and ten milliseconds.
fn selecting() -> ControlFile {
    let when = When { load: Some(Load::High), ..When::default() };
    let select = SelectFile {
        arms: ["join-idle-queue".into(), "round-robin".into()].into(),
        rules: [RuleFile { when, arm: "round-robin".into() }].into(),
        load_high_permille_min: 500,
        hold_decisions: 3,
        residency_millis: 10,
        ..SelectFile::default()
    };
    ControlFile { select: Some(select), balancer: "random".into(), ..ControlFile::default() }
}

fn arm_of(outputs: &[Output]) -> ArmId {
    let dispatch = outputs.iter().find_map(|output| match output {
        Output::Dispatch(dispatch) => Some(dispatch.arm),
        _ => None,
    });
    dispatch.expect("it went out")
}

#[test]
fn selection_takes_another_balancer_when_the_fleet_asks_for_it_for_long_enough() {
    let mut bench = Bench::new(&selecting(), 2, 4);
    let [idle, turns] = ["select/join-idle-queue", "select/round-robin"].map(|arm| bench.arm(arm));
    // Four of eight slots: the load is half from the fifth decision on.
    for _ in 0..6 {
        assert_eq!(arm_of(&bench.arrive()), idle);
    }
    assert_eq!(arm_of(&bench.arrive()), idle, "wanted three times, but it is too soon");
    let outputs = bench.at(10).arrive();
    assert_eq!((notes(&outputs), arm_of(&outputs)), ([Note::Selected { arm: turns }].into(), turns));
    (0..8).for_each(|request| drop(bench.finish(request, 0)));
    for _ in 0..3 {
        assert_eq!(arm_of(&bench.at(11).arrive()), turns, "it is held");
    }
    let outputs = bench.at(20).arrive();
    assert_eq!((notes(&outputs), arm_of(&outputs)), ([Note::Selected { arm: idle }].into(), idle));
}

#[test]
fn selection_holds_while_frozen_and_starts_anew_with_other_balancers() {
    let mut bench = Bench::new(&selecting(), 2, 4);
    bench.arrive();
    bench.feed(Input::Operator(Change::Freeze(true)));
    let idle = bench.arm("select/join-idle-queue");
    for request in 1..8 {
        assert_eq!(arm_of(&bench.at(request * 100).arrive()), idle);
    }
    bench.feed(Input::Operator(Change::Freeze(false)));
    let mut file = selecting();
    file.select.as_mut().unwrap().arms.swap(0, 1);
    bench.install(&file);
    bench.finish(0, 0);
    assert_eq!(
        arm_of(&bench.arrive()),
        bench.arm("select/round-robin"),
        "the first decision takes what is wanted"
    );
}

#[test]
fn load_of_drained_and_silent_hosts_does_not_count_for_selection() {
    let mut bench = Bench::new(&selecting(), 3, 1);
    bench.drain(1, true);
    bench.feed(Input::Silent { host: HostId(2) });
    bench.arrive();
    // One of one slot is taken: full. With the idle ones it were a third.
    bench.feed(Input::HostDeclared {
        host: HostId(0),
        declaration: Declaration { name: "h0".into(), slots: 2, ..Declaration::default() },
    });
    let choose = |bench: &mut Bench, millis| arm_of(&bench.at(millis).arrive());
    assert_eq!(choose(&mut bench, 10), bench.arm("select/join-idle-queue"));
    for (request, millis) in [(0, 20), (1, 30)] {
        bench.finish(request, 0);
        choose(&mut bench, millis);
    }
    assert_eq!(bench.control.facts().recent.as_ref().unwrap().selector.arm(), Some(1));
}
