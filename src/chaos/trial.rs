//! One scenario, run with everything checked that can be: the simulator's own checks, the decision log as it is written, and, where
//! faults come to an end, that what was under way then ended soon.

mod caught;
mod sink;

use std::collections::BTreeMap;
use std::ops::AddAssign;

use control::config::Config;
use control::facts::errands::{ErrandCounts, Kind as Deed};
use control::request::Outcome;
use control::units::{Instant, Nanos};
use serde::Serialize;
use sim::check::Checks;
use sim::simulation::{FaultCounts, RunEnd, RunError, Setup, Simulation};
use sim_host::api::Engine;
use traces::record::Record;

use crate::scenario::{Scenario, ScenarioFile};
use sink::Watching;

/// What did not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// Which check said so.
    pub kind: Kind,
    /// What, in words.
    pub what: String,
}

/// Checks of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The scenario cannot be read: the drawing of it is at fault.
    Scenario,
    /// Something panicked.
    Panic,
    /// The simulator's own checks: conservation, time, capacity, disks.
    Simulator,
    /// What the decision log says: each request ends once, no host has more than its limit, one answer a request.
    Log,
    /// Actions on hosts: asked = done + failed + under way.
    Actions,
    /// After the faults are over: requests end in time, hosts are heard, requests are answered.
    Liveness,
    /// The same run twice, with different ends.
    Repetition,
    /// A rule that the caller added.
    Rule,
}

impl Kind {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Panic => "panic",
            Self::Simulator => "simulator",
            Self::Log => "decision log",
            Self::Actions => "actions",
            Self::Liveness => "liveness",
            Self::Repetition => "repetition",
            Self::Rule => "rule",
        }
    }
}

impl Violation {
    fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    /// Whether another run broke the same thing: the same check, with the same words but for numbers.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && shape(&self.what) == shape(&other.what)
    }
}

/// The first words of a message without its numbers.
fn shape(what: &str) -> String {
    let words = what.lines().next().unwrap_or_default();
    words.chars().filter(|letter| letter.is_alphabetic() || *letter == ' ').take(40).collect()
}

/// What came of a run in which everything held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ran {
    /// Of its events.
    pub digest: String,
    /// How much there was of everything.
    pub counts: Counts,
    /// The longest that a request that was under way when all faults were over took from then on.
    pub recovery: Nanos,
}

/// What can be counted in a run, and summed over runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Events that the engine executed.
    pub events: u64,
    /// Simulated time.
    pub simulated: Nanos,
    /// Requests by how they ended: finished, rejected, failed, cancelled.
    pub ended: [u64; 4],
    /// Attempts after the first.
    pub retries: u64,
    /// Actions on hosts that control asked for, by kind.
    pub actions: BTreeMap<Deed, ErrandCounts>,
    /// What broke.
    pub faults: FaultCounts,
    /// Requests under way when all faults of their run were over, or that came later.
    pub after_faults: u64,
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, more: &Self) {
        self.events += more.events;
        self.simulated = Nanos(self.simulated.0 + more.simulated.0);
        add_each(&mut self.ended, &more.ended);
        self.retries += more.retries;
        for (kind, more) in &more.actions {
            let counts = self.actions.entry(*kind).or_default();
            counts.asked += more.asked;
            counts.done += more.done;
            counts.failed += more.failed;
            counts.done_nanos += more.done_nanos;
        }
        add_each(&mut self.faults.began, &more.faults.began);
        add_each(&mut self.faults.felt, &more.faults.felt);
        self.after_faults += more.after_faults;
    }
}

fn add_each(sums: &mut [u64], more: &[u64]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// A rule besides those that always hold: what it makes of a run, and of the scenario that was run.
pub type Rule<'a> = dyn Fn(&ScenarioFile, &Ran) -> Result<(), String> + Sync + 'a;

/// How runs are checked.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// How often the simulator checks itself in full.
    pub checks: Checks,
    /// Another rule.
    pub rule: Option<&'a Rule<'a>>,
}

/// Polls of a host after which it is heard again, and some more.
const POLLS_HEARD: u64 = 8;
/// Requests that say something about whether a fleet answers again.
const ANSWERS_MIN: usize = 30;

/// Runs a scenario.
///
/// # Errors
/// What did not hold first.
pub fn run(scenario: &Scenario, terms: Terms<'_>) -> Result<Ran, Violation> {
    let seen = simulate(scenario, terms.checks)?;
    let world = &seen.watching.witness;
    world.ended_as_recorded(&seen.watching.records).map_err(|what| Violation::new(Kind::Log, what))?;
    check_actions(&seen)?;
    let ran = seen.ran();
    check_liveness(scenario, &seen)?;
    if let Some(rule) = terms.rule {
        rule(&scenario.file, &ran).map_err(|what| Violation::new(Kind::Rule, what))?;
    }
    Ok(ran)
}

/// A run that came to its end.
struct Seen {
    end: RunEnd,
    watching: Watching,
    /// When all faults are over; `None` where there are none.
    healed: Option<Instant>,
    poll_period: Nanos,
}

