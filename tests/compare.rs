//! `herder compare` from outside, and whether what it says is right as often as it claims.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use herder::compare::arms::{Vary, product};
use herder::compare::cells::{Grid, Replicates};
use herder::compare::measures;
use herder::scenario::Overrides;
use reports::statistics::estimate::{Terms, differences, estimate};

fn herder(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_herder")).args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

const SMALL: [&str; 4] = ["--set", "workload.requests=300", "--seeds", "4"];

fn compare(args: &[&str], out: &Path) -> String {
    let vary = ["compare", "--vary", "control.balancer=random,model-affinity", "--out"];
    let done = herder(&[&vary[..], &[out.to_str().expect("a path")], &SMALL, args].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stdout)
}

#[test]
fn the_same_is_found_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let told = [("1", "one"), ("2", "two")].map(|(threads, name)| {
        let told = compare(&["--threads", threads], &folder.path().join(name));
        told.lines().filter(|line| !line.starts_with("results in")).map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(told[0], told[1]);
    for file in ["compare.csv", "compare.json"] {
        let read = |name: &str| std::fs::read(folder.path().join(name).join(file)).unwrap();
        assert_eq!(read("one"), read("two"), "{file}");
    }
    let rows = text(&std::fs::read(folder.path().join("one/compare.csv")).unwrap());
    assert_eq!(rows.lines().count(), 1 + 2 * 4);
    assert!(rows.starts_with("control.balancer,replicate,ttft_mean_ms,"), "{rows}");
    let told = told[0].join("\n");
    assert!(told.contains("model-affinity") && told.contains("better, p"), "{told}");
    assert!(told.contains("To repeat the first run of the baseline: herder run default --seed 1"), "{told}");
}

#[test]
fn parts_of_a_trace_are_replicates_and_what_is_found_holds_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("made.csv");
    let trace = trace.to_str().unwrap();
    let made = herder(&["trace", "generate", "--format", "azure", "--requests", "600", "--out", trace]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let done = herder(&[
        "compare",
        "--trace",
        trace,
        "--seeds",
        "3",
        "--vary",
        "control.balancer=random,least-load",
    ]);
    let told = text(&done.stdout);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(told.contains("3 parts of one trace: what follows holds for that trace"), "{told}");
    let refused = herder(&["compare", "--trace", trace, "--precision", "2", "--vary", "fleet.hosts=4,5"]);
    assert!(text(&refused.stderr).contains("--precision: found a trace"), "{}", text(&refused.stderr));
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    for (args, expected) in [
        (&["--vary", "fleet.hosts"][..], "expected KEY=VALUE,VALUE,..."),
        (&["--vary", "fleet.hosts=4"], "--vary: found one value, expected two or more to compare"),
        (&["--vary", "fleet.hosts=4,none"], "fleet.hosts"),
        (&["--vary", "control.balancer=random,rnadom"], "rnadom"),
        (&["--vary", "fleet.hosts=4,5", "--baseline", "6"], "expected one of the arms: 4, 5"),
        (
            &["--vary", "fleet.hosts=4,5", "--confidence", "100"],
            "--confidence: found 100, expected more than 0 and less than 100",
        ),
        (
            &["--vary", "fleet.hosts=4,5", "--precision", "2", "--measure", "speed"],
            "--measure: found \"speed\", expected one of ttft_mean_ms",
        ),
    ] {
        let done = herder(&[&["compare"][..], args].concat());
        assert!(!done.status.success(), "{args:?}");
        assert!(text(&done.stderr).contains(expected), "{args:?}: {}", text(&done.stderr));
    }
}

/// The mean time to a first token of so many small runs, each with a seed of its own.
fn independent(runs: usize) -> Vec<f64> {
    let vary = Vary::parse("control.balancer=least-load,random").unwrap();
    let grid = Grid {
        scenario: "default".into(),
        overrides: Overrides { sets: vec!["workload.requests=80".into()], ..Overrides::default() },
        arms: product(&[vary])[..1].to_vec(),
        replicates: Replicates::Seeds(1),
        threads: 2,
    };
    let ttft = measures::find("ttft_mean_ms").unwrap();
    let values = grid.run_all(0..runs, &AtomicBool::new(false), &|_| {}).unwrap().unwrap();
    values[0].iter().map(|run| run[ttft].unwrap()).collect()
}

#[test]
fn equal_arms_are_found_to_differ_as_rarely_as_is_said() {
    const REPETITIONS: usize = 200;
    const REPLICATES: usize = 5;
    let values = independent(REPETITIONS * REPLICATES * 2);
    let mut found = 0;
    for arms in values.chunks(REPLICATES * 2) {
        let (ours, theirs) = arms.split_at(REPLICATES);
        let told = estimate(&differences(ours, theirs), Terms { confidence: 0.95, seed: 1 }).unwrap();
        found += usize::from(told.p_value <= 0.05);
    }
    // Of 200, 10 are expected; with 99 % confidence it is between 3 and 19 (binomial).
    println!("{found} of {REPETITIONS} equal pairs are found to differ at 5 %");
    assert!((3..=19).contains(&found), "{found}");
}
