//! What ran, in words: the lines at the head of a summary, and what was guessed.

use std::collections::{BTreeMap, BTreeSet};

use control::balance;
use control::config::arms::Role;
use control::door::Input;
use control::facts::arms::find_or_add;
use control::units::Nanos;
use reports::metrics::ArmInfo;
use reports::summary::{FleetInfo, FleetPower, HostPower, RunInfo};
use sim::config::Fleet;
use sim::faults::FaultKind;
use sim::simulation::{OperatorDeed, RunEnd};
use sim_host::power::{BUSY_PERMILLE, PowerDraw};
use traces::jobs::Jobs;

use super::TraceFacts;
use crate::scenario::Scenario;

/// All that is known of a run before it begins.
pub(super) fn info(scenario: &Scenario, fleet: &Fleet, trace: Option<&TraceFacts>) -> RunInfo {
    let mut details = vec![("fleet".to_owned(), groups(fleet))];
    details.push(("models".to_owned(), models(&fleet.models)));
    if let Some(placement) = &scenario.file.control.placement {
        let shadow = shadow(placement.act);
        details.push(("placement".to_owned(), format!("{}{shadow}", placement.strategy)));
    }
    if let Some(sync) = &scenario.file.control.sync {
        let shadow = shadow(sync.act);
        details
            .push(("sync".to_owned(), format!("{:?}, {:?}{shadow}", sync.mode, sync.policy).to_lowercase()));
    }
    if let Some(scale) = &scenario.control.scale {
        let shadow = shadow(scale.act);
        let standby = fleet.hosts.iter().filter(|host| host.declaration.standby).count();
        details.push((
            "scaling".to_owned(),
            format!("{standby} hosts stand by, {} % of slots at work{shadow}", scale.target_percent),
        ));
    }
    let tasks = fleet.hosts.iter().filter(|host| host.spec.is_task()).count();
    if tasks > 0 {
        details.push((
            "tasks".to_owned(),
            format!(
                "{tasks} hosts run tasks: TTFT is how long a task waited for its start, busy a host with at least one"
            ),
        ));
        details.push((
            "energy".to_owned(),
            "not estimated: of hosts that run tasks no power is known".to_owned(),
        ));
    }
    if let Some(trace) = trace {
        details.push(("trace rows".to_owned(), trace.rows.clone()));
    }
    let file = &scenario.file;
    RunInfo {
        seed: file.seed,
        scenario: file.name.clone(),
        trace: trace.map(|trace| trace.file.file_name().unwrap_or_default().to_string_lossy().into_owned()),
        scheduler: file.control.scheduler.to_string(),
        balancer: file.control.balancer.to_string(),
        details,
        assumptions: assumptions(fleet),
        ..RunInfo::default()
    }
}

/// What is said of a section that may not act.
const fn shadow(act: bool) -> &'static str {
    if act { "" } else { ", only shown (act = false)" }
}

/// The arms that control may come to know, by the ids that it gives them as the operator changes its config.
pub(super) fn arms(scenario: &Scenario) -> Vec<ArmInfo> {
    let later = scenario.changes.iter().filter_map(|(_, deed)| match deed {
        OperatorDeed::Tell(Input::Policy(config)) => Some(&**config),
        _ => None,
    });
    let (mut known, mut arms) = (Vec::new(), Vec::new());
    for spec in std::iter::once(&scenario.control).chain(later).flat_map(|config| &config.arms) {
        let kind = spec.balancer.kind;
        if find_or_add(&mut known, &spec.name, kind).index() == arms.len() {
            let line = balance::ALL.iter().find(|line| line.0 == kind).expect("every balancer has its line");
            arms.push(ArmInfo {
                name: spec.name.clone(),
                balancer: line.1.name.to_owned(),
                part: match spec.role {
                    Role::Base => "base",
                    Role::Choice => "choice",
                    Role::Variant => "variant",
                    Role::Shadow => "shadow",
                }
                .to_owned(),
                acts: spec.role != Role::Shadow,
            });
        }
    }
    arms
}

/// Names that are written out.
const NAMES_MAX: usize = 16;

