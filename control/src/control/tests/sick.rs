//! Hosts that come back, and requests that end runners.

use super::*;

#[test]
fn a_host_that_was_silent_begins_with_one_request_at_once() {
    let mut bench = Bench::new(&file(), 1, 3);
    bench.feed(Input::Silent { host: HostId(0) });
    for _ in 0..6 {
        assert_eq!(bench.arrive(), []);
    }
    assert_eq!(sent(&bench.observe(0)), [(0, 0)]);
    assert_eq!(sent(&bench.finish(0, 0)), [(1, 0), (2, 0)], "one answered, two at once");
    let mut restored = bench.restored();
    for bench in [&mut bench, &mut restored] {
        assert_eq!(sent(&bench.finish(1, 0)), [(3, 0), (4, 0)], "all its slots");
        assert_eq!(sent(&bench.finish(2, 0)), [(5, 0)]);
    }
    let mut at_once = Bench::new(&ControlFile { slow_start: false, ..file() }, 1, 3);
    at_once.feed(Input::Silent { host: HostId(0) });
    for _ in 0..3 {
        at_once.arrive();
    }
    assert_eq!(sent(&at_once.observe(0)).len(), 3);
}

/// Requests with one prompt, and how the attempts on each host end.
fn deadly(bench: &mut Bench) -> Vec<Output> {
    bench.arrive_with(Arrive { prefix: [3, 14].into(), ..Arrive::default() })
}

#[test]
fn a_request_that_ended_two_runners_is_turned_away_with_all_like_it() {
    let mut bench = Bench::new(&file(), 4, 1);
    assert_eq!(sent(&deadly(&mut bench)), [(0, 0)]);
    assert_eq!(sent(&bench.fail(0, 0, Failure::RunnerGone)), [(0, 1)], "once more, elsewhere");
    let failed = Output::Fail { request: RequestId(0), failure: Failure::RunnerGone };
    assert_eq!(bench.fail(0, 1, Failure::RunnerGone), [failed]);
    let rejected = |request| Output::Reject { request: RequestId(request), reason: Reject::Quarantined };
    assert_eq!(deadly(&mut bench), [rejected(1)]);
    assert_eq!(deadly(&mut bench.at(599_000).restored()), [rejected(2)]);
    assert_eq!(sent(&bench.arrive()).len(), 1, "others go through");
    assert_eq!(sent(&deadly(bench.at(600_000))).len(), 1, "ten minutes later too");
}

#[test]
fn two_clients_with_the_same_deadly_request_are_one_kind() {
    let mut bench = Bench::new(&ControlFile { attempts_max: 4, ..file() }, 4, 1);
    deadly(&mut bench);
    deadly(&mut bench);
    bench.fail(0, 0, Failure::RunnerGone);
    let failed = Output::Fail { request: RequestId(1), failure: Failure::RunnerGone };
    assert_eq!(bench.fail(1, 0, Failure::RunnerGone), [failed], "the second of its kind is not tried again");
    let mut never = Bench::new(&ControlFile { quarantine_seconds: 0, attempts_max: 4, ..file() }, 4, 1);
    deadly(&mut never);
    for attempt in 0..3 {
        assert_eq!(sent(&never.fail(0, attempt, Failure::RunnerGone)).len(), 1);
    }
}
