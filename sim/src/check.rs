//! Checks of what must hold at any time, apart from the code they check: conservation (I1), time and single service
//! (I3 and I4, where the main loop sees them), capacity (I2, here for what control lets out, in the host for the rest).

use control::Control;
use control::door::Output;
use control::request::Outcome;

/// Least steps between two full recounts; more where there is more to count, so that a step's share stays constant.
const RECOUNT_STEPS: u64 = 1_000;
/// Steps for each request, or model on a host, to count.
const RECOUNT_STEPS_EACH: u64 = 32;

/// How often what must hold is checked in full. Counters and limits are checked at each step in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Checks {
    /// So often that it costs a few percent: control every thousand steps or so, a host when its models change.
    #[default]
    Sparse,
    /// Control after each step, a host after each of its events: for tests.
    Always,
}

/// Counts of its own, held against control's.
#[derive(Debug, Default)]
pub struct Checker {
    checks: Checks,
    steps: u64,
    recount_at: u64,
    finished: u64,
    rejected: u64,
    failed: u64,
    cancelled: u64,
}

impl Checker {
    /// A checker that has seen nothing yet.
    #[must_use]
    pub fn new(checks: Checks) -> Self {
        Self { checks, ..Self::default() }
    }

    /// Whether all that can be checked is to be checked each time.
    #[must_use]
    #[inline]
    pub fn always(&self) -> bool {
        self.checks == Checks::Always
    }

    /// Control has decided: no host is given more requests than its limit. A limit that fell leaves those that it has.
    ///
    /// # Errors
    /// What does not hold.
    #[inline]
    pub fn after_decision(&self, control: &Control, outputs: &[Output]) -> Result<(), String> {
        for output in outputs {
            if let Output::Dispatch(dispatch) = output {
                let load = control.facts().loads[dispatch.host.index()];
                if load.in_flight > load.limit {
                    return Err(format!("host {} was given more than its limit: {load:?}", dispatch.host.0));
                }
            }
        }
        Ok(())
    }

    /// A request ended.
    #[inline]
    pub fn ended(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Finished => self.finished += 1,
            Outcome::Rejected(_) => self.rejected += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::Unfinished => {}
        }
    }

    /// After each step of control: the counters conserve; every thousand steps or so all is counted again.
    ///
    /// # Errors
    /// What does not hold.
    #[inline]
    pub fn after_step(&mut self, control: &Control) -> Result<(), String> {
        self.steps += 1;
        let counters = &control.facts().counters;
        if !counters.conserve() {
            return Err(format!("requests are lost or doubled: {counters:?}"));
        }
        if self.steps < self.recount_at && !self.always() {
            return Ok(());
        }
        let facts = control.facts();
        let places = (facts.hosts.len() * (1 + facts.models.len())) as u64;
        let things = counters.queued + counters.running + places;
        self.recount_at = self.steps + (things * RECOUNT_STEPS_EACH).max(RECOUNT_STEPS);
        self.recount(control)
    }

    /// Counts everything again.
    ///
    /// # Errors
    /// What does not hold.
    pub fn recount(&self, control: &Control) -> Result<(), String> {
        let facts = control.facts();
        let counters = &facts.counters;
        control.recount()?;
        let (mut queued, mut running) = (0, 0);
        let mut in_flight = vec![0; facts.hosts.len()];
        let mut tokens = vec![0; facts.hosts.len()];
        for (slot, entry) in facts.ledger.iter() {
            if !entry.is_running() {
                queued += 1;
                continue;
            }
            running += 1;
            let host = facts.ledger.host(slot).ok_or("a running request without a host")?;
            let begun = facts.ledger.begun(slot).ok_or("a running request without an attempt")?;
            in_flight[host.index()] += 1;
            tokens[host.index()] += u64::from(begun.charged.total());
        }
        if (queued, running) != (counters.queued, counters.running) {
            return Err(format!(
                "ledger holds {queued} queued and {running} running, counters say {counters:?}"
            ));
        }
        if !facts.predictions.conserve(counters.finished) {
            return Err(format!(
                "{} requests finished, predictions say {:?}",
                counters.finished, facts.predictions
            ));
        }
        for (index, load) in facts.loads.iter().enumerate() {
            if (load.in_flight, load.outstanding_tokens) != (in_flight[index], tokens[index]) {
                return Err(format!(
                    "host {index} has {} requests, its load says {load:?}",
                    in_flight[index]
                ));
            }
        }
        let ends = (self.finished, self.rejected, self.failed, self.cancelled);
        // Control ends a request in the same step in which the driver is told, or before the driver has acted on it.
        let told = (counters.finished, counters.rejected, counters.failed, counters.cancelled);
        let behind = (told.0 + told.1 + told.2 + told.3).checked_sub(ends.0 + ends.1 + ends.2 + ends.3);
        if behind.is_none_or(|behind| behind > 1) {
            return Err(format!("driver saw {ends:?} end, control {told:?}"));
        }
        Ok(())
    }
}