/// The first names, and how many more there are.
fn models(names: &[String]) -> String {
    let first = names[..names.len().min(NAMES_MAX)].join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Hosts by kind: `9 hosts: 3 tower (rtx-4090), 2 rack (2 × a100-80gb) …`.
fn groups(fleet: &Fleet) -> String {
    let mut kinds: Vec<(&str, String, u32)> = Vec::new();
    for host in &fleet.hosts {
        let name = host.spec.name();
        match kinds.iter_mut().find(|(kind, ..)| *kind == name) {
            Some((.., count)) => *count += 1,
            None => {
                let gpu = match host.spec.gpus_len() {
                    0 if host.spec.is_task() => "no GPU".to_owned(),
                    0 | 1 => host.declaration.gpu.clone(),
                    gpus => format!("{gpus} × {}", host.declaration.gpu),
                };
                kinds.push((name, gpu, 1));
            }
        }
    }
    let kinds: Vec<String> =
        kinds.iter().map(|(name, gpu, count)| format!("{count} {name} ({gpu})")).collect();
    let plural = if fleet.hosts.len() == 1 { "host" } else { "hosts" };
    format!("{} {plural}: {}", fleet.hosts.len(), kinds.join(", "))
}

/// A figure that was guessed: its values, and the profiles (GPU, model) that have it.
#[derive(Default)]
struct Guess<'a> {
    values: BTreeSet<&'a str>,
    profiles: BTreeSet<(&'a str, &'a str)>,
}

/// Every figure that was guessed in a profile that the fleet uses: its value where it is the same in all, and how many
/// profiles have it.
fn assumptions(fleet: &Fleet) -> Vec<String> {
    let mut guessed: BTreeMap<&str, Guess<'_>> = BTreeMap::new();
    let mut pairs = BTreeSet::new();
    for host in &fleet.hosts {
        for model in host.spec.models() {
            let profile = &model.profile;
            let pair = (profile.gpu.name.as_str(), profile.model.name.as_str());
            if pairs.insert(pair) {
                for figure in &profile.assumed {
                    let (name, value) = figure.split_once(" = ").unwrap_or((figure, ""));
                    let guess = guessed.entry(name).or_default();
                    guess.values.insert(value);
                    guess.profiles.insert(pair);
                }
            }
        }
    }
    let line = |(name, guess): (&str, Guess<'_>)| {
        let value = match (guess.values.len(), guess.values.first()) {
            (1, Some(value)) if !value.is_empty() => format!(" = {value}"),
            _ => String::new(),
        };
        format!("{name}{value} ({} of {} profiles)", guess.profiles.len(), pairs.len())
    };
    guessed.into_iter().map(line).collect()
}

/// What happened to models and hosts besides requests.
pub(super) fn fleet(end: &RunEnd) -> FleetInfo {
    let faults = end.faults.iter().flat_map(|counts| {
        FaultKind::ALL
            .map(|kind| (kind.name().to_owned(), counts.began[kind as usize], counts.felt[kind as usize]))
    });
    FleetInfo {
        actions: end
            .errands
            .iter()
            .map(|(kind, counts)| (format!("{kind:?}").to_lowercase(), *counts))
            .collect(),
        sync: end.sync.clone(),
        conflicts: end.conflicts.clone(),
        moved: end.supply,
        traffic: end.traffic.clone(),
        host_time: end.host_time,
        power: None,
        faults: faults.filter(|(_, began, _)| *began > 0).collect(),
    }
}

/// What hosts drew, where that is known of all of them.
pub(super) fn power(
    end: &RunEnd,
    draws: &[Option<PowerDraw>],
    electricity_cents_per_kwh: Option<u32>,
) -> Option<FleetPower> {
    let host = |(draw, on): (&Option<PowerDraw>, &Nanos)| {
        draw.map(|draw| HostPower {
            on_nanos: on.0,
            idle_milliwatts: draw.idle_milliwatts,
            busy_milliwatts: draw.busy_milliwatts,
        })
    };
    let hosts: Option<Vec<HostPower>> = draws.iter().zip(&end.on_by_host).map(host).collect();
    let percent = BUSY_PERMILLE as f64 / 10.0;
    Some(FleetPower {
        hosts: hosts?,
        rests_on: format!(
            "GPUs alone: {percent:.1} % of their limit while the host computes (measured on A100s), idle watts otherwise \
             (assumed); hosts that are off draw nothing"
        ),
        electricity_cents_per_kwh,
    })
}

/// What became of a trace's rows: `8,819 read, 17 without tokens, 3 bad (first: …), 8,799 replayed`.
pub(super) fn rows(jobs: &Jobs) -> String {
    let counts = jobs.counts();
    let mut parts = vec![format!("{} read", counts.read)];
    let dropped = [
        (counts.without_tokens, "without tokens left out"),
        (counts.never_run, "tasks that never ran left out"),
        (counts.before_window, "before the window left out"),
        (counts.thinned, "thinned out"),
        (counts.cut, "cut to the context"),
    ];
    parts.extend(
        dropped.into_iter().filter(|(rows, _)| *rows > 0).map(|(rows, what)| format!("{rows} {what}")),
    );
    let bad = jobs.bad();
    if bad.rows > 0 {
        let first = bad.first.first().map(|row| format!(" (first: {row})")).unwrap_or_default();
        parts.push(format!("{} bad and skipped{first}", bad.rows));
    }
    parts.push(format!("{} replayed", counts.jobs));
    parts.join(", ")
}
