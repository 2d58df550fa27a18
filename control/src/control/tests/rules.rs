//! Rules: who may go where, who rather goes where, and when.

use super::*;
use crate::constraints::{DemandsFile, RuleFile};
use crate::ids::TenantId;
use crate::request::Particulars;

fn rules(demands: DemandsFile) -> ControlFile {
    let rule =
        RuleFile { name: "one".into(), tenants: Some(["t1".into()].into()), demands, ..RuleFile::default() };
    ControlFile { rules: [rule].into(), attempts_max: 1, ..file() }
}

fn names(names: &[&str]) -> Option<Vec<alloc::string::String>> {
    Some(names.iter().map(|name| (*name).into()).collect())
}

fn bench(demands: DemandsFile, hosts: u32, slots: u32) -> Bench {
    let mut bench = Bench::new(&rules(demands), hosts, slots);
    for tenant in 0..2 {
        bench.feed(Input::TenantNamed { tenant: TenantId(tenant), name: format!("t{tenant}") });
    }
    bench
}

/// A request to which the rule applies.
fn bound() -> Arrive {
    Arrive { tenant: TenantId(1), ..Arrive::default() }
}

fn hosts_of(outputs: &[Output]) -> Vec<u32> {
    sent(outputs).iter().map(|sent| sent.1).collect()
}

#[test]
fn a_request_goes_only_where_its_demands_are_met_and_others_go_everywhere() {
    let demands = DemandsFile { require_hosts: names(&["h1", "h2"]), ..DemandsFile::default() };
    let mut bench = bench(demands, 4, 1);
    let hosts: Vec<u32> = (0..3).flat_map(|_| hosts_of(&bench.arrive_with(bound()))).collect();
    assert_eq!(hosts, [1, 2], "the third waits");
    assert_eq!(hosts_of(&bench.arrive()), [3]);
    assert_eq!(hosts_of(&bench.arrive()), [0]);
    bench.arrive();
    assert_eq!(sent(&bench.finish(3, 0)), [(5, 3)], "what waits for others does not go there");
    assert_eq!(sent(&bench.finish(0, 0)), [(2, 1)]);
}

#[test]
fn demands_that_no_host_meets_reject_with_that_reason() {
    let demands = DemandsFile { require_zones: names(&["east"]), ..DemandsFile::default() };
    let mut bench = bench(demands, 2, 1);
    let rejected = |request, reason| [Output::Reject { request: RequestId(request), reason }];
    assert_eq!(bench.arrive_with(bound()), rejected(0, Reject::DemandsUnmet));
    let elsewhere = Arrive { model: ModelId(1), ..bound() };
    assert_eq!(bench.arrive_with(elsewhere), rejected(1, Reject::NoHostHasModel));
    assert_eq!(hosts_of(&bench.arrive()), [0]);
    let declaration =
        Declaration { name: "h1".into(), zone: "east".into(), slots: 1, ..Declaration::default() };
    bench.feed(Input::HostDeclared { host: HostId(1), declaration });
    assert_eq!(hosts_of(&bench.arrive_with(bound())), [1], "it is declared now");
}

#[test]
fn preferred_hosts_go_first_and_others_when_those_are_full() {
    let demands = DemandsFile { prefer_hosts: names(&["h2"]), ..DemandsFile::default() };
    let mut bench = bench(demands, 3, 2);
    let hosts: Vec<u32> = (0..4).flat_map(|_| hosts_of(&bench.arrive_with(bound()))).collect();
    assert_eq!(hosts[..2], [2, 2]);
    assert!(!hosts[2..].contains(&2), "{hosts:?}");
    bench.drain(2, true);
    bench.finish(0, 0);
    assert_ne!(hosts_of(&bench.arrive_with(bound())), [2], "a drained one is not preferred");
}

#[test]
fn a_request_waits_for_a_host_that_has_a_model_loaded_and_goes_as_soon_as_one_has() {
    let demands = DemandsFile { with_model_loaded: names(&["m:latest"]), ..DemandsFile::default() };
    let mut bench = bench(demands, 3, 1);
    bench.observe_with(2, &[0], &[0]);
    assert_eq!(hosts_of(&bench.arrive_with(bound())), [2]);
    assert_eq!(bench.arrive_with(bound()), []);
    assert_eq!(sent(&bench.observe_with(1, &[0], &[0])), [(1, 1)]);
    bench.observe_with(1, &[0], &[]);
    bench.finish(1, 0);
    assert_eq!(bench.arrive_with(bound()), [], "it is no longer loaded there");
}

#[test]
fn a_host_whose_first_bytes_come_late_is_left_out() {
    let demands = DemandsFile { ttft_millis_max: Some(100), ..DemandsFile::default() };
    let mut bench = bench(demands, 2, 9);
    // Learned before anyone asked.
    assert_eq!(hosts_of(&bench.arrive()), [0]);
    bench.at(500).first_byte(0, 0);
    for _ in 0..3 {
        assert_eq!(hosts_of(&bench.arrive_with(bound())), [1]);
    }
    assert_eq!(hosts_of(&bench.restored().arrive_with(bound())), [1]);
}

