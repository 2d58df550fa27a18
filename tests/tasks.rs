//! Tasks on hosts of tasks: every balancer and scheduler places them, nodes are never overrun, runs repeat themselves, logs replay. The pods of
//! openb are run where the folder that `HERDER_DATA` names (else `../shared/data`) has them.
//!
//! `simulated/tasks.csv` is made up: 90 tasks of six classes, by a program that draws demands, gaps and durations from short lists.

#[path = "simulated/data.rs"]
mod data;
#[path = "simulated/run.rs"]
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use control::door::Input;
use control::log::Record as LogRecord;
use control::request::{Arrive, Failure, Outcome};
use control::{balance, schedule};
use data::data;
use run::{Case, Run};
use sim::check::Checks;
use traces::task::TaskClass;

/// Tasks of the fixture that ran.
const TASKS: usize = 85;

/// A node of the scenario: kind of its GPUs, GPUs, thousandths of a core, MiB.
const NODES: [(&str, u32, u64, u64); 6] = [
    ("G2", 4, 48_000, 98_304),
    ("G2", 4, 48_000, 98_304),
    ("T4", 2, 32_000, 65_536),
    ("T4", 2, 32_000, 65_536),
    ("T4", 2, 32_000, 65_536),
    ("", 0, 16_000, 32_768),
];

fn case() -> Case {
    Case { checks: Checks::Always, ..Case::new("tasks") }
}

/// The classes of the fixture, by the id that stands in a model's place.
fn classes() -> Vec<TaskClass> {
    let scenario =
        herder::scenario::load("tests/simulated/tasks.toml", &Default::default()).expect("it is good");
    let source = scenario.workload.source(1).expect("a source of jobs");
    source.models().iter().map(|name| name.parse().expect("a class")).collect()
}

/// At each start, what runs on the node then is no more than the node, and of kinds that it has. No word of the host itself is taken for it.
fn nodes_are_not_overrun(run: &Run, classes: &[TaskClass]) {
    for started in run.records.iter().filter(|record| record.first_token.is_some()) {
        let (at, host) = (started.first_token, started.host.expect("a host"));
        let (kind, gpus, cpu_milli, memory_mib) = NODES[host.index()];
        let there = run.records.iter().filter(|record| {
            record.host == Some(host) && record.first_token <= at && Some(record.ended) > at
        });
        let (mut cpu, mut memory, mut milli, mut tasks) = (0, 0, 0, 0);
        for record in there {
            let class = &classes[record.model.index()];
            assert!(class.accepts(kind), "{class} on {kind}");
            cpu += class.cpu_milli;
            memory += class.memory_mib;
            milli += class.gpus * class.gpu_milli;
            tasks += 1;
        }
        assert!(
            cpu <= cpu_milli && memory <= memory_mib && milli <= gpus * 1_000,
            "{tasks} tasks on {host:?} at {at:?}"
        );
    }
}

#[test]
fn every_balancer_and_every_scheduler_runs_every_task_once() {
    let classes = classes();
    let pairs = balance::ALL.iter().map(|balancer| ("fifo", balancer.1.name));
    let pairs = pairs.chain(schedule::ALL.iter().map(|scheduler| (scheduler.1.name, "least-load")));
    for (scheduler, balancer) in pairs {
        let case = case().set("control.scheduler", scheduler).set("control.balancer", balancer);
        let run = case.run();
        assert_eq!(run.records.len(), TASKS, "{}", case.command());
        assert!(run.records.iter().all(|record| record.outcome == Outcome::Finished), "{}", case.command());
        let waited = run.records.iter().filter(|record| {
            record.first_token.is_some_and(|first| first.since(record.arrival).0 > 1_000_000_000)
        });
        assert!(waited.count() > 5, "{}", case.command());
        nodes_are_not_overrun(&run, &classes);
        // The twins of control's structures decide alike.
        let plain = case.clone().set("control.implementation", "baseline").run();
        assert!(plain.records == run.records && plain.log[1..] == run.log[1..], "{}", case.command());
    }
}

#[test]
fn a_task_runs_for_as_long_as_its_row_says_and_nobody_else_is_told() {
    let run = case().run();
    let text = fs::read_to_string("tests/simulated/tasks.csv").expect("the fixture");
    let mut rows: Vec<u64> = Vec::new();
    for row in text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>()) {
        if let Ok(scheduled) = row[10].parse::<u64>() {
            rows.push(row[9].parse::<u64>().expect("a time") - scheduled);
        }
    }
    let mut records = run.records.clone();
    records.sort_by_key(|record| record.request);
    for (record, seconds) in records.iter().zip(rows) {
        let ran = record.ended.since(record.first_token.expect("it began"));
        assert_eq!((ran.0, record.usage.eval.0), (seconds * 1_000_000_000, seconds * 1_000_000_000));
        assert_eq!((record.prompt_tokens, record.usage.output_tokens), (0, 0));
    }
    // All that control is told of a task is its class, whose it is and when it comes.
    let mut told = 0;
    for record in run.decisions() {
        let LogRecord::Step { input, .. } = record else { continue };
        let Input::Arrive(arrive) = input.into_owned() else { continue };
        let Arrive { request, model, tenant, kind, prompt_bytes, .. } = arrive.clone();
        let nothing = Arrive { request, model, tenant, kind, prompt_bytes, ..Arrive::default() };
        assert_eq!((&arrive, prompt_bytes.0), (&nothing, 1));
        told += 1;
    }
    assert_eq!(told, TASKS);
}

