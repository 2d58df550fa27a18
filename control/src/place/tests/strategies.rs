//! What each strategy is for.

use super::*;

fn with(kind: PlacementKind, parameters: &[(&str, i64)]) -> Chosen<PlacementKind> {
    let line = ALL.iter().find(|line| line.0 == kind).unwrap();
    let parameters = parameters.iter().map(|(name, value)| ((*name).into(), *value)).collect();
    choose("placement.strategy", &StrategyFile { name: line.1.name.into(), parameters }, ALL).unwrap()
}

/// Every strategy but the one that plans nothing.
fn planners() -> impl Iterator<Item = PlacementKind> {
    ALL.iter().map(|line| line.0).filter(|kind| *kind != PlacementKind::OnDemand)
}

/// Host of each replica of a model.
fn hosts_of(plan: &Plan, model: u32) -> Vec<u32> {
    places(plan).into_iter().filter(|place| place.1 == model).map(|place| place.0).collect()
}

#[test]
fn on_demand_says_nothing() {
    let mut problem = problem(vec![host(0, 24)], vec![model(0, 10, 900)]);
    problem.models[0].limits.min = 1;
    let plan = planned(PlacementKind::OnDemand, &problem);
    assert_eq!((plan.standing, places(&plan)), (Standing::HandsOff, vec![]));
}

#[test]
fn a_young_replica_stays_and_an_old_one_makes_room() {
    // The one host has room for one of both; nobody asks for model 0, and model 1 must be somewhere.
    for kind in planners() {
        let mut problem = problem(vec![host(0, 24)], vec![model(0, 20, 0), model(1, 20, 900)]);
        problem.models[1].limits.min = 1;
        problem.loaded = vec![resident(0, 0, 59)];
        let plan = planned(kind, &problem);
        assert_eq!(places(&plan), [(0, 0)], "{kind:?}");
        let missing = Unmet { model: ModelId(1), demand: Demand::Minimum(1), why: Hindrance::Full };
        assert_eq!(plan.unmet, [missing], "{kind:?}");
        problem.loaded = vec![resident(0, 0, 60)];
        assert_eq!(places(&planned(kind, &problem)), [(0, 1)], "{kind:?}");
    }
}

#[test]
fn what_is_loaded_stays_while_nobody_needs_the_room() {
    for kind in planners() {
        let mut problem = problem(vec![host(0, 24), host(1, 24)], vec![model(0, 10, 0), model(1, 10, 100)]);
        problem.models[1].limits.max = 1;
        problem.loaded = vec![resident(1, 0, 500), resident(1, 1, 500)];
        assert_eq!(places(&planned(kind, &problem)), [(1, 0), (1, 1)], "{kind:?}");
    }
}

#[test]
fn a_model_larger_than_its_host_stays_where_it_is_alone() {
    for kind in planners() {
        let mut problem = problem(vec![host(0, 24), host(1, 24)], vec![model(0, 30, 100), model(1, 10, 0)]);
        problem.models[0].limits.min = 2;
        problem.loaded = vec![resident(0, 0, 500)];
        let plan = planned(kind, &problem);
        assert_eq!(hosts_of(&plan, 0), [0], "{kind:?}");
        let missing = Unmet { model: ModelId(0), demand: Demand::Minimum(1), why: Hindrance::TooLarge };
        assert_eq!(plan.unmet, [missing], "{kind:?}");
    }
}

#[test]
fn demands_that_cannot_be_met_are_told_with_what_is_in_the_way() {
    let mut problem = problem(vec![host(0, 24), host(1, 24)], (0..4).map(|id| model(id, 20, 0)).collect());
    problem.hosts[1].open = false;
    problem.models[0].pinned = vec![HostId(0), HostId(1), HostId(9)];
    problem.models[1].limits.min = 1;
    problem.models[2] = Model { apart_from: vec![ModelId(0)], memory: Bytes::from_gib(2), ..model(2, 2, 0) };
    problem.models[2].limits.min = 1;
    problem.models[3] = Model { memory: Bytes::from_gib(2), pinned: vec![HostId(0)], ..model(3, 2, 0) };
    problem.models[3].limits = Limits { min: 2, target: None, max: 1 };
    let told: Vec<_> = planned(PlacementKind::Static, &problem)
        .unmet
        .into_iter()
        .map(|unmet| (unmet.model.0, unmet.demand, unmet.why))
        .collect();
    assert_eq!(
        told,
        [
            (0, Demand::Pinned(HostId(1)), Hindrance::NoHost),
            (0, Demand::Pinned(HostId(9)), Hindrance::NoHost),
            (1, Demand::Minimum(1), Hindrance::Full),
            (2, Demand::Minimum(1), Hindrance::Apart),
            (3, Demand::Minimum(1), Hindrance::Limit),
        ]
    );
}