#[test]
fn a_host_that_is_left_out_gets_one_request_in_half_a_minute_to_show_that_it_is_well() {
    let demands = DemandsFile { ttft_millis_max: Some(300), ..DemandsFile::default() };
    let mut bench = bench(demands, 1, 9);
    let unmet =
        |bench: &Bench| [Output::Reject { request: RequestId(bench.arrived), reason: Reject::DemandsUnmet }];
    assert_eq!(hosts_of(&bench.arrive_with(bound())), [0]);
    bench.at(500).first_byte(0, 0);
    for (until, answered) in [(30_500, 31_500), (61_500, 61_520)] {
        let refused = unmet(&bench);
        assert_eq!(
            bench.at(until - 1).arrive_with(bound()),
            refused,
            "what was learned counts until {until} ms"
        );
        assert_eq!(bench.control.next_wake(), Some(Instant::ZERO + Nanos::from_millis(until)));
        bench.at(until).feed(Input::Wake);
        let request = bench.arrived;
        assert_eq!(hosts_of(&bench.restored().arrive_with(bound())), [0]);
        assert_eq!(hosts_of(&bench.arrive_with(bound())), [0], "its trial");
        let refused = unmet(&bench);
        assert_eq!(bench.arrive_with(bound()), refused, "one request is enough");
        bench.at(answered).first_byte(request, 0);
    }
    assert_eq!([(); 3].map(|()| hosts_of(&bench.arrive_with(bound()))), [[0], [0], [0]], "it is well again");
}

#[test]
fn a_host_that_fails_often_is_left_out_until_it_answers_again() {
    let demands = DemandsFile { reliability_percent_min: Some(80), ..DemandsFile::default() };
    let mut bench = bench(demands, 2, 9);
    assert_eq!(hosts_of(&bench.arrive()), [0]);
    bench.fail(0, 0, Failure::ServerError);
    bench.drain(1, true);
    let unmet = bench.arrive_with(bound());
    bench.drain(1, false);
    assert_eq!(unmet, [], "the other would do, once it is offered");
    assert_eq!(bench.running_on(1), [1]);
    for answers in 2..40 {
        bench.at(answers * 1_000);
        let request = bench.arrived;
        let host = hosts_of(&bench.arrive())[0];
        bench.first_byte(request, 0);
        bench.finish(request, 0);
        if host == 0 && bench.control.facts().history[0].health_permille() >= 800 {
            break;
        }
    }
    let hosts = [hosts_of(&bench.arrive_with(bound())), hosts_of(&bench.arrive_with(bound()))].concat();
    assert!(hosts.contains(&0), "{hosts:?}");
}

#[test]
fn a_request_that_may_not_start_yet_waits_and_is_woken() {
    let demands = DemandsFile { start_after_millis: Some(50), ..DemandsFile::default() };
    let mut bench = bench(demands, 1, 1);
    assert_eq!(bench.arrive_with(bound()), []);
    assert_eq!(bench.control.next_wake(), Some(Instant::ZERO + Nanos::from_millis(50)));
    assert_eq!(sent(&bench.arrive()), [(1, 0)], "it keeps nobody from the host");
    bench.finish(1, 0);
    let mut restored = bench.restored();
    for bench in [&mut bench, &mut restored] {
        assert_eq!(sent(&bench.at(50).feed(Input::Wake)), [(0, 0)]);
        assert_eq!(bench.control.next_wake(), None);
    }
}

#[test]
fn a_wait_counts_from_when_a_request_may_start() {
    let demands = DemandsFile { start_after_millis: Some(50), ..DemandsFile::default() };
    let mut bench = bench(demands.clone(), 1, 1);
    bench.install(&ControlFile { queue_timeout_millis: 20, ..rules(demands) });
    bench.arrive();
    bench.arrive_with(bound());
    assert_eq!(bench.at(50).feed(Input::Wake), [], "it waits from now on");
    assert_eq!(bench.control.next_wake(), Some(Instant::ZERO + Nanos::from_millis(70)));
    let reason = Reject::QueueTimeout;
    assert_eq!(bench.at(70).feed(Input::Wake), [Output::Reject { request: RequestId(1), reason }]);
}

#[test]
fn the_deadline_of_a_rule_is_a_requests_unless_its_own_is_earlier() {
    let demands = DemandsFile { deadline_millis: Some(30), ..DemandsFile::default() };
    let mut bench = bench(demands, 1, 1);
    bench.arrive();
    let own = Some(Instant::ZERO + Nanos::from_millis(10));
    bench.arrive_with(bound());
    bench.arrive_with(Arrive { deadline: own, ..bound() });
    let reason = Reject::DeadlinePassed;
    assert_eq!(bench.at(10).feed(Input::Wake), [Output::Reject { request: RequestId(2), reason }]);
    assert_eq!(bench.at(30).feed(Input::Wake), [Output::Reject { request: RequestId(1), reason }]);
}

