use std::time::Duration;

use super::*;
use crate::bench::fit::Complexity;
use crate::bench::measure::Measured;
use crate::bench::record::{Noise, records};
use crate::bench::select;

/// Times in nanoseconds of both forms at three scales; the optimised form is ahead from 100 on.
const TIMES: [(u64, f64, f64); 3] =
    [(10, 30.0, 60.0), (1_000, 2_000.0, 1_000.0), (10_000, 20_000.0, 2_000.0)];

fn measured(each: f64) -> Measured {
    Measured {
        samples: vec![each; 10],
        batch: 4,
        cpu_nanos: vec![each; 5],
        wall_nanos: vec![each; 5],
        clock: component().clock,
        operations: 40,
        checked: 9,
        wall: Duration::from_nanos((each * 40.0) as u64),
        cpu: Duration::from_nanos((each * 40.0) as u64),
        allocations: Some(60),
        live_bytes: Some(2_000),
        memory_bytes: Some(4_096),
        counted: vec![each / 10.0; 5],
    }
}

fn scales() -> Vec<AtScale> {
    let at = |(scale, baseline, optimised)| AtScale {
        scale,
        timestamp: "2026-01-31T12:00:00Z".into(),
        forms: [measured(baseline), measured(optimised)],
    };
    TIMES.map(at).into()
}

fn component() -> Component {
    select(&["priority-queue".into()]).expect("there is one").remove(0)
}

/// The fields of a record, in the order of columns.
const FIELDS: [&str; 42] = [
    "name",
    "component",
    "implementation",
    "form",
    "operation",
    "scale",
    "scale_of",
    "operations_per_second",
    "mean_nanos",
    "p50_nanos",
    "p95_nanos",
    "p99_nanos",
    "operations_per_sample",
    "cpu_nanos",
    "time_nanos",
    "time_of",
    "cpu_use",
    "memory_bytes",
    "memory_bytes_per_unit",
    "live_bytes",
    "live_bytes_per_unit",
    "allocations_per_operation",
    "complexity_claimed",
    "complexity_measured",
    "complexity_basis",
    "counted_per_operation",
    "time_exponent",
    "time_exponent_low",
    "time_exponent_high",
    "baseline_operations_per_second",
    "improvement_factor",
    "improvement_percent",
    "noise_percent",
    "gain_least_percent",
    "verdict",
    "crossover",
    "timestamp",
    "duration_seconds",
    "iterations",
    "checked_operations",
    "seeds",
    "tolerance",
];

#[test]
fn rows_and_objects_have_the_same_fields_all_filled() {
    let records = records(&component(), &scales(), Noise::NONE);
    let text = String::from_utf8(csv(&records).unwrap()).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap(), FIELDS.join(","));
    assert_eq!(lines.count(), TIMES.len() * 2);
    let objects: Vec<serde_json::Value> = serde_json::from_str(&pretty_json(&records)).unwrap();
    for object in &objects {
        let object = object.as_object().unwrap();
        assert_eq!(object.len(), FIELDS.len());
        for field in FIELDS {
            assert!(!object[field].is_null(), "{field} is empty");
        }
    }
}

#[test]
fn figures_of_a_record_follow_from_what_was_measured() {
    let records = records(&component(), &scales(), Noise::NONE);
    let last = records.last().unwrap();
    assert_eq!(last.name, "priority-queue/optimised/10000");
    assert_eq!((last.operations_per_second, last.baseline_operations_per_second), (500_000.0, 50_000.0));
    assert_eq!((last.improvement_factor, last.improvement_percent), (10.0, 900.0));
    assert_eq!(
        (last.time_of, last.live_bytes_per_unit, last.gain_least_percent.round()),
        ("cpu time", Some(0.2), 5.0)
    );
    assert_eq!((last.cpu_use, last.allocations_per_operation), (1.0, Some(1.5)));
    assert_eq!((last.counted_per_operation, last.complexity_basis), (Some(200.0), "comparisons of keys"));
    assert_eq!(records[4].complexity_measured, Some(Complexity::Linear));
    // Twice as slow at 10, twice as fast at 1,000: even at 100.
    assert_eq!(last.crossover, Crossover::At(100));
}

#[test]
fn a_plot_has_both_forms_and_the_crossover() {
    let dir = tempfile::tempdir().unwrap();
    write_plot(dir.path(), &component(), &scales(), Noise::NONE).unwrap();
    let svg = std::fs::read_to_string(dir.path().join("priority-queue.svg")).unwrap();
    for part in
        ["baseline: a sorted vector", "optimised: an indexed heap", "wins from about 100", "queued requests"]
    {
        assert!(svg.contains(part), "{part}");
    }
    assert!(dir.path().join("priority-queue.png").is_file());
}
