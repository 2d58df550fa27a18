use control::request::Outcome;
use serde_json::Value;
use traces::record::HostTime;

use super::*;
use crate::machine::{Execution, Stopwatch, joined_json, pretty_json};
use crate::made_up::{
    MILLI, ended, finished, info, info_by_arm, metrics, metrics_by_arm, power, sample, spec,
};
use crate::number::Figure;

fn summary() -> Summary {
    metrics().summary(&info(), &sample(10))
}

#[test]
fn summary_json_is_as_it_was() {
    insta::assert_snapshot!(pretty_json(&summary()));
}

/// Others script these: they never go, and never change their names.
#[test]
fn the_joined_object_has_the_keys_that_were_promised() {
    let machine = Stopwatch::start().stop(Execution { engine: "coalesced".into(), ..Execution::default() });
    let text = joined_json(&summary(), &machine);
    let value: Value = serde_json::from_str(&text).unwrap();
    for key in [
        "digest",
        "seed",
        "output_tokens_per_second",
        "goodput_per_second",
        "model_loads",
        "evictions",
        "simulated_seconds",
        "wall_seconds",
        "cpu_seconds",
        "events",
        "peak_memory_bytes",
        "threads",
        "engine",
    ] {
        assert!(!value[key].is_null(), "{key}");
    }
    for key in ["arrived", "finished", "rejected", "failed", "cancelled", "unfinished"] {
        assert!(value["requests"][key].is_u64(), "{key}");
    }
    for latency in ["ttft_ms", "tpot_ms", "e2e_ms"] {
        for key in ["mean", "p50", "p90", "p95", "p99", "max"] {
            assert!(value[latency][key].is_number(), "{latency}.{key}");
        }
    }
    let top_level: Vec<&str> = text.lines().filter(|line| line.starts_with("  \"")).collect();
    let mut names: Vec<&str> = top_level.iter().filter_map(|line| line.split('"').nth(1)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "no key of the two files has the other's name");
}

#[test]
fn quantiles_over_all_are_infinite_where_too_many_did_not_finish() {
    let of_all = |finished_len: u64, ended_len: u64| {
        let mut metrics = Metrics::new(spec());
        (0..finished_len).for_each(|id| metrics.record(&finished(id, 100, 100, 2)));
        (0..ended_len).for_each(|id| metrics.record(&ended(id, Outcome::Cancelled)));
        let ttft = metrics.summary(&info(), &sample(1)).ttft_ms;
        [ttft.p95_all, ttft.p99_all]
    };
    let (finite, infinite) = (Some(Figure::Finite(100.0)), Some(Figure::Infinite));
    assert_eq!(of_all(99, 1), [finite, finite]);
    assert_eq!(of_all(98, 2), [finite, infinite]);
    assert_eq!(of_all(95, 5), [finite, infinite]);
    assert_eq!(of_all(94, 6), [infinite, infinite]);
    assert_eq!(of_all(0, 1), [infinite, infinite]);
    assert_eq!(of_all(0, 0), [None, None]);
}

#[test]
fn an_empty_run_has_no_figures_but_counts() {
    let summary = Metrics::new(spec()).summary(&RunInfo::default(), &Sample::default());
    let value = serde_json::to_value(&summary).unwrap();
    assert_eq!(value["requests"]["arrived"], 0);
    assert!(value["ttft_ms"]["mean"].is_null() && value["tpot_ms"]["p99"].is_null());
    assert_eq!(value["goodput_per_second"], 0.0);
    assert!(value["gpu_busy_share"].is_null());
}

#[test]
fn hosts_with_work_come_first_and_rows_are_bounded() {
    let mut last = sample(10);
    last.hosts =
        (0..200).map(|id| HostSample { host: control::ids::HostId(id), ..HostSample::default() }).collect();
    last.hosts[150].busy_nanos = 5;
    let summary = metrics().summary(&info(), &last);
    assert_eq!((summary.hosts_len, summary.hosts.len()), (200, ROWS_MAX));
    assert_eq!(summary.hosts[0].host, "host-150");
    assert!(summary.hosts[1].requests > 0);
}

#[test]
fn a_host_that_was_never_sampled_still_has_its_row() {
    let rows = metrics().host_rows(&info(), &Sample::default());
    assert_eq!(rows.iter().map(|row| row.host.as_str()).collect::<Vec<_>>(), ["alpha", "beta", "host-2"]);
    assert!(rows.iter().all(|row| row.requests > 0 && row.busy_nanos == 0));
}

#[test]
fn arms_have_rows_only_where_they_are_told_apart() {
    let by_arm = metrics_by_arm().summary(&info_by_arm(), &sample(10));
    let value = serde_json::to_value(&by_arm).unwrap();
    insta::assert_snapshot!(pretty_json(&(&by_arm.arms, &by_arm.notable_events)));
    assert_eq!(value["notable_events_len"], 2);
    let plain = serde_json::to_value(summary()).unwrap();
    assert!(plain.get("arms").is_none(), "no key without arms");
}

#[test]
fn only_a_shadow_agrees() {
    let arms = metrics_by_arm().summary(&info_by_arm(), &sample(10)).arms;
    assert_eq!(arms.iter().map(|arm| arm.agreed_share).collect::<Vec<_>>(), [None, Some(0.416_667), None]);
    assert_eq!(arms.iter().map(|arm| arm.requests.arrived).collect::<Vec<_>>(), [8, 0, 4]);
}

#[test]
fn energy_of_the_hosts_adds_up_to_that_of_the_fleet() {
    let run = RunInfo { fleet: FleetInfo { power: Some(power()), ..FleetInfo::default() }, ..info() };
    let energy = metrics().summary(&run, &sample(10)).energy.expect("what hosts draw is known");
    // 40 W over 10 + 9 + 8 s, 260 W more over 0 + 3 + 6 s of computing: 3,420 J, for 129 tokens.
    assert_eq!((energy.kwh, energy.idle_kwh), (0.000_95, 0.000_3));
    assert_eq!(energy.joules_per_token, Some(26.511_628));
    let rows = metrics().host_rows(&run, &sample(10));
    let sum: f64 = rows.iter().map(|row| row.energy_kwh.expect("a figure for each host")).sum();
    assert!((sum - energy.kwh).abs() < 2e-9, "{sum} beside {}", energy.kwh);
    assert!(summary().energy.is_none() && summary().hosts.iter().all(|row| row.energy_kwh.is_none()));
}

#[test]
fn hosts_with_a_price_have_a_cost_whether_they_scale_or_not() {
    let hour = 3_600_000 * u128::from(MILLI);
    let priced = HostTime {
        on_max: 2,
        on_nanos: 2 * hour,
        all_nanos: 2 * hour,
        cost_cent_nanos: 2 * 150 * hour,
        all_cost_cent_nanos: 2 * 150 * hour,
        ..HostTime::default()
    };
    let run = RunInfo { fleet: FleetInfo { host_time: priced, ..FleetInfo::default() }, ..info() };
    let hours = metrics().summary(&run, &sample(10)).host_hours.expect("hosts have a price");
    assert_eq!((hours.standby, hours.cost, hours.all_cost), (0, Some(3.0), Some(3.0)));
}
