//! A step of control, and what follows from it: its outputs carried out, requests ended.

use std::borrow::Cow;

use control::door::{Deed, Dispatch, Env, Input, NoMeter, Output, Stage};
use control::ids::RequestId;
use control::log;
use control::request::Outcome;

use super::{SEGMENT_STEPS, Simulation, Timer, ToHost};
use crate::engine::Order;
use crate::simulation::{RunError, Sink};

impl<S: Sink> Simulation<'_, S> {
    /// One step of control, and what follows from it.
    pub(super) fn step(&mut self, input: Input) -> Result<(), RunError> {
        self.digest.input(self.now, &input);
        if self.logging {
            self.open_segment()?;
            self.decide(input.clone());
            let outputs = Cow::Borrowed(self.outputs.as_slice());
            let record = log::Record::Step { now: self.now, input: Cow::Owned(input), outputs };
            self.sink.log(&record).map_err(RunError::Log)?;
        } else {
            self.decide(input);
        }
        let what = self.checker.after_decision(&self.control, self.outputs.as_slice());
        what.map_err(|what| self.broken(what))?;
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain() {
            self.digest.output(&output);
            self.carry_out(output);
        }
        self.outputs = outputs;
        let what = self.checker.after_step(&self.control);
        what.map_err(|what| self.broken(what))
    }

    /// Control takes an input in, timed where someone asks for it.
    #[inline]
    fn decide(&mut self, input: Input) {
        match self.sink.meter() {
            None => {
                let mut env = Env { seed: self.seed, meter: &mut NoMeter };
                self.control.step(self.now, input, &mut self.outputs, &mut env);
            }
            Some(meter) => {
                meter.enter(Stage::Step);
                let mut env = Env { seed: self.seed, meter };
                self.control.step(self.now, input, &mut self.outputs, &mut env);
                env.meter.leave(Stage::Step);
            }
        }
    }

    /// Opens a segment of the log with a snapshot, at the start and every so many steps.
    fn open_segment(&mut self) -> Result<(), RunError> {
        if self.steps_logged.is_multiple_of(SEGMENT_STEPS) {
            let record = log::Record::Open {
                version: env!("CARGO_PKG_VERSION").into(),
                seed: self.seed,
                snapshot: Box::new(self.control.snapshot()),
            };
            self.sink.log(&record).map_err(RunError::Log)?;
        }
        self.steps_logged += 1;
        Ok(())
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dispatch(dispatch) => self.dispatch(&dispatch),
            Output::Cancel { request, attempt, host } => {
                self.ask(host, ToHost::Cancel(request, attempt));
            }
            Output::Reject { request, reason } => self.turn_away(request, Outcome::Rejected(reason)),
            Output::Fail { request, failure } => self.turn_away(request, Outcome::Failed(failure)),
            Output::Act(action) if matches!(action.deed, Deed::Start | Deed::Stop) => {
                self.ask_provider(action)
            }
            Output::Act(action) => self.ask(action.host, ToHost::Act(action)),
            Output::Abandon(action) => {
                self.ask(action.host, ToHost::Abandon(action.id));
            }
            Output::Note(note) => {
                self.conflicts.note(&note);
                self.sink.note(self.now, note);
            }
            // Its arm counts it.
            Output::Shadow(_) | Output::Proposed(_) => {}
        }
    }

    fn dispatch(&mut self, dispatch: &Dispatch) {
        let Dispatch { request, attempt, host, arm, first_byte_timeout, idle_timeout, .. } = *dispatch;
        let order = Order {
            at: self.now.saturating_add(first_byte_timeout),
            kind: 0,
            entity: request.0,
            count: attempt.into(),
        };
        self.hosts.prefetch(host);
        let token = self.timers.push(order, Timer::FirstByte(request, attempt));
        let (_, flight) = self.flights.find(request).expect("control dispatches requests under way");
        flight.dispatched = Some(self.now);
        flight.host = Some(host);
        flight.arm = arm;
        flight.attempts = attempt + 1;
        flight.closed = false;
        flight.idle_timeout = idle_timeout;
        flight.silent = false;
        flight.held_until = self.now;
        flight.timeout = Some(token);
        self.ask(host, ToHost::Request(request, attempt));
    }

    fn turn_away(&mut self, request: RequestId, outcome: Outcome) {
        let (place, _) = self.flights.find(request).expect("control ends requests under way");
        self.land(place, outcome);
    }

    /// A request has ended, as its client sees it.
    pub(super) fn land(&mut self, place: u32, outcome: Outcome) {
        let flight = self.flights.at(place);
        for token in [flight.timeout.take(), flight.patience.take()].into_iter().flatten() {
            self.timers.cancel(token);
        }
        self.checker.ended(outcome);
        self.digest.words([flight.request.0, crate::engine::outcome_word(&outcome), self.now.0]);
        self.sink.record(&flight.record(self.now, outcome));
        let job = flight.job.id;
        self.flights.remove(place);
        if self.feedback {
            self.source.ended(job, self.now, outcome);
        }
    }
}