#[test]
fn static_replicas_stay_where_they_are_whatever_the_load() {
    let mut problem =
        problem((0..4).map(|id| host(id, 24)).collect(), vec![model(0, 10, 0), model(1, 20, 0)]);
    problem.models[0].limits = Limits { min: 1, target: Some(2), max: 3 };
    problem.models[1].pinned = vec![HostId(2)];
    let first = planned(PlacementKind::Static, &problem);
    let whys: Vec<_> =
        first.replicas.iter().map(|replica| (replica.host.0, replica.model.0, replica.why)).collect();
    assert_eq!(whys, [(0, 0, Why::Minimum), (1, 0, Why::Target), (2, 1, Why::Pinned)]);
    problem.loaded = vec![resident(3, 0, 500), resident(1, 0, 500), resident(2, 1, 500)];
    problem.models[0].arrivals_micros = 90_000_000;
    assert_eq!(places(&planned(PlacementKind::Static, &problem)), [(1, 0), (2, 1), (3, 0)]);
}

#[test]
fn popularity_gives_each_model_its_share_of_the_memory() {
    // Loads of 3 to 1, four hosts with room for two each.
    let mut problem =
        problem((0..4).map(|id| host(id, 24)).collect(), vec![model(0, 10, 300), model(1, 10, 100)]);
    let kind = with(PlacementKind::Popularity, &[("fill_percent", 84)]);
    let found = plan(&kind, &problem);
    assert_eq!(hosts_of(&found, 0).len() + hosts_of(&found, 1).len(), 6, "one on each host is the most");
    problem.models[0].limits.max = 2;
    problem.models[1].arrivals_micros = 0;
    let limited = plan(&kind, &problem);
    assert_eq!((hosts_of(&limited, 0).len(), hosts_of(&limited, 1).len()), (2, 0));
    let wide = problem_of_ten_hosts(&[300, 100]);
    let shared = plan(&with(PlacementKind::Popularity, &[("fill_percent", 100)]), &wide);
    assert_eq!((hosts_of(&shared, 0).len(), hosts_of(&shared, 1).len()), (8, 2));
}

/// Ten hosts with room for one replica each.
fn problem_of_ten_hosts(arrivals_millis: &[u64]) -> Problem {
    let models = (0..).zip(arrivals_millis).map(|(id, arrivals)| model(id, 10, *arrivals)).collect();
    problem((0..10).map(|id| host(id, 10)).collect(), models)
}

#[test]
fn greedy_places_where_loaded_then_on_disk_then_where_it_fits_best() {
    let mut problem =
        problem(vec![host(0, 80), host(1, 24), host(2, 48), host(3, 80)], vec![model(0, 10, 100)]);
    assert_eq!(places(&planned(PlacementKind::Greedy, &problem)), [(1, 0)], "the least memory is left");
    problem.hosts[2].stored = vec![ModelId(0)];
    assert_eq!(places(&planned(PlacementKind::Greedy, &problem)), [(2, 0)], "it need not be pulled");
    problem.loaded = vec![resident(3, 0, 500)];
    assert_eq!(places(&planned(PlacementKind::Greedy, &problem)), [(3, 0)], "it need not be loaded");
}

#[test]
fn greedy_adds_replicas_with_the_load_and_only_while_they_pay() {
    let replicas = |arrivals_millis| {
        hosts_of(&planned(PlacementKind::Greedy, &problem_of_ten_hosts(&[arrivals_millis])), 0).len()
    };
    // Five seconds of load in a horizon of 300: not for one request in ten minutes.
    assert_eq!((replicas(0), replicas(1), replicas(100)), (0, 0, 1));
    // Four busy slots need more than two replicas of two; a fifth saves the wait of 1/19 request, a sixth of 1/185, and a load
    // costs that of 1/60.
    assert_eq!((replicas(1_000), replicas(2_000), replicas(99_000)), (5, 8, 10));
}

#[test]
fn replicas_are_spread_over_zones_before_they_share_one() {
    for kind in planners() {
        let zone = |id: u32, zone| Host { zone, ..host(id, 24) };
        let mut problem = problem(vec![zone(0, 7), zone(1, 7), zone(2, 9)], vec![model(0, 10, 0)]);
        problem.models[0].limits = Limits { min: 2, target: None, max: 2 };
        problem.models[0].zones_min = 2;
        problem.loaded = vec![resident(0, 0, 500), resident(1, 0, 500)];
        assert_eq!(hosts_of(&planned(kind, &problem), 0), [0, 2], "{kind:?}");
        problem.hosts[2].memory = Bytes::from_gib(9);
        assert_eq!(
            places(&planned(kind, &problem)),
            [(0, 0), (1, 0)],
            "{kind:?}: the other zone has no room"
        );
    }
}