#[test]
fn a_client_may_leave_before_its_request_may_start() {
    let demands = DemandsFile { start_after_millis: Some(50), ..DemandsFile::default() };
    let mut bench = bench(demands, 1, 1);
    bench.arrive_with(bound());
    assert_eq!(bench.gone(0), []);
    assert_eq!((bench.control.next_wake(), bench.control.facts().counters.cancelled), (None, 1));
}

#[test]
fn those_that_wait_follow_the_rules_of_now() {
    let only = |host| DemandsFile { require_hosts: names(&[host]), ..DemandsFile::default() };
    let mut bench = bench(only("h0"), 2, 1);
    bench.arrive_with(bound());
    bench.arrive_with(bound());
    assert_eq!(sent(&bench.install(&rules(only("h1")))), [(1, 1)]);
}

#[test]
fn a_request_that_no_rule_defers_any_more_starts_at_once() {
    let demands = DemandsFile { start_after_millis: Some(50), ..DemandsFile::default() };
    let mut bench = bench(demands, 1, 1);
    bench.arrive_with(bound());
    assert_eq!(sent(&bench.install(&file())), [(0, 0)]);
}

#[test]
fn a_request_may_demand_something_by_itself() {
    let own = |demands: DemandsFile| {
        let demands = demands.check("demands").unwrap();
        Arrive { particulars: Particulars { demands, ..Particulars::default() }.boxed(), ..Arrive::default() }
    };
    let on = |name: &str| DemandsFile { require_hosts: Some([name.into()].into()), ..DemandsFile::default() };
    let rules = |rules: Vec<RuleFile>| ControlFile { rules, ..file() };
    let mut bench = Bench::new(&rules(Vec::new()), 3, 1);
    assert_eq!(sent(&bench.arrive_with(own(on("h2")))), [(0, 2)]);
    assert_eq!(sent(&bench.arrive_with(own(on("h2")))), [], "it waits for its host");
    assert_eq!(sent(&bench.arrive()), [(2, 0)], "others do not");
    let rejected = Output::Reject { request: RequestId(3), reason: Reject::DemandsUnmet };
    assert_eq!(bench.arrive_with(own(on("h9"))), [rejected]);
    let mut restored = bench.restored();
    for bench in [&mut bench, &mut restored] {
        assert_eq!(sent(&bench.finish(0, 0)), [(1, 2)]);
    }
    let rule = RuleFile { name: "not here".into(), ..RuleFile::default() };
    let elsewhere = DemandsFile { exclude_hosts: Some(["h1".into()].into()), ..DemandsFile::default() };
    let mut bench = Bench::new(&rules([RuleFile { demands: elsewhere, ..rule }].into()), 3, 1);
    let rejected = Output::Reject { request: RequestId(0), reason: Reject::DemandsUnmet };
    assert_eq!(bench.arrive_with(own(on("h1"))), [rejected], "a rule holds besides");
}

#[test]
fn what_a_request_demands_of_hosts_answers_is_known_from_before_it_came() {
    let mut bench = Bench::new(&file(), 2, 4);
    for request in 0..2 {
        bench.arrive();
        bench.at(50 + 500 * request).first_byte(request, 0);
    }
    let quick = DemandsFile { ttft_millis_max: Some(100), ..DemandsFile::default() };
    let quick = Particulars { demands: quick.check("demands").unwrap(), ..Particulars::default() }.boxed();
    for request in 2..4 {
        let arrive = Arrive { particulars: quick.clone(), ..Arrive::default() };
        assert_eq!(sent(&bench.arrive_with(arrive)), [(request, 0)], "the other took 500 ms");
    }
}

#[test]
fn a_request_that_waits_keeps_its_demands_while_no_host_has_its_model() {
    let demands = DemandsFile { require_hosts: names(&["h1"]), ..DemandsFile::default() };
    let own = Particulars { demands: demands.check("demands").unwrap(), ..Particulars::default() };
    let mut bench = Bench::new(&file(), 2, 1);
    for request in 0..2 {
        bench.arrive_with(Arrive { particulars: own.clone().boxed(), ..Arrive::default() });
        assert_eq!(bench.running_on(1), [0], "{request}");
    }
    (0..2).for_each(|host| drop(bench.observe_with(host, &[1], &[])));
    bench.install(&file());
    let mut restored = bench.restored();
    for bench in [&mut bench, &mut restored] {
        assert_eq!(bench.observe(0), [], "it demanded the other");
        assert_eq!(bench.observe(1), []);
        assert_eq!(sent(&bench.finish(0, 0)), [(1, 1)]);
    }
}
