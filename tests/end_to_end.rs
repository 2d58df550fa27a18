//! The whole program from outside: what it writes, that it repeats itself, how it ends.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const BUILT_IN: &[&str] =
    &["default", "chat", "more-models-than-vram", "fleet-1000", "azure-conv", "peer-8xa100"];

/// What every run with `--out` leaves behind.
const FILES: &[&str] = &[
    "requests.csv",
    "hosts.csv",
    "timeline.csv",
    "events.csv",
    "summary.json",
    "machine.json",
    "scenario.resolved.toml",
    "report.html",
];

fn herder(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_herder"));
    command.args(args).current_dir(folder).output().expect("the program starts")
}

#[track_caller]
fn done(folder: &Path, args: &[&str]) -> String {
    let output = herder(folder, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "herder {}: {stderr}", args.join(" "));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

#[track_caller]
fn json(folder: &Path, args: &[&str]) -> serde_json::Value {
    let text = done(folder, args);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// All files below a folder with their bytes, but for the one that may differ.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            let name = path.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name != "machine.json" {
                files.insert(name, fs::read(&path).expect("the file can be read"));
            }
        }
    }
    files
}

#[track_caller]
fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (contents(a), contents(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "{name} differs");
    }
}

#[test]
fn every_built_in_runs_and_accounts_for_all_its_requests() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in BUILT_IN {
        let summary = json(folder.path(), &["run", name, "--set", "workload.requests=300", "--json"]);
        let requests = &summary["requests"];
        let count =
            |key: &str| requests[key].as_u64().unwrap_or_else(|| panic!("{name}: {key} in {requests}"));
        assert_eq!(count("arrived"), 300, "{name}");
        let ended = count("finished")
            + count("rejected")
            + count("failed")
            + count("cancelled")
            + count("unfinished");
        assert_eq!(ended, 300, "{name}: {requests}");
        assert!(count("finished") > 200, "{name}: {requests}");
        assert_eq!(count("unfinished"), 0, "{name}: a run drains");
    }
}

#[test]
fn json_has_the_keys_that_others_script_against() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let summary = json(folder.path(), &["run", "--set", "workload.requests=200", "--seed", "5", "--json"]);
    assert_eq!(summary["seed"], 5);
    assert!(summary["digest"].is_string());
    for key in ["arrived", "finished", "rejected", "failed", "cancelled", "unfinished"] {
        assert!(summary["requests"][key].is_u64(), "requests.{key}: {}", summary["requests"]);
    }
    for latency in ["ttft_ms", "tpot_ms", "e2e_ms"] {
        for key in ["mean", "p50", "p90", "p95", "p99", "max"] {
            assert!(summary[latency][key].is_number(), "{latency}.{key}: {}", summary[latency]);
        }
    }
    for key in [
        "output_tokens_per_second",
        "goodput_per_second",
        "model_loads",
        "evictions",
        "simulated_seconds",
        "wall_seconds",
        "cpu_seconds",
        "events",
        "peak_memory_bytes",
    ] {
        assert!(summary[key].is_number(), "{key}: {}", summary[key]);
    }
}

#[test]
fn same_seed_gives_the_same_bytes_whatever_the_threads_and_engine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |out: &str, extra: &[&str]| {
        let mut args = vec!["run", "--set", "workload.requests=400", "--out", out, "--log"];
        args.extend(extra);
        done(folder.path(), &args)
    };
    run("a", &[]);
    for file in FILES {
        assert!(folder.path().join("a").join(file).is_file(), "{file} is missing");
    }
    assert!(folder.path().join("a/decisions").is_dir());
    let plots = contents(&folder.path().join("a"));
    assert!(plots.keys().any(|name| name.ends_with(".svg")), "{:?}", plots.keys());
    assert!(plots.keys().any(|name| name.ends_with(".png")), "{:?}", plots.keys());

    run("b", &["--threads", "1"]);
    assert_same(&folder.path().join("a"), &folder.path().join("b"));
    run("c", &["--threads", "2"]);
    assert_same(&folder.path().join("a"), &folder.path().join("c"));
    run("d", &["--engine", "stepwise"]);
    assert_same(&folder.path().join("a"), &folder.path().join("d"));
}

