//! What a run tells, held against what must be so while it goes on.

use std::collections::BTreeMap;

use control::door::{Action, Input, Note, Output};
use control::ids::ActionId;
use control::log::Record as LogRecord;
use control::units::{Instant, Nanos};
use sim::simulation::{Progress, Sink};
use traces::record::{Record, Sample};

use super::super::invariants::Witness;

/// A run of a few minutes that goes on for so long waits for something that never comes.
const SIMULATED_MAX: Nanos = Nanos::from_secs(24 * 3_600);

/// Watches a run.
#[derive(Default)]
pub(super) struct Watching {
    pub(super) witness: Witness,
    /// Requests, in order of their ends.
    pub(super) records: Vec<Record>,
    /// Actions of which no end was heard.
    pub(super) acting: BTreeMap<ActionId, Action>,
    /// The longest that a first byte was waited for.
    pub(super) first_byte_timeout_max: Nanos,
    last: Progress,
}

impl Watching {
    /// What was left when the run was stopped, in words.
    pub(super) fn left(&self) -> String {
        format!("{} requests are under way", self.last.arrived - self.last.ended)
    }

    fn step(&mut self, input: &Input, outputs: &[Output]) -> Result<(), String> {
        if let Input::Acted { action, .. } = input {
            self.acting.remove(action);
        }
        for output in outputs {
            match output {
                Output::Dispatch(dispatch) => {
                    let timeout = dispatch.first_byte_timeout;
                    self.first_byte_timeout_max = self.first_byte_timeout_max.max(timeout);
                }
                Output::Act(action) => {
                    let before = self.acting.insert(action.id, *action);
                    before.map_or(Ok(()), |_| Err(format!("action {} is asked for twice", action.id.0)))?;
                }
                Output::Abandon(action) => {
                    self.acting.remove(&action.id);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Sink for Watching {
    fn record(&mut self, record: &Record) {
        self.records.push(record.clone());
    }

    fn sample(&mut self, _: &Sample) {}

    fn note(&mut self, _: Instant, _: Note) {}

    fn progress(&mut self, progress: &Progress) -> bool {
        self.last = *progress;
        progress.now.since(Instant::ZERO) < SIMULATED_MAX
    }

    fn log(&mut self, record: &LogRecord<'_>) -> Result<(), String> {
        self.witness.read(record)?;
        if let LogRecord::Step { input, outputs, .. } = record {
            self.step(input, outputs)?;
        }
        Ok(())
    }

    fn wants_log(&self) -> bool {
        true
    }
}
