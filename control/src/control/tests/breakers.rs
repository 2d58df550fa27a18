//! Breakers of hosts, and of models on hosts.

use super::*;
use crate::door::BreakerState::{Closed, HalfOpen, Open};
use crate::policy::breaker::BreakerFile;

/// Opens on two failures in a row, for a second.
fn breaker() -> ControlFile {
    let breaker = BreakerFile { consecutive_failures_max: 2, open_millis: 1_000, ..BreakerFile::default() };
    ControlFile { breaker: Some(breaker), attempts_max: 1, ..file() }
}

fn host_is(host: u32, state: crate::door::BreakerState) -> Note {
    Note::Breaker { host: HostId(host), model: None, state }
}

/// Requests arrive until some went to that host, and these fail; all others are answered. The notes.
fn fail_on(bench: &mut Bench, host: u32, times: u32, failure: Failure) -> Vec<Note> {
    let (mut failed, mut all) = (0, Vec::new());
    while failed < times {
        let request = bench.arrived;
        let to = sent(&bench.arrive())[0].1;
        let outputs = if to == host { bench.fail(request, 0, failure) } else { bench.finish(request, 0) };
        failed += u32::from(to == host);
        all.extend(notes(&outputs));
    }
    all
}

/// Where the next requests go; none of them ends.
fn hosts_of(bench: &mut Bench, requests: u32) -> Vec<u32> {
    (0..requests).flat_map(|_| sent(&bench.arrive())).map(|sent| sent.1).collect()
}

#[test]
fn a_host_that_fails_gets_nothing_then_a_probe_then_all() {
    let mut bench = Bench::new(&breaker(), 3, 9);
    assert_eq!(fail_on(&mut bench, 0, 2, Failure::Unreachable), [host_is(0, Open)]);
    assert!(!hosts_of(&mut bench, 6).contains(&0));
    let wake = bench.control.next_wake().unwrap();
    assert_eq!(wake, Instant::ZERO + Nanos::from_millis(1_000));
    bench.now = wake;
    assert_eq!(bench.feed(Input::Wake), [Output::Note(host_is(0, HalfOpen))]);
    hosts_of(&mut bench, 6);
    let probes = bench.running_on(0);
    let [probe] = probes[..] else { panic!("one probe at a time: {probes:?}") };
    assert_eq!(notes(&bench.finish(probe, 0)), [host_is(0, Closed)]);
    hosts_of(&mut bench, 6);
    assert!(bench.running_on(0).len() > 1);
}

/// A bench of two hosts, of which the first is half-open, and the request that probes it.
fn probed() -> (Bench, u64) {
    let mut bench = Bench::new(&breaker(), 2, 2);
    fail_on(&mut bench, 0, 2, Failure::Unreachable);
    bench.at(1_000).feed(Input::Wake);
    // The other is full then, so what waits shows whether the first is open.
    assert_eq!(hosts_of(&mut bench, 4).len(), 3, "the fourth waits");
    let probe = bench.running_on(0)[0];
    (bench, probe)
}

#[test]
fn a_probe_that_fails_opens_it_again_for_twice_as_long() {
    let (mut bench, probe) = probed();
    let outputs = bench.fail(probe, 0, Failure::Unreachable);
    assert_eq!((notes(&outputs), sent(&outputs)), ([host_is(0, Open)].into(), Vec::new()));
    assert_eq!(bench.control.next_wake(), Some(Instant::ZERO + Nanos::from_millis(3_000)));
}

#[test]
fn a_probe_that_ends_without_a_verdict_makes_room_for_another() {
    let (mut bench, probe) = probed();
    let waits = bench.arrived - 1;
    assert_eq!(sent(&bench.gone(probe)), [(waits, 0)], "its client left");
    let next = bench.arrived;
    assert_eq!(bench.arrive(), []);
    assert_eq!(sent(&bench.fail(waits, 0, Failure::Busy)), [(next, 0)], "the host was busy");
    assert_eq!(bench.arrive(), []);
    assert_eq!(sent(&bench.finish(next, 0)), [(next + 1, 0)], "it is closed");
}

