//! What a hunt came to, as a table and as JSON.

use std::collections::BTreeMap;

use control::facts::errands::{ErrandCounts, Kind};
use serde::Serialize;
use sim::faults::FaultKind;

use crate::chaos::{Found, Totals};
use crate::cli::table;

/// A table of the kinds of faults, and what became of requests.
pub(super) fn totals(totals: &Totals) -> String {
    let rows: Vec<Vec<String>> = FaultKind::ALL
        .iter()
        .map(|kind| {
            let count = |counts: &[u64]| counts[*kind as usize].to_string();
            vec![
                kind.name().to_owned(),
                count(&totals.counts.faults.began),
                count(&totals.counts.faults.felt),
            ]
        })
        .collect();
    let actions: String = totals
        .counts
        .actions
        .iter()
        .map(|(kind, counts)| {
            let ErrandCounts { asked, done, failed, .. } = counts;
            format!("{:10} {asked}: {done} done, {failed} failed\n", kind_name(*kind))
        })
        .collect();
    let [finished, rejected, failed, cancelled] = totals.counts.ended;
    let requests: u64 = totals.counts.ended.iter().sum();
    let mean = totals.counts.events.checked_div(totals.runs).unwrap_or_default();
    format!(
        "{}\nruns       {}, {} of them made twice; {} events, {mean} a run; {} h simulated\n\
         requests   {requests}: {finished} finished, {rejected} rejected, {failed} failed, {cancelled} cancelled; {} retries\n\
         {actions}\
         liveness   {} requests under way after the faults, or later; the longest recovery took {} (run {})\n",
        table(&["fault", "began", "felt"], &rows),
        totals.runs,
        totals.repeated,
        totals.counts.events,
        totals.counts.simulated.0 / 3_600_000_000_000,
        totals.counts.retries,
        totals.counts.after_faults,
        totals.recovery.0,
        totals.recovery.1,
    )
}

/// Several of a kind.
const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Load => "loads",
        Kind::Unload => "unloads",
        Kind::Pull => "pulls",
        Kind::Push => "pushes",
        Kind::Branch => "branches",
        Kind::Delete => "deletes",
        Kind::Start => "starts",
        Kind::Stop => "stops",
    }
}

#[derive(Serialize)]
struct Row {
    kind: &'static str,
    began: u64,
    felt: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    runs: u64,
    repeated: u64,
    stopped: bool,
    events: u64,
    simulated_seconds: u64,
    finished: u64,
    rejected: u64,
    failed: u64,
    cancelled: u64,
    retries: u64,
    actions: &'a BTreeMap<Kind, ErrandCounts>,
    after_faults: u64,
    recovery_max_millis: u64,
    recovery_max_run: u64,
    faults: Vec<Row>,
    violation: Option<Violated<'a>>,
}

#[derive(Serialize)]
struct Violated<'a> {
    run: u64,
    #[serde(flatten)]
    violation: &'a crate::chaos::trial::Violation,
}

/// The same as one JSON object.
pub(super) fn json(found: &Found) -> String {
    let Found { totals, failed, stopped } = found;
    let [finished, rejected, failed_requests, cancelled] = totals.counts.ended;
    let row = |kind: FaultKind| Row {
        kind: kind.name(),
        began: totals.counts.faults.began[kind as usize],
        felt: totals.counts.faults.felt[kind as usize],
    };
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        runs: totals.runs,
        repeated: totals.repeated,
        stopped: *stopped,
        events: totals.counts.events,
        simulated_seconds: totals.counts.simulated.0 / 1_000_000_000,
        finished,
        rejected,
        failed: failed_requests,
        cancelled,
        retries: totals.counts.retries,
        actions: &totals.counts.actions,
        after_faults: totals.counts.after_faults,
        recovery_max_millis: totals.recovery.0.0 / 1_000_000,
        recovery_max_run: totals.recovery.1,
        faults: FaultKind::ALL.map(row).into(),
        violation: failed.as_ref().map(|failed| Violated { run: failed.run, violation: &failed.violation }),
    };
    reports::machine::pretty_json(&report)
}
