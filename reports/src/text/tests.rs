use control::facts::predict::score::PredictionScores;

use super::*;
use crate::made_up::{info, info_by_arm, metrics, metrics_by_arm, sample};
use crate::metrics::Metrics;
use crate::summary::RunInfo;

fn machine() -> Machine {
    Machine {
        version: "0.1.0".into(),
        engine: "coalesced".into(),
        threads: 1,
        wall_seconds: 1.25,
        cpu_seconds: 0.75,
        peak_memory_bytes: Some(33_000_000),
        events: 99,
        steps: 0,
        boundaries: 0,
        stages: Vec::new(),
    }
}

#[test]
fn the_summary_reads_as_it_did() {
    let summary = metrics().summary(&info(), &sample(10));
    insta::assert_snapshot!(render(&summary, Some(&machine()), false));
}

#[test]
fn an_empty_and_interrupted_run_reads_as_it_did() {
    let nothing = PredictionScores::default();
    let info = RunInfo { interrupted: true, trace: Some("code.csv".into()), predictions: nothing, ..info() };
    let summary = Metrics::new(crate::made_up::spec()).summary(&info, &traces::record::Sample::default());
    insta::assert_snapshot!(render(&summary, None, false));
}

#[test]
fn rows_beyond_the_first_are_folded_into_one() {
    let mut summary = metrics().summary(&info(), &sample(10));
    summary.hosts = summary.hosts.iter().cycle().take(20).cloned().collect();
    summary.hosts_len = 500;
    summary.models = summary.models.iter().cycle().take(20).cloned().collect();
    summary.models_len = 90;
    summary.requests.arrived = 1_000;
    summary.model_loads = 1_000;
    summary.evictions = 500;
    let text = render(&summary, None, false);
    assert!(text.contains("492 more") && text.contains("82 more"), "{text}");
    assert_eq!(
        text.matches("alpha").count() + text.matches("beta").count() + text.matches("host-2").count(),
        TOP
    );
}

#[test]
fn no_escape_is_printed_without_colour() {
    let summary = metrics().summary(&info(), &sample(10));
    assert!(!render(&summary, None, false).contains('\x1b'));
    let coloured = render(&summary, None, true);
    let mut stripped = coloured.clone();
    for code in ["\x1b[1m", "\x1b[2m", "\x1b[0m", "\x1b[1;33m"] {
        stripped = stripped.replace(code, "");
    }
    assert_ne!(coloured, stripped);
    assert_eq!(stripped, render(&summary, None, false));
}

#[test]
fn arms_and_events_read_as_they_did() {
    let summary = metrics_by_arm().summary(&info_by_arm(), &sample(10));
    let text = render(&summary, None, false);
    let from = text.find("\nArms\n").expect("arms have a table");
    let to = text.find("\nAssumptions\n").expect("assumptions come last");
    insta::assert_snapshot!(&text[from..to]);
}

#[test]
fn more_events_than_are_shown_are_counted() {
    let mut summary = metrics_by_arm().summary(&info_by_arm(), &sample(10));
    summary.notable_events = summary.notable_events.iter().cycle().take(64).cloned().collect();
    summary.notable_events_len = 1_234;
    let text = render(&summary, None, false);
    let rows = text.matches(" s  set").count() + text.matches(" s  rolled_back").count();
    assert_eq!(rows, EVENTS_TOP, "{text}");
    assert!(text.contains("… 1,224 more in events.csv"), "{text}");
}

#[test]
fn hours_of_hosts_what_was_moved_and_how_conflicts_ended_is_told() {
    let info = RunInfo { fleet: crate::made_up::fleet(), ..info() };
    let text = render(&metrics().summary(&info, &sample(10)), None, false);
    let from = text.find("  hosts on ").expect("how long hosts were on has a line");
    let to = text.find("\nRequests\n").expect("requests come next");
    insta::assert_snapshot!(&text[from..to]);
}
