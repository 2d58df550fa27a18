//! A scenario that breaks something made small: with few faults, requests, hosts and features it still breaks the same.
//!
//! Faults go first, by delta debugging (Zeller, Hildebrandt: Simplifying and isolating failure-inducing input, IEEE TSE 28(2),
//! 2002): halves, quarters and so on are left out for as long as the violation stays. Then whatever else can be left out is, one
//! thing after the other, until nothing more can.

mod simpler;

use std::time::Duration;

use reports::machine::Stopwatch;
use sim::faults::{FaultFile, FaultsFile};
use sim_host::api::Engine;

use super::trial::{self, Terms, Violation};
use crate::scenario::{self, ScenarioFile};

/// Most runs spent on one violation.
const RUNS_MAX: u32 = 600;
/// Longest time spent on one violation.
const TIME_MAX: Duration = Duration::from_secs(120);

/// A violation with the smallest scenario that was found for it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// Breaks what the first one broke.
    pub scenario: ScenarioFile,
    /// As the small scenario breaks it.
    pub violation: Violation,
    /// What the first scenario had.
    pub before: Size,
    /// What is left.
    pub after: Size,
    /// Runs that this took.
    pub runs: u32,
}

/// How much there is in a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Requests.
    pub requests: u64,
    /// Hosts.
    pub hosts: usize,
    /// Lines of the scenario as it is written.
    pub lines: usize,
}

impl Size {
    fn of(file: &ScenarioFile) -> Self {
        let hosts = file.fleet.hosts.map_or(file.fleet.group.len(), |hosts| hosts as usize);
        Self {
            faults: file.faults.as_ref().map_or(0, |faults| faults.at.len()),
            requests: file.workload.requests.unwrap_or_default(),
            hosts,
            lines: written(file).lines().count(),
        }
    }
}

/// A scenario as it is written to a file.
///
/// # Panics
/// Never: every scenario can be written.
#[must_use]
pub fn written(file: &ScenarioFile) -> String {
    toml::to_string(file).expect("every scenario can be written")
}

/// The same scenario with each fault written out; as it is where it cannot be read.
#[must_use]
pub fn concrete(file: &ScenarioFile) -> ScenarioFile {
    let mut file = file.clone();
    let Ok(scenario) = scenario::parse(&file.name, &written(&file)) else { return file };
    if let Ok(fleet) = scenario.fleet(&[], Engine::default()) {
        let at: Vec<FaultFile> = fleet.faults.iter().map(|fault| fault.written(&fleet.hosts)).collect();
        file.faults = (!at.is_empty()).then_some(FaultsFile { at, drawn: None });
    }
    file
}

/// Makes a scenario small that breaks something. `watch` is told how many runs this took so far; it ends early where that says false.
pub fn shrink(
    file: &ScenarioFile,
    violation: Violation,
    terms: Terms<'_>,
    watch: &mut dyn FnMut(u32) -> bool,
) -> Shrunk {
    let file = concrete(file);
    let before = Size::of(&file);
    let mut search = Search { best: file, violation, terms, runs: 0, watch, clock: Stopwatch::start() };
    search.run();
    let Search { best, violation, runs, .. } = search;
    Shrunk { after: Size::of(&best), scenario: best, violation, before, runs }
}

struct Search<'a> {
    best: ScenarioFile,
    violation: Violation,
    terms: Terms<'a>,
    runs: u32,
    watch: &'a mut dyn FnMut(u32) -> bool,
    clock: Stopwatch,
}

impl Search<'_> {
    fn run(&mut self) {
        let mut lines = usize::MAX;
        while Size::of(&self.best).lines < lines && self.goes_on() {
            lines = Size::of(&self.best).lines;
            self.leave_faults_out();
            self.halve_requests();
            for simpler in simpler::ALL {
                self.simplify(*simpler);
            }
        }
    }

    fn goes_on(&mut self) -> bool {
        self.runs < RUNS_MAX && self.clock.wall() < TIME_MAX && (self.watch)(self.runs)
    }

    /// Takes a scenario in place of the best where it breaks the same.
    fn takes(&mut self, file: ScenarioFile) -> bool {
        if !self.goes_on() {
            return false;
        }
        self.runs += 1;
        let Ok(scenario) = scenario::parse(&file.name, &written(&file)) else { return false };
        match trial::run(&scenario, self.terms) {
            Err(violation) if violation.is_like(&self.violation) => {
                (self.best, self.violation) = (file, violation);
                true
            }
            _ => false,
        }
    }

    fn leave_faults_out(&mut self) {
        let mut parts = 1;
        loop {
            let faults = self.best.faults.as_ref().map_or(&[][..], |faults| &faults.at).to_vec();
            if faults.is_empty() {
                return;
            }
            let size = faults.len().div_ceil(parts);
            let without = |part: usize| {
                let (from, to) = (part * size, ((part + 1) * size).min(faults.len()));
                let at = [&faults[..from.min(faults.len())], &faults[to..]].concat();
                (!at.is_empty()).then_some(FaultsFile { at, drawn: None })
            };
            let taken = (0..faults.len().div_ceil(size))
                .find(|part| self.takes(ScenarioFile { faults: without(*part), ..self.best.clone() }));
            match taken {
                Some(_) => parts = parts.saturating_sub(1).max(1),
                None if size == 1 => return,
                None => parts = (parts * 2).min(faults.len()),
            }
        }
    }

    fn halve_requests(&mut self) {
        while let Some(requests) = self.best.workload.requests.filter(|requests| *requests > 1) {
            let mut file = self.best.clone();
            file.workload.requests = Some(requests / 2);
            if !self.takes(file) {
                return;
            }
        }
    }

    /// Leaves something out, again and again where there is more of it.
    fn simplify(&mut self, simpler: simpler::Simpler) {
        let mut skip = 0;
        loop {
            let mut file = self.best.clone();
            if !simpler(&mut file, skip) || !self.goes_on() {
                return;
            }
            if !self.takes(file) {
                skip += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
