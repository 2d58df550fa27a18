//! `herder chaos`: random runs are clean and feel every kind of fault, whatever the threads; what does not hold is found, by the
//! least number, and told with what repeats it; what once broke something does so no more.

use std::path::Path;
use std::process::{Command, Output};

use herder::chaos::draw::Range;
use herder::chaos::trial::{Kind, Ran, Terms};
use herder::chaos::{Found, Hunt, hunt, twice};
use herder::scenario::{Overrides, ScenarioFile, load};
use sim::check::Checks;
use sim::faults::FaultKind;

const SPARSE: Terms<'static> = Terms { checks: Checks::Sparse, rule: None };

fn found(runs: std::ops::Range<u64>, events_min: u64, threads: u32, terms: Terms<'_>) -> Found {
    let range = Range { seed: 1, kinds: Vec::new(), events_min };
    hunt(&Hunt { range, runs, threads, terms }, &|_| true).expect("there are threads")
}

#[test]
fn random_runs_are_clean_and_feel_every_kind_of_fault() {
    let Found { totals, failed, stopped } = found(0..100, 20_000, 2, SPARSE);
    assert!(failed.is_none() && !stopped, "{failed:?}");
    assert_eq!((totals.runs, totals.repeated), (100, 2));
    for kind in FaultKind::ALL {
        let (began, felt) =
            (totals.counts.faults.began[kind as usize], totals.counts.faults.felt[kind as usize]);
        println!("{}: {began} began, {felt} felt", kind.name());
        // Half of what 2,000 runs must come to.
        assert!(felt >= 25, "{}: {began} began, {felt} felt", kind.name());
    }
    assert!(totals.counts.events >= 20_000 * totals.runs, "{} events", totals.counts.events);
    assert!(
        totals.counts.ended.iter().all(|count| *count > 500),
        "requests end in every way: {:?}",
        totals.counts.ended
    );
    assert!(totals.counts.after_faults > 10_000, "there is something left to recover: {totals:?}");
}

#[test]
fn runs_hold_when_all_is_checked_after_each_step() {
    let Found { failed, .. } = found(0..25, 1_500, 2, Terms { checks: Checks::Always, rule: None });
    assert!(failed.is_none(), "{failed:?}");
}

#[test]
fn what_comes_of_runs_does_not_depend_on_threads() {
    let one = found(0..40, 2_000, 1, SPARSE);
    let three = found(0..40, 2_000, 3, SPARSE);
    assert_eq!(one.totals, three.totals);
}

/// Breaks in some runs.
fn some_break(file: &ScenarioFile, _: &Ran) -> Result<(), String> {
    let broken = ["-9", "-13", "-14"].iter().any(|end| file.name.ends_with(end));
    if broken { Err(format!("{} breaks", file.name)) } else { Ok(()) }
}

#[test]
fn the_violation_of_the_least_number_is_told_whatever_the_threads() {
    for threads in 1..=4 {
        let Found { totals, failed, .. } =
            found(0..40, 1_000, threads, Terms { checks: Checks::Sparse, rule: Some(&some_break) });
        let failed = failed.expect("some runs break");
        assert_eq!((failed.run, failed.violation.kind), (9, Kind::Rule));
        assert_eq!(totals.runs, 9, "those before it, and no other");
    }
}

#[test]
fn only_the_kinds_that_were_asked_for_come() {
    let range = Range { seed: 1, kinds: vec![FaultKind::Crash, FaultKind::Lost], events_min: 2_000 };
    let hunted = hunt(&Hunt { range, runs: 0..20, threads: 2, terms: SPARSE }, &|_| true);
    let faults = hunted.expect("there are threads").totals.counts.faults;
    for kind in FaultKind::ALL {
        let asked = matches!(kind, FaultKind::Crash | FaultKind::Lost);
        assert_eq!(faults.began[kind as usize] > 0, asked, "{}", kind.name());
    }
}

#[test]
fn what_once_broke_something_holds_now() {
    let folder = Path::new("tests/chaos/once");
    let mut scenarios = 0;
    for entry in folder.read_dir().expect("a folder of scenarios") {
        let path = entry.expect("a file").path();
        let scenario = load(&path.to_string_lossy(), &Overrides::default())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if let Err(violation) = twice(&scenario, Terms { checks: Checks::Always, rule: None }) {
            panic!("{}: {violation:?}", path.display());
        }
        scenarios += 1;
    }
    assert!(scenarios > 0, "no scenario in {}", folder.display());
}

fn chaos(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_herder"));
    command.arg("chaos").args(args).current_dir(folder).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn a_clean_hunt_ends_with_0_and_tells_its_counters_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = chaos(folder.path(), &["--runs", "10", "--events-min", "2000", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["runs"], 10);
    assert!(report["violation"].is_null());
    let kinds: Vec<&str> =
        report["faults"].as_array().expect("a list").iter().filter_map(|row| row["kind"].as_str()).collect();
    assert_eq!(kinds, FaultKind::ALL.map(FaultKind::name));
    assert_eq!(folder.path().read_dir().expect("a folder").count(), 0, "nothing is written where all holds");
}

#[test]
fn a_run_that_is_shown_can_be_made_from_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = chaos(folder.path(), &["--events-min", "2000", "--run", "5", "--show"]);
    std::fs::write(folder.path().join("five.toml"), &shown.stdout).expect("a file");
    let counters = |args: &[&str]| {
        let output = chaos(folder.path(), args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        (report["events"].clone(), report["faults"].clone(), report["finished"].clone())
    };
    let drawn = counters(&["--events-min", "2000", "--run", "5", "--json"]);
    assert_eq!(drawn, counters(&["five.toml", "--json"]));
}

#[test]
fn what_does_not_hold_ends_with_4_and_says_so() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/no-answers.toml");
    let folder = tempfile::tempdir().expect("a folder");
    let output = chaos(folder.path(), &[file.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("liveness: none of"), "{}", text(&output.stderr));
}
