//! What the operator does while a run is under way, from outside: it comes at its time, is told in the report, and repeats.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every form of `[[operator]]` on three hosts with room enough, under load for 50 s.
const SCENARIO: &str = r#"
seed = 3

[control]
balancer = "random"
shadows = ["least-tokens", { prequal = { probes = 2 } }]

[workload]
requests = 400
[workload.arrivals.poisson]
rate_per_second = 8.0
[workload.prompt.fixed]
tokens = 100
[workload.output.fixed]
tokens = 10

[[fleet.group]]
name = "tower"
share = 3
gpu = "rtx-4090"
models = ["llama3.1:8b"]
num_parallel = 4

[[operator]]
at_seconds = 20.5
drain = "tower-1"

[[operator]]
at_seconds = 30
undrain = "tower-1"

# Not in order of time.
[[operator]]
at_seconds = 10
set = { balancer = "least-connections", queue_requests_max = 500 }

[[operator]]
at_seconds = 34
freeze = true

[[operator]]
at_seconds = 35.5
freeze = false

[[operator]]
at_seconds = 36
rollback = true

[[operator]]
at_seconds = 37
rollback = true

[[operator]]
at_seconds = 38
set = { queue_requests_max = 600 }

[[operator]]
at_seconds = 100_000
freeze = true
"#;

/// Runs the program in a folder that holds the scenario; returns what it prints.
#[track_caller]
fn herder(folder: &Path, args: &[&str]) -> String {
    fs::write(folder.join("scenario.toml"), SCENARIO).expect("the folder can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_herder"));
    let output = command.args(args).current_dir(folder).output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "herder {}: {stderr}", args.join(" "));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rows of a table without quoted commas, by the names of its columns.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = read(path);
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().expect("a heading").collect();
    lines.map(|cells| header.iter().cloned().zip(cells).collect()).collect()
}

/// When and where each request went, and by which arm.
fn dispatches(folder: &Path) -> Vec<(f64, String, String)> {
    let rows = rows(&folder.join("requests.csv"));
    assert_eq!(rows.len(), 400);
    let went = |row: &BTreeMap<String, String>| {
        let at = row["dispatched_s"].parse().expect("all requests went to a host");
        (at, row["host"].clone(), row["arm"].clone())
    };
    rows.iter().map(went).collect()
}

#[test]
fn a_config_is_in_force_from_its_time_until_it_is_rolled_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    herder(folder.path(), &["run", "scenario.toml", "--out", "a"]);
    let mut seen = [0; 3];
    for (at, _, arm) in dispatches(&folder.path().join("a")) {
        // What is set after a rollback builds on what it went back to.
        let (part, expected) = match at {
            ..10.0 => (0, "base (random)"),
            ..36.0 => (1, "base (least-connections)"),
            _ => (2, "base (random)"),
        };
        assert_eq!(arm, expected, "at {at} s");
        seen[part] += 1;
    }
    assert!(seen.iter().all(|requests| *requests > 20), "{seen:?}");
}

#[test]
fn a_drained_host_gets_no_request_until_it_is_undrained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    herder(folder.path(), &["run", "scenario.toml", "--out", "a"]);
    let mut seen = [0; 3];
    for (at, host, _) in dispatches(&folder.path().join("a")) {
        let part = match at {
            ..20.5 => 0,
            ..30.0 => 1,
            _ => 2,
        };
        seen[part] += usize::from(host == "tower-1");
    }
    assert!(seen[0] > 0 && seen[1] == 0 && seen[2] > 0, "{seen:?}");
}

#[test]
fn what_happened_is_told_in_all_its_places() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = herder(folder.path(), &["run", "scenario.toml", "--out", "a"]);
    insta::assert_snapshot!("events", read(&folder.path().join("a/events.csv")));

    let summary: serde_json::Value =
        serde_json::from_str(&read(&folder.path().join("a/summary.json"))).expect("it is JSON");
    assert_eq!(summary["notable_events_len"], 10, "the last change comes after the run");
    assert_eq!(summary["notable_events"][0]["at_seconds"], 10.0);
    assert_eq!(summary["notable_events"][0]["kind"], "set");
    assert!(text.contains("\nEvents\n") && text.contains("nothing_to_restore"), "{text}");

    let arms = summary["arms"].as_array().expect("a list of arms");
    let names: Vec<_> = arms.iter().map(|arm| arm["arm"].as_str().expect("a name")).collect();
    let expected = ["base (random)", "shadow/least-tokens", "shadow/prequal", "base (least-connections)"];
    assert_eq!(names, expected);
    let count = |arm: usize, of: &str| arms[arm][of].as_u64().expect("a count");
    assert_eq!(count(0, "decided") + count(3, "decided"), 400);
    assert_eq!((count(1, "decided"), count(2, "decided")), (400, 400), "shadows decide all along");
    for (arm, shadow) in [false, true, true, false].into_iter().enumerate() {
        assert_eq!(arms[arm]["agreed_share"].is_number(), shadow, "{}", names[arm]);
        assert_eq!(arms[arm]["requests"]["arrived"] == 0, shadow, "{}", names[arm]);
    }
}

#[test]
fn shadows_do_not_act() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    herder(folder.path(), &["run", "scenario.toml", "--out", "with"]);
    herder(folder.path(), &["run", "scenario.toml", "--set", "control.shadows=[]", "--out", "without"]);
    for file in ["requests.csv", "hosts.csv", "timeline.csv", "events.csv"] {
        let [with, without] = ["with", "without"].map(|out| read(&folder.path().join(out).join(file)));
        assert!(with == without, "{file} differs");
    }
}

#[test]
fn both_engines_and_the_resolved_scenario_give_the_same_bytes_and_the_log_replays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    herder(folder.path(), &["run", "scenario.toml", "--out", "a", "--log"]);
    herder(folder.path(), &["run", "scenario.toml", "--out", "b", "--log", "--engine", "stepwise"]);
    herder(folder.path(), &["run", "a/scenario.resolved.toml", "--out", "c", "--log"]);
    for other in ["b", "c"] {
        for file in ["requests.csv", "events.csv", "summary.json", "scenario.resolved.toml"] {
            let [one, other] = ["a", other].map(|out| read(&folder.path().join(out).join(file)));
            assert!(one == other, "{file} differs");
        }
    }
    let text = herder(folder.path(), &["replay", "a/decisions"]);
    assert!(text.contains("same decisions"), "{text}");
}

#[test]
fn arms_are_not_told_apart_where_there_is_only_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    herder(folder.path(), &["run", "default", "--set", "workload.requests=50", "--out", "a"]);
    let header = read(&folder.path().join("a/requests.csv"));
    assert!(header.lines().next().is_some_and(|header| !header.ends_with(",arm")));
    assert_eq!(read(&folder.path().join("a/events.csv")).lines().count(), 1, "nothing but the heading");
    assert!(!read(&folder.path().join("a/summary.json")).contains("\"arms\""));
}
