//! Control behind a guard. A step that panics leaves control in no known state: it is built again as it was before that
//! step, from a snapshot and the inputs since then, which give the same state again since control is deterministic.
//! Requests under way never notice. What was at fault, as far as the stage tells, is for the caller to pass on as
//! [`Input::Verdict`]; the plain form then decides.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use control::config::Config;
use control::door::{Env, Input, Meter, Outputs, Part, Stage};
use control::facts::Facts;
use control::ids::ArmId;
use control::units::{Instant, Nanos};
use control::{Control, Snapshot};

/// Inputs after which a new snapshot is taken: building control again takes at most so many steps, some hundredth of a second,
/// and their memory is a few MiB.
const INPUTS_MAX: usize = 8_192;
/// So many broken steps within [`SAFE_WINDOW`] latch safe mode.
const BREAKS_MAX: usize = 3;
const SAFE_WINDOW: Nanos = Nanos::from_secs(600);

/// One step of control.
type Step = fn(&mut Control, Instant, Input, &mut Outputs, &mut Env<'_>);

/// A step panicked. Control is again as it was before it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Broken {
    /// What the step was to take in.
    pub(super) input: Box<Input>,
    /// What may have been at fault.
    pub(super) parts: Vec<Part>,
}

/// The stage that a step is in: what it breaks off in is at fault.
#[derive(Default)]
struct Place {
    stage: Option<Stage>,
    arm: Option<ArmId>,
}

impl Meter for Place {
    fn enter(&mut self, stage: Stage) {
        self.stage = Some(stage);
    }
    fn leave(&mut self, _: Stage) {
        self.stage = None;
    }
    fn asks(&mut self, arm: ArmId) {
        self.arm = Some(arm);
    }
}

/// Control, and how to have it again.
pub(super) struct Guarded {
    control: Control,
    seed: u64,
    step: Step,
    snapshot: Snapshot,
    /// Inputs since the snapshot.
    inputs: Vec<(Instant, Input)>,
    /// When steps broke, of late.
    breaks: VecDeque<Instant>,
    safe: bool,
}

impl Guarded {
    pub(super) fn new(config: Config, seed: u64) -> Self {
        Self::with_step(config, seed, Control::step)
    }

    fn with_step(config: Config, seed: u64, step: Step) -> Self {
        let control = Control::new(config);
        let snapshot = control.snapshot();
        Self { control, seed, step, snapshot, inputs: Vec::new(), breaks: VecDeque::new(), safe: false }
    }

    /// Control itself, to look at.
    pub(super) fn look(&self) -> &Control {
        &self.control
    }

    /// What control knows.
    pub(super) fn facts(&self) -> &Facts {
        self.control.facts()
    }

    /// When control wants to be woken.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.control.next_wake()
    }

    /// All of control, as of now.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.control.snapshot()
    }

    /// Whether steps broke so often that nothing is trusted any more but the plain forms, until the gateway starts anew.
    pub(super) fn is_safe_mode(&self) -> bool {
        self.safe
    }

    /// Every part that has a plain form.
    pub(super) fn all_parts(&self) -> Vec<Part> {
        let arms = 0..self.facts().arms.len() as u16;
        let shared = [Part::Queue, Part::Hosts, Part::Constraints, Part::History, Part::Scheduler];
        shared.into_iter().chain(arms.map(|arm| Part::Balancer(ArmId(arm)))).collect()
    }

    /// One step. Gives what it took in; `out` holds what it decided and nothing else.
    ///
    /// # Errors
    /// [`Broken`] where it panics; `out` is empty then.
    pub(super) fn step(&mut self, now: Instant, input: Input, out: &mut Outputs) -> Result<&Input, Broken> {
        if self.inputs.len() >= INPUTS_MAX {
            self.snapshot = self.control.snapshot();
            self.inputs.clear();
        }
        out.clear();
        let kept = input.clone();
        let mut place = Place::default();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut env = Env { seed: self.seed, meter: &mut place };
            (self.step)(&mut self.control, now, input, out, &mut env);
        }));
        if caught.is_ok() {
            self.inputs.push((now, kept));
            return Ok(&self.inputs[self.inputs.len() - 1].1);
        }
        out.clear();
        let parts = self.parts_at_fault(&place);
        self.rebuild();
        self.note_break(now);
        Err(Broken { input: Box::new(kept), parts: if self.safe { self.all_parts() } else { parts } })
    }

    fn parts_at_fault(&self, place: &Place) -> Vec<Part> {
        match (place.stage, place.arm) {
            (Some(Stage::Balance), Some(arm)) => vec![Part::Balancer(arm), Part::Hosts, Part::History],
            (Some(Stage::Schedule), _) => vec![Part::Scheduler, Part::Queue],
            _ => vec![Part::Queue, Part::Hosts, Part::Constraints, Part::History],
        }
    }

    /// Control as it was before the step that broke.
    fn rebuild(&mut self) {
        self.control = Control::restore(self.snapshot.clone());
        let mut out = Outputs::new();
        for (now, input) in &self.inputs {
            let mut env = Env { seed: self.seed, meter: &mut control::door::NoMeter };
            // These steps went well before, from the same state; what they decided was carried out then.
            self.control.step(*now, input.clone(), &mut out, &mut env);
            out.clear();
        }
    }

    fn note_break(&mut self, now: Instant) {
        self.breaks.push_back(now);
        while self.breaks.front().is_some_and(|&at| now.since(at) >= SAFE_WINDOW) {
            self.breaks.pop_front();
        }
        if self.breaks.len() >= BREAKS_MAX && !self.safe {
            tracing::error!(
                "control broke {BREAKS_MAX} times in ten minutes: safe mode until the gateway starts anew"
            );
            self.safe = true;
        }
    }
}

#[cfg(test)]
mod tests;