#[test]
fn a_crash_fails_the_tasks_of_its_node_and_a_slow_node_takes_longer() {
    let faults = |at: &str| case().set("faults.at", format!("[{at}]")).set("control.attempts_max", 1);
    let run = faults("{ kind = \"crash\", at_millis = 60_000, for_millis = 30_000, host = \"g2-1\" }").run();
    let failed = |record: &&traces::record::Record| record.outcome == Outcome::Failed(Failure::Broken);
    let broken: Vec<_> = run.records.iter().filter(failed).collect();
    assert!(!broken.is_empty());
    assert!(broken.iter().all(|record| record.host.is_some_and(|host| host.0 == 0)));
    nodes_are_not_overrun(&run, &classes());
    let slow = faults("{ kind = \"slow\", at_millis = 60_000, for_millis = 300_000, host = \"g2-1\" }").run();
    assert_eq!(slow.records.len(), TASKS);
    assert!(slow.end.ended_at > case().run().end.ended_at);
}

fn herder(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_herder")).args(args).output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "herder {}: {stderr}", args.join(" "));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = entries.filter(|path| path.is_file() && !path.ends_with("machine.json"));
    files
        .map(|path| {
            (path.display().to_string().split_off(folder.as_os_str().len()), fs::read(path).expect("a file"))
        })
        .collect()
}

#[test]
fn either_engine_writes_the_same_files_and_a_log_replays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = |name: &str| folder.path().join(name).display().to_string();
    let scenario = "tests/simulated/tasks.toml";
    let told = herder(&["run", scenario, "--out", &out("a"), "--log"]);
    herder(&["run", scenario, "--out", &out("b"), "--engine", "stepwise", "--threads", "2"]);
    assert_eq!(files(&folder.path().join("a")), files(&folder.path().join("b")));
    // What has no tokens has no figures of them.
    for what in ["5 tasks that never ran left out", "energy", "not estimated"] {
        assert!(told.contains(what), "{what}: {told}");
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("a/summary.json")).expect("a file"))
            .expect("JSON");
    assert_eq!(summary["requests"]["finished"], TASKS);
    for figures in ["tpot_ms", "itl_ms"] {
        assert_eq!(
            (&summary[figures]["count"], &summary[figures]["p95"]),
            (&0.into(), &serde_json::Value::Null)
        );
    }
    assert_eq!(summary["energy"], serde_json::Value::Null);
    assert!(herder(&["replay", &format!("{}/decisions", out("a"))]).contains("same"));
    // Tenants are the classes of service of the trace.
    let requests = fs::read_to_string(folder.path().join("a/requests.csv")).expect("a file");
    assert!(!requests.contains("NaN"));
    // A log is a trace: each task runs for as long as it did.
    let again = herder(&["run", scenario, "--trace", &format!("{}/decisions", out("a")), "--json"]);
    let again: serde_json::Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!(
        (&again["requests"]["finished"], &again["e2e_ms"]["count"]),
        (&summary["requests"]["finished"], &summary["e2e_ms"]["count"])
    );
    // The scenario that a run leaves behind repeats it.
    herder(&["run", &format!("{}/scenario.resolved.toml", out("a")), "--out", &out("c")]);
    let digest = |name: &str| {
        let text = fs::read(folder.path().join(name).join("summary.json")).expect("a file");
        serde_json::from_slice::<serde_json::Value>(&text).expect("JSON")["digest"].clone()
    };
    assert_eq!(digest("a"), digest("c"));
}

#[test]
fn balancers_are_compared_on_tasks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("compared").display().to_string();
    let told = herder(&[
        "compare",
        "tests/simulated/tasks.toml",
        "--vary",
        "control.balancer=least-load,random",
        "--seeds",
        "3",
        "--out",
        &out,
    ]);
    assert!(told.contains("least-load") && told.contains("random") && !told.contains("NaN"), "{told}");
}

#[test]
fn the_pods_of_openb_run_on_its_nodes() {
    let folder = "cluster-traces/alibaba-gpu-2023";
    let (Some(nodes), Some(pods)) = (
        data(&format!("{folder}/openb_node_list_all_node.csv")),
        data(&format!("{folder}/openb_pod_list_default.csv")),
    ) else {
        return;
    };
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let fleet = herder(&["trace", "fleet", &nodes.display().to_string(), "--tasks", "--one-in", "12"]);
    let control = "[control]\nbalancer = \"least-load\"\nqueue_timeout_millis = 10_000_000_000\nfirst_byte_timeout_warm_millis = 10_000_000_000\n";
    let scenario = temporary.path().join("openb.toml");
    fs::write(&scenario, format!("{control}\n{fleet}")).expect("it is written");
    let told = herder(&[
        "run",
        &scenario.display().to_string(),
        "--trace",
        &pods.display().to_string(),
        "--format",
        "openb",
        "--window",
        "..10000000s",
        "--json",
    ]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["requests"]["finished"], told["requests"]["arrived"], "{told}");
}
