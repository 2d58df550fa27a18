//! Replay: the inputs of a log go through control again, and the outputs must be the same.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::control::Control;
use crate::door::{Env, Input, NoMeter, Output, Outputs};
use crate::log::Record;
use crate::units::Instant;

/// The first step whose outputs differ.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// Number of the step, from 0.
    pub step: u64,
    /// Its time.
    pub now: Instant,
    /// What went in.
    pub input: Input,
    /// What the log says came out.
    pub recorded: Vec<Output>,
    /// What comes out now.
    pub replayed: Vec<Output>,
}

/// How far a replay is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Segments opened.
    pub segments: u64,
    /// Steps replayed.
    pub steps: u64,
    /// Outputs compared.
    pub outputs: u64,
    /// Gaps met.
    pub gaps: u64,
    /// Steps that the log lost in gaps.
    pub steps_lost: u64,
    /// Steps passed over between a gap and the next segment.
    pub steps_skipped: u64,
}

/// A replay under way.
#[derive(Default)]
pub struct Replay {
    control: Option<Control>,
    seed: u64,
    progress: Progress,
    outputs: Outputs,
}

impl Replay {
    /// A replay that awaits the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Control as of the last step; `None` before a segment opens, and after a gap.
    #[must_use]
    pub fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// Takes the next record in.
    ///
    /// # Errors
    /// The step whose outputs differ.
    pub fn feed(&mut self, record: Record<'_>) -> Result<(), Box<Difference>> {
        match record {
            Record::Open { seed, snapshot, .. } => {
                self.control = Some(Control::restore(*snapshot));
                self.seed = seed;
                self.progress.segments += 1;
            }
            Record::Gap { steps } => {
                self.control = None;
                self.progress.gaps += 1;
                self.progress.steps_lost += steps;
            }
            Record::Step { now, input, outputs } => {
                let Some(control) = &mut self.control else {
                    self.progress.steps_skipped += 1;
                    return Ok(());
                };
                let input = input.into_owned();
                let mut env = Env { seed: self.seed, meter: &mut NoMeter };
                self.outputs.clear();
                control.step(now, input.clone(), &mut self.outputs, &mut env);
                if self.outputs.as_slice() != &*outputs {
                    return Err(Box::new(Difference {
                        step: self.progress.steps,
                        now,
                        input,
                        recorded: outputs.into_owned(),
                        replayed: self.outputs.as_slice().to_vec(),
                    }));
                }
                self.progress.steps += 1;
                self.progress.outputs += self.outputs.as_slice().len() as u64;
            }
        }
        Ok(())
    }
}