#[test]
fn a_waiting_request_goes_out_when_a_breaker_lets_it() {
    let mut bench = Bench::new(&breaker(), 2, 1);
    fail_on(&mut bench, 0, 2, Failure::Unreachable);
    let first = bench.arrived;
    assert_eq!(hosts_of(&mut bench, 2), [1]);
    assert_eq!(sent(&bench.at(1_000).feed(Input::Wake)), [(first + 1, 0)]);
}

#[test]
fn hosts_are_never_all_ejected() {
    for percent in [50, 100] {
        let mut file = breaker();
        file.breaker.as_mut().unwrap().ejected_percent_max = percent;
        let mut bench = Bench::new(&file, 4, 99);
        for request in 0..40 {
            let to = sent(&bench.arrive());
            assert_eq!(to.len(), 1, "request {request} finds a host");
            bench.fail(request, 0, Failure::ServerError);
        }
        let ejected = &bench.control.facts().breakers.ejected;
        let hosts = ejected.iter().filter(|place| place.1.is_none()).count();
        assert_eq!(hosts, if percent == 50 { 2 } else { 3 });
    }
}

#[test]
fn a_host_that_is_drained_or_silent_is_no_reserve() {
    for silent in [false, true] {
        let mut bench = Bench::new(&breaker(), 2, 9);
        let gone = if silent {
            Input::Silent { host: HostId(1) }
        } else {
            Input::Operator(Change::Drain { host: HostId(1), drained: true })
        };
        bench.feed(gone);
        fail_on(&mut bench, 0, 4, Failure::Unreachable);
        assert_eq!(hosts_of(&mut bench, 1), [0], "the last host that can be chosen stays");
    }
}

#[test]
fn a_model_that_fails_on_a_host_leaves_the_others_there_alone() {
    let mut bench = Bench::new(&breaker(), 2, 9);
    (0..2).for_each(|host| drop(bench.observe_with(host, &[0, 1], &[0, 1])));
    let model = Some(ModelId(0));
    let opened = Note::Breaker { host: HostId(0), model, state: Open };
    assert_eq!(fail_on(&mut bench, 0, 2, Failure::OutOfMemory), [opened]);
    assert_eq!(hosts_of(&mut bench, 3), [1, 1, 1]);
    let other = |bench: &mut Bench| {
        let arrive = Arrive { model: ModelId(1), ..Arrive::default() };
        sent(&bench.arrive_with(arrive))[0].1
    };
    let mut hosts = [other(&mut bench), other(&mut bench)];
    hosts.sort_unstable();
    assert_eq!(hosts, [0, 1]);
}

#[test]
fn a_host_and_a_model_breaker_together_leave_a_model_a_host() {
    let mut bench = Bench::new(&breaker(), 2, 9);
    fail_on(&mut bench, 0, 2, Failure::Unreachable);
    fail_on(&mut bench, 1, 4, Failure::OutOfMemory);
    assert_eq!(hosts_of(&mut bench, 1), [1]);
}

#[test]
fn a_config_without_breakers_lets_all_hosts_be_chosen_again() {
    let mut bench = Bench::new(&breaker(), 2, 1);
    fail_on(&mut bench, 0, 2, Failure::ServerError);
    let waits = bench.arrived + 1;
    assert_eq!(hosts_of(&mut bench, 2), [1]);
    assert_eq!(sent(&bench.install(&file())), [(waits, 0)]);
    assert_eq!(bench.control.facts().breakers, Default::default());
}

#[test]
fn a_config_that_allows_more_probes_lets_them_out() {
    let (mut bench, _) = probed();
    let waits = bench.arrived - 1;
    let mut file = breaker();
    file.breaker.as_mut().unwrap().probes = 2;
    assert_eq!(sent(&bench.install(&file)), [(waits, 0)]);
}