/// What a run with placement or a registry leaves behind besides.
const FILES_OF_MODELS: &[&str] = &[
    "links.csv",
    "layers.csv",
    "transfers.csv",
    "residency.csv",
    "replicas.svg",
    "replicas.png",
    "transfers.svg",
    "transfers.png",
];

/// The rows of a table below its header, as fields: for tables without a quoted field.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).expect("the table can be read");
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn tables_of_models_are_there_where_models_move_and_agree_with_the_summary() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulated/models-on-hosts.toml");
    let run = |out: &str, args: &[&str]| done(folder.path(), &[&["run", "--out", out][..], args].concat());
    run("moved", &[scenario]);
    run("again", &[scenario, "--threads", "2", "--engine", "stepwise"]);
    let (moved, again) = (folder.path().join("moved"), folder.path().join("again"));
    assert_same(&moved, &again);
    run("plain", &["--set", "workload.requests=50"]);
    let (moved_files, plain_files) = (contents(&moved), contents(&folder.path().join("plain")));
    for file in FILES_OF_MODELS {
        assert!(moved_files.contains_key(*file) && !plain_files.contains_key(*file), "{file}");
    }

    let summary: serde_json::Value = serde_json::from_slice(&moved_files["summary.json"]).expect("JSON");
    let bytes = summary["moved"]["registry_bytes"].as_u64().expect("a number");
    let sum = |file: &str, columns: &[usize]| {
        let number =
            |row: &Vec<String>| columns.iter().map(|at| row[*at].parse::<u64>().unwrap()).sum::<u64>();
        rows(&moved.join(file)).iter().map(number).sum::<u64>()
    };
    assert!(bytes > 0);
    assert_eq!(sum("layers.csv", &[2, 3]), bytes);
    assert_eq!(sum("transfers.csv", &[2, 3, 4]), bytes);
    assert_eq!(sum("links.csv", &[3]), 2 * bytes, "out of the registry and into hosts");

    let replicas: BTreeMap<String, u64> = rows(&moved.join("residency.csv"))
        .into_iter()
        .map(|row| (row[2].clone(), row[4].parse().expect("a count")))
        .collect();
    let last = rows(&moved.join("timeline.csv")).pop().expect("a sample");
    assert_eq!(replicas.values().sum::<u64>().to_string(), last[8], "the replicas of the last sample");
}

#[test]
fn another_seed_gives_another_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let digest = |seed: &str| {
        let args = ["run", "--set", "workload.requests=200", "--seed", seed, "--json"];
        json(folder.path(), &args)["digest"].clone()
    };
    assert_ne!(digest("1"), digest("2"));
    assert_eq!(digest("3"), digest("3"));
}

#[test]
fn stepwise_and_coalesced_agree_on_every_built_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in BUILT_IN {
        let digest = |engine: &str| {
            let args = ["run", name, "--set", "workload.requests=150", "--engine", engine, "--json"];
            json(folder.path(), &args)["digest"].clone()
        };
        assert_eq!(digest("coalesced"), digest("stepwise"), "{name}");
    }
}

#[test]
fn resolved_scenario_repeats_the_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let args = [
        "run",
        "chat",
        "--set",
        "workload.requests=200",
        "--set",
        "control.balancer=least-tokens",
        "--seed",
        "9",
    ];
    done(folder.path(), &[&args[..], &["--out", "a"]].concat());
    done(folder.path(), &["run", "a/scenario.resolved.toml", "--out", "b"]);
    assert_same(&folder.path().join("a"), &folder.path().join("b"));
}

#[test]
fn log_of_a_run_replays_to_the_same_decisions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    done(folder.path(), &["run", "--set", "workload.requests=300", "--out", "a", "--log"]);
    let text = done(folder.path(), &["replay", "a/decisions"]);
    assert!(text.contains("same"), "{text}");
}