#[test]
fn packers_choose_among_hosts_as_they_are_named() {
    // A model that is pinned takes half of host 2 and keeps its slots busy; the other is placed.
    let mut problem = problem(
        vec![host(0, 60), host(1, 80), host(2, 50), host(3, 64)],
        vec![model(0, 22, 300), model(1, 20, 100), model(2, 50, 0)],
    );
    problem.models[0].pinned = vec![HostId(2)];
    problem.models[2].pinned = vec![HostId(1)];
    let host_of = |kind| hosts_of(&planned(kind, &problem), 1);
    assert_eq!(host_of(PlacementKind::FirstFit), [0]);
    assert_eq!(host_of(PlacementKind::BestFit), [2]);
    assert_eq!(host_of(PlacementKind::WorstFit), [3]);
    assert_eq!(host_of(PlacementKind::Balanced), [0], "nothing is used there, as on host 3");
}

#[test]
fn packers_place_as_many_as_keep_slots_at_most_so_busy() {
    // 4 busy slots, two slots a replica.
    let replicas = |percent| {
        let chosen = with(PlacementKind::FirstFit, &[("utilisation_percent", percent)]);
        hosts_of(&plan(&chosen, &problem_of_ten_hosts(&[1_000])), 0).len()
    };
    assert_eq!((replicas(100), replicas(70), replicas(50), replicas(10)), (2, 3, 4, 10));
}

#[test]
fn prefetch_loads_what_is_expected() {
    let mut problem = problem_of_ten_hosts(&[0, 400]);
    problem.models[0].forecast_micros = Some(400_000);
    problem.models[1].forecast_micros = Some(0);
    assert_eq!(hosts_of(&planned(PlacementKind::Greedy, &problem), 0).len(), 0);
    let count = |percent| {
        let found = plan(&with(PlacementKind::Prefetch, &[("forecast_percent", percent)]), &problem);
        (hosts_of(&found, 0).len(), hosts_of(&found, 1).len())
    };
    let most = hosts_of(&planned(PlacementKind::Greedy, &problem), 1).len();
    assert_eq!((count(0), count(100)), ((most, most), (most, 0)), "the larger of both; the forecast alone");
    let (half, other) = count(50);
    assert!(half == other && (1..=most).contains(&half), "both count half");
}

/// Ten hosts, all taken by a model that nobody asks for.
fn misused() -> Problem {
    let mut problem = problem_of_ten_hosts(&[0, 2_000]);
    problem.loaded = (0..10).map(|id| resident(id, 0, 500)).collect();
    problem
}

#[test]
fn rebalance_makes_the_best_moves_and_no_more_than_it_may() {
    let moved = |parameters: &[(&str, i64)]| {
        hosts_of(&plan(&with(PlacementKind::Rebalance, parameters), &misused()), 1).len()
    };
    assert_eq!(moved(&[("moves_max", 1)]), 1);
    assert_eq!(moved(&[("moves_max", 3)]), 3);
    // Each server short of the load saves an eighth at first; the fifth replica makes the queue stable.
    assert_eq!(moved(&[("moves_max", 10), ("hysteresis_percent", 50)]), 0);
    let free = moved(&[("moves_max", 10), ("hysteresis_percent", 0)]);
    assert!((5..10).contains(&free), "{free} replicas, until none is worth its load");
}

#[test]
fn rebalance_moves_a_replica_aside_for_one_that_fits_nowhere_else() {
    let mut problem = problem(vec![host(0, 24), host(1, 12)], vec![model(0, 10, 100), model(1, 20, 100)]);
    problem.loaded = vec![resident(0, 0, 500)];
    assert_eq!(places(&planned(PlacementKind::Rebalance, &problem)), [(0, 1), (1, 0)]);
}

#[test]
fn exact_says_whether_it_was_cut_short() {
    let problem = problem_of_ten_hosts(&[1_000, 500, 200, 100]);
    let standing = |nodes| plan(&small_exact(nodes), &problem).standing;
    assert_eq!((standing(1), standing(100_000)), (Standing::CutShort, Standing::Exact));
}

#[test]
fn plans_are_the_same_again_and_keep_what_they_loaded() {
    for kind in planners() {
        let mut problem = problem_of_ten_hosts(&[1_000, 500, 200, 100]);
        let first = planned(kind, &problem);
        assert_eq!(first, planned(kind, &problem), "{kind:?}");
        problem.loaded =
            first.replicas.iter().map(|replica| resident(replica.host.0, replica.model.0, 500)).collect();
        let then = places(&planned(kind, &problem));
        let gone = places(&first).into_iter().filter(|place| !then.contains(place)).count();
        assert_eq!(gone, 0, "{kind:?} takes back what it asked for");
    }
}

#[test]
fn a_surge_that_is_only_forecast_renews_the_plan_of_those_who_go_by_the_forecast() {
    let mut problem = problem(vec![host(0, 40), host(1, 40)], vec![model(0, 40, 100)]);
    let before = planned(PlacementKind::Prefetch, &problem);
    problem.models[0].forecast_micros = Some(3_000_000);
    let ahead = planned(PlacementKind::Prefetch, &problem);
    assert!(ahead.replicas.len() > before.replicas.len());
    let replaces = |kind| replaces(&chosen(kind), &problem, &ahead, &before, 10);
    assert!(replaces(PlacementKind::Prefetch));
    assert!(!replaces(PlacementKind::Greedy));
}
