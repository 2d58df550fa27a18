//! What the check finds wrong.

use alloc::string::String;

use super::*;

/// Two hosts of 24 GiB in two zones, one of them closed to nobody; models of 10 and 20 GiB.
fn small() -> Problem {
    let far = Host { zone: 1, ..host(1, 24) };
    problem(vec![host(0, 24), far], vec![model(0, 10, 100), model(1, 20, 100)])
}

fn plan_of(places: &[(u32, u32)]) -> Plan {
    let replica =
        |(host, model): &(u32, u32)| Replica { host: HostId(*host), model: ModelId(*model), why: Why::Gain };
    Plan { standing: Standing::Sought, replicas: places.iter().map(replica).collect(), unmet: Vec::new() }
}

/// What is wrong with these (host, model) replicas after the problem was changed.
fn wrong(change: impl Fn(&mut Problem), places: &[(u32, u32)]) -> String {
    let mut problem = small();
    assert_eq!(check(&problem, &plan_of(places)).is_ok(), fits(places), "before the change");
    change(&mut problem);
    check(&problem, &plan_of(places)).unwrap_err()
}

/// Whether no host has both models, which is more than it has memory for.
fn fits(places: &[(u32, u32)]) -> bool {
    places.iter().all(|(host, model)| *model == 0 || !places.contains(&(*host, 0)))
}

#[test]
fn hosts_have_no_more_than_they_can_hold() {
    assert_eq!(wrong(|_| {}, &[(0, 0), (0, 1)]), "host 0 has less memory than its replicas take");
    let one = |problem: &mut Problem| problem.hosts[0].models_max = Some(0);
    assert_eq!(wrong(one, &[(0, 0)]), "host 0 has more models than it may");
    let closed = |problem: &mut Problem| problem.hosts[0].open = false;
    assert_eq!(wrong(closed, &[(0, 0)]), "model 0 on host 0: the host is closed or excluded");
    let excluded = |problem: &mut Problem| problem.models[0].excluded = vec![HostId(0)];
    assert_eq!(wrong(excluded, &[(0, 0)]), "model 0 on host 0: the host is closed or excluded");
    let apart = |problem: &mut Problem| {
        problem.hosts[0].memory = Bytes::from_gib(40);
        problem.models[1].apart_from = vec![ModelId(0)];
    };
    assert_eq!(wrong(apart, &[(0, 0), (0, 1)]), "model 0 on host 0 is not apart from model 1 on host 0");
}

#[test]
fn models_have_what_was_demanded() {
    let most = |problem: &mut Problem| problem.models[0].limits.max = 1;
    assert_eq!(wrong(most, &[(0, 0), (1, 0)]), "model 0 has more replicas than it may");
    let least = |problem: &mut Problem| problem.models[0].limits.min = 1;
    assert_eq!(wrong(least, &[]), "model 0 lacks 1 replicas, which is not told");
    let pinned = |problem: &mut Problem| problem.models[0].pinned = vec![HostId(1)];
    assert_eq!(wrong(pinned, &[(0, 0)]), "model 0: its pin to host 1 is told wrongly");
    let young = |problem: &mut Problem| problem.loaded = vec![resident(1, 0, 59)];
    assert_eq!(wrong(young, &[(0, 0)]), "model 0 on host 1 is too young to go");
    let spread = |problem: &mut Problem| {
        problem.hosts[1].zone = 0;
        problem.hosts.push(Host { zone: 1, ..host(2, 10) });
        problem.models[0].zones_min = 2;
    };
    assert_eq!(
        wrong(spread, &[(0, 0), (1, 0)]),
        "model 0 on host 0 shares a zone and could be model 0 on host 2"
    );
}

#[test]
fn what_is_told_to_be_missing_must_have_no_room() {
    let mut problem = small();
    problem.models[0].limits.min = 1;
    problem.models[1].pinned = vec![HostId(1)];
    let tell = |model, demand| Unmet { model: ModelId(model), demand, why: Hindrance::Full };
    let mut plan = plan_of(&[]);
    plan.unmet = vec![tell(0, Demand::Minimum(1)), tell(1, Demand::Pinned(HostId(1)))];
    assert_eq!(check(&problem, &plan).unwrap_err(), "model 0 on host 0 would have room and is missing");
    problem.models[0].limits.min = 0;
    plan.unmet.remove(0);
    assert_eq!(check(&problem, &plan).unwrap_err(), "model 1 on host 1 is pinned and has room");
}

#[test]
fn replicas_stand_in_order_and_hands_off_names_none() {
    assert!(check(&small(), &plan_of(&[(1, 0), (0, 0)])).unwrap_err().contains("order"));
    assert!(check(&small(), &plan_of(&[(0, 0), (0, 0)])).unwrap_err().contains("order"));
    assert!(check(&small(), &plan_of(&[(7, 0)])).unwrap_err().contains("not there"));
    let plan = Plan { standing: Standing::HandsOff, ..plan_of(&[(0, 0)]) };
    assert!(check(&small(), &plan).unwrap_err().contains("hands off"));
}