#[test]
fn a_log_is_a_trace_that_repeats_the_run_and_answers_what_if() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A trace begins at its first arrival, so that polls come at other times: here nothing is decided by what they tell.
    let run = |rest: &[&str]| {
        json(folder.path(), &[&["run", "--json", "--set", "control.cold_models_max=0"], rest].concat())
    };
    let first = run(&["--set", "workload.requests=800", "--out", "a", "--log"]);
    let again = run(&["--trace", "a/decisions"]);
    assert_eq!(again["requests"]["finished"], 800);
    assert_eq!(first["ttft_ms"], again["ttft_ms"], "the same arrivals meet the same fleet");
    let other = run(&["--trace", "a/decisions", "--set", "control.balancer=random"]);
    assert_eq!(other["requests"]["arrived"], 800);
    assert_ne!(other["ttft_ms"], first["ttft_ms"]);
    let text = done(folder.path(), &["trace", "inspect", "a/decisions"]);
    assert!(text.contains("(decisions)") && text.contains("rows              800"), "{text}");
}

/// The groups of the default scenario.
const GROUPS: usize = 6;

#[test]
fn measured_hosts_are_balanced_by_either_engine_and_replayed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let metrics: Vec<String> =
        (0..GROUPS).map(|group| format!("fleet.group[{group}].metrics=true")).collect();
    let mut sets = vec!["workload.requests=300", "control.balancer=resource-aware"];
    sets.extend(metrics.iter().map(String::as_str));
    let run = |rest: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let args: Vec<&str> = ["run", "--json"].into_iter().chain(sets).chain(rest.iter().copied()).collect();
        json(folder.path(), &args)
    };
    let coalesced = run(&["--out", "a", "--log"]);
    assert_eq!(coalesced["requests"]["arrived"], 300);
    assert!(coalesced["requests"]["finished"].as_u64() > Some(200), "{}", coalesced["requests"]);
    assert_eq!(coalesced["digest"], run(&["--engine", "stepwise"])["digest"]);
    let text = done(folder.path(), &["replay", "a/decisions"]);
    assert!(text.contains("same"), "{text}");
}

#[test]
fn a_log_of_the_oracle_replays_and_others_hold_no_hint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let busy = [
        "run",
        "--json",
        "--set",
        "workload.requests=400",
        "--set",
        "workload.arrivals.daily.mean_rate_per_second=9",
    ];
    let digest = |scheduler: &str, rest: &[&str]| {
        let set = format!("control.scheduler={scheduler}");
        json(folder.path(), &[&busy[..], &["--set", &set], rest].concat())["digest"].clone()
    };
    let oracle = digest("oracle-shortest-job", &["--out", "a", "--log"]);
    assert_eq!(oracle, digest("oracle-shortest-job", &["--engine", "stepwise"]));
    assert_ne!(oracle, digest("shortest-job", &["--out", "b", "--log"]));
    for log in ["a/decisions", "b/decisions"] {
        let text = done(folder.path(), &["replay", log]);
        assert!(text.contains("same"), "{text}");
        let mut hints = 0;
        for record in traces::log::LogReader::open(&folder.path().join(log)).expect("a log") {
            let payload = record.expect("a whole record").payload;
            let record = control::log::Record::decode(&payload).expect("a record");
            if let control::log::Record::Step { input, .. } = record
                && let control::door::Input::Arrive(arrive) = &*input
            {
                hints += u64::from(arrive.hint_output_tokens.is_some());
            }
        }
        assert_eq!(hints, if log.starts_with('a') { 400 } else { 0 }, "{log}");
    }
}

#[test]
fn trace_made_in_azures_format_is_replayed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    done(
        folder.path(),
        &["trace", "generate", "--format", "azure", "--requests", "250", "--out", "azure.csv"],
    );
    let text = done(folder.path(), &["trace", "inspect", "azure.csv"]);
    assert!(text.contains("250"), "{text}");
    let summary = json(folder.path(), &["run", "--trace", "azure.csv", "--rate", "2", "--json"]);
    assert_eq!(summary["requests"]["arrived"], 250);
}