fn simulate(scenario: &Scenario, checks: Checks) -> Result<Seen, Violation> {
    let seed = scenario.file.seed;
    let unreadable = |error: &dyn std::fmt::Display| Violation::new(Kind::Scenario, error.to_string());
    let mut source = scenario.workload.source(seed).map_err(|error| unreadable(&error))?;
    let fleet = scenario.fleet(source.models(), Engine::Coalesced).map_err(|error| unreadable(&error))?;
    let healed = fleet.faults.iter().map(|fault| fault.until).max();
    let poll_period = fleet.poll_period;
    let changes = scenario.changes.clone();
    let setup = Setup { seed, control: scenario.control.clone(), fleet, sample_every: None, changes, checks };
    let mut watching = Watching::default();
    let end = caught::caught(|| Simulation::new(setup, &mut *source, &mut watching).run());
    let end = end.map_err(|what| Violation::new(Kind::Panic, what))?;
    let end = end.map_err(|error| match error {
        RunError::Log(what) => Violation::new(Kind::Log, what),
        RunError::Source(error) => unreadable(&error),
        error @ RunError::Invariant { .. } => Violation::new(Kind::Simulator, error.to_string()),
    })?;
    if end.stopped {
        let what = format!("it does not end: {} at {}", watching.left(), end.ended_at);
        return Err(Violation::new(Kind::Liveness, what));
    }
    Ok(Seen { end, watching, healed, poll_period })
}

impl Seen {
    fn ran(&self) -> Ran {
        let mut ended = [0; 4];
        for record in &self.watching.records {
            let at = match record.outcome {
                Outcome::Finished => 0,
                Outcome::Rejected(_) => 1,
                Outcome::Failed(_) | Outcome::Unfinished => 2,
                Outcome::Cancelled => 3,
            };
            ended[at] += 1;
        }
        let mut ran = Ran {
            digest: self.end.digest.clone(),
            counts: Counts {
                events: self.end.events,
                simulated: self.end.ended_at.since(Instant::ZERO),
                ended,
                retries: self.watching.witness.seen().retries as u64,
                actions: self.end.errands.clone(),
                faults: self.end.faults.unwrap_or_default(),
                after_faults: 0,
            },
            recovery: Nanos::ZERO,
        };
        let Some(healed) = self.healed else { return ran };
        for record in self.after(healed) {
            ran.counts.after_faults += 1;
            if record.arrival <= healed {
                ran.recovery = ran.recovery.max(record.ended.since(healed));
            }
        }
        ran
    }

    /// Requests that had not ended at a time.
    fn after(&self, at: Instant) -> impl Iterator<Item = &Record> {
        self.watching.records.iter().filter(move |record| record.ended > at)
    }
}

/// What was asked for of hosts is done, has failed or is under way.
fn check_actions(seen: &Seen) -> Result<(), Violation> {
    let mut left = 0;
    for (kind, counts) in &seen.end.errands {
        let open = counts.asked.checked_sub(counts.done + counts.failed);
        left += open.ok_or_else(|| {
            Violation::new(Kind::Actions, format!("more {kind:?} ended than were asked for: {counts:?}"))
        })?;
    }
    let open = seen.watching.acting.len() as u64;
    if left > open {
        let what = format!("control waits for {left} actions, and the log has {open} that did not end");
        return Err(Violation::new(Kind::Actions, what));
    }
    Ok(())
}

/// What must be so some time after the faults.
fn check_liveness(scenario: &Scenario, seen: &Seen) -> Result<(), Violation> {
    let Some(healed) = seen.healed else { return Ok(()) };
    let wrong = |what: String| Err(Violation::new(Kind::Liveness, what));
    let heard_by = healed.saturating_add(Nanos(seen.poll_period.0 * POLLS_HEARD));
    if seen.end.ended_at > heard_by
        && let Some(host) = seen.watching.witness.silent().next()
    {
        return wrong(format!("host {} is still silent at {}", host.0, seen.end.ended_at));
    }
    let timeouts = timeouts(&scenario.control, &seen.watching);
    let took = |record: &Record| record.ended.since(record.arrival.max(healed));
    let slowest = seen.after(healed).max_by_key(|record| took(record));
    let settled = healed.saturating_add(timeouts);
    let later: Vec<&Record> =
        seen.watching.records.iter().filter(|record| record.arrival > settled).collect();
    let answers = later.iter().any(|record| record.outcome == Outcome::Finished);
    let is_late = slowest.is_some_and(|record| took(record) > timeouts);
    if !is_late && (answers || later.len() < ANSWERS_MIN) {
        return Ok(());
    }
    // Only now what the same requests take without faults matters.
    let spared = without_faults(scenario)?;
    let usual = spared.iter().map(|record| record.ended.since(record.arrival)).max().unwrap_or_default();
    let bound = Nanos(usual.0 * 2 + timeouts.0);
    if let Some(record) = slowest.filter(|record| took(record) > bound) {
        return wrong(format!(
            "request {} took {} after the faults, {bound} are allowed (twice {usual}, and {timeouts} for time-outs): {record:?}",
            record.request.0,
            took(record),
        ));
    }
    let answered = spared.iter().filter(|record| record.arrival > settled).count();
    if !answers && answered * 10 > later.len() {
        return wrong(format!(
            "none of {} requests is answered that came after the faults; without faults {answered} are",
            later.len()
        ));
    }
    Ok(())
}

/// The longest that a request can wait for time-outs: for its start, in the queue, for a first byte, for the rest.
fn timeouts(config: &Config, watching: &Watching) -> Nanos {
    let starts =
        config.rules.iter().filter_map(|rule| rule.demands().start_after()).max().unwrap_or_default();
    let waits = [starts, config.queue_timeout, watching.first_byte_timeout_max, config.idle_timeout];
    Nanos(waits.iter().map(|wait| wait.0).sum())
}

/// Requests that are answered where nothing breaks.
fn without_faults(scenario: &Scenario) -> Result<Vec<Record>, Violation> {
    let mut scenario = scenario.clone();
    scenario.file.faults = None;
    let mut records = simulate(&scenario, Checks::Sparse)?.watching.records;
    records.retain(|record| record.outcome == Outcome::Finished);
    Ok(records)
}