#[test]
fn other_balancers_and_schedulers_meet_the_same_arrivals() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut digests = Vec::new();
    for balancer in
        ["round-robin", "random", "least-connections", "power-of-two", "least-tokens", "model-affinity"]
    {
        let set = format!("control.balancer={balancer}");
        let summary =
            json(folder.path(), &["run", "--set", "workload.requests=200", "--set", &set, "--json"]);
        assert_eq!(summary["requests"]["arrived"], 200, "{balancer}");
        digests.push(summary["digest"].to_string());
    }
    digests.sort();
    digests.dedup();
    assert!(digests.len() >= 5, "balancers decide differently: {digests:?}");
}

#[test]
fn help_and_lists_print_to_standard_output() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["--version"],
        &["strategies"],
        &["scenario", "list"],
        &["scenario", "show", "peer-8xa100"],
        &["profiles", "list"],
        &["profiles", "show", "rtx-4090", "llama3.1:8b"],
        &["completions", "bash"],
        &["man"],
    ] {
        let text = done(folder.path(), args);
        assert!(!text.is_empty(), "{args:?}");
        assert!(!text.contains('\u{1b}') || args[0] == "man", "no colour where nobody sees it: {args:?}");
    }
    done(folder.path(), &["man", "--out", "pages"]);
    assert!(folder.path().join("pages/herder-run.1").is_file());
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_whole_files_and_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_herder"))
        .args(["run", "--set", "workload.requests=100000000", "--out", "a", "--log"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The run is under way once the file that it writes to has come into being.
    let log = folder.path().join("a");
    while !log.is_dir() || fs::read_dir(&log).map(|entries| entries.count() == 0).unwrap_or(true) {
        assert!(
            child.try_wait().expect("the child can be asked").is_none(),
            "it ended before it could be stopped"
        );
        std::thread::yield_now();
    }
    let interrupted =
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(interrupted.success());
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let said: Vec<String> = stderr.lines().map_while(Result::ok).collect();
    let status = child.wait().expect("the child ends");
    assert_eq!(status.code(), Some(130), "{said:?}");
    assert!(said.iter().any(|line| line.contains("stopped")), "{said:?}");

    for file in FILES {
        assert!(folder.path().join("a").join(file).is_file(), "{file} is missing");
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("a/summary.json")).expect("it is there"))
            .expect("whole");
    let arrived = summary["requests"]["arrived"].as_u64().expect("a count");
    let rows = fs::read_to_string(folder.path().join("a/requests.csv")).expect("it is there");
    assert_eq!(rows.lines().count() as u64, arrived + 1, "a row for each arrival, and the heading");
    assert!(rows.ends_with('\n'), "the last row is whole");
    let replayed = done(folder.path(), &["replay", "a/decisions"]);
    assert!(replayed.contains("same"), "{replayed}");
    let left: Vec<String> =
        contents(&folder.path().join("a")).into_keys().filter(|name| name.ends_with(".tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn bench_measures_a_component_and_leaves_whole_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = json(folder.path(), &["bench", "host-set", "--scales", "10,100", "--json", "--out", "b"]);
    let records = records.as_array().expect("a list of records");
    // Two components, two scales, two forms.
    assert_eq!(records.len(), 8);
    for record in records {
        for filled in [
            "operations_per_second",
            "p99_nanos",
            "live_bytes",
            "memory_bytes",
            "allocations_per_operation",
            "cpu_use",
        ] {
            assert!(record[filled].is_number(), "{filled} of {}", record["name"]);
        }
        assert!(record["complexity_measured"].is_null(), "two scales tell no curve");
        assert!(record["checked_operations"].as_u64() > Some(0));
    }
    let mut files: Vec<String> = contents(&folder.path().join("b")).into_keys().collect();
    files.sort();
    let expected = [
        "bench.csv",
        "bench.json",
        "host-set-common.png",
        "host-set-common.svg",
        "host-set-member.png",
        "host-set-member.svg",
    ];
    assert_eq!(files, expected);
}

#[test]
fn bench_refuses_what_it_does_not_know() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = herder(folder.path(), &["bench", "priority-que"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean \"priority-queue\"?"));
}
