//! What happened in a run besides its requests: what the operator did, and what control changed by itself, in words.
//!
//! Left out: why control did so (see the decision log).

use std::fmt;

use control::door::{BreakerState, Note, Part};
use control::units::Instant;

use crate::metrics::MetricsSpec;

/// Events that a summary holds at most; `events.csv` has them all.
pub const EVENTS_MAX: usize = 64;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// What kind of thing, in a word without blanks: what scripts look for.
    pub kind: &'static str,
    /// What, for a person.
    pub text: String,
}

impl Event {
    /// What control notes, with the names of hosts, models and arms.
    #[must_use]
    pub fn noted(at: Instant, note: Note, spec: &MetricsSpec) -> Self {
        let (kind, text) = match note {
            Note::Breaker { host, model, state } => {
                let state = match state {
                    BreakerState::Closed => "closed: all requests pass",
                    BreakerState::Open => "opened: no request passes",
                    BreakerState::HalfOpen => "half-open: a few requests pass, to see",
                };
                let of = model.map_or_else(String::new, |id| format!(" for {}", spec.model_name(id)));
                ("breaker", format!("breaker of host {}{of} {state}", spec.host_name(host)))
            }
            Note::Selected { arm } => ("selected", format!("{} decides from now on", spec.arm_name(arm))),
            Note::RolledBack { arm } => (
                "rolled_back",
                format!("{} did worse than its guard allows: no more requests", spec.arm_name(arm)),
            ),
            Note::Breached { arm } => (
                "breached",
                format!("{} did worse than its guard allows; frozen, so it goes on", spec.arm_name(arm)),
            ),
            Note::Restored => ("restored", "the config before the last is in force again".to_owned()),
            Note::NothingToRestore => ("nothing_to_restore", "there is no config to go back to".to_owned()),
            Note::Conflict { model, kind } => (
                "conflict",
                format!("contents of {} differ: {kind:?}", spec.model_name(model)).to_lowercase(),
            ),
            Note::Converged { model } => {
                ("converged", format!("all that have {} have the same content again", spec.model_name(model)))
            }
            Note::Planned { replicas, missing } => (
                "planned",
                format!("another placement: {replicas} replicas, {missing} of them not in memory yet"),
            ),
            Note::FellBack(part) => ("fell_back", format!("{} from now on", PlainForm(part, spec))),
        };
        Self { at, kind, text }
    }
}

/// What takes the place of a part at fault.
struct PlainForm<'a>(Part, &'a MetricsSpec);

impl fmt::Display for PlainForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0 {
            Part::Queue => "the queue",
            Part::Hosts => "the order of hosts",
            Part::Constraints => "the matching of demands to hosts",
            Part::History => "the history of answers",
            Part::Scheduler => return f.write_str("the scheduler was at fault: first in, first out"),
            Part::Balancer(arm) => {
                let arm = self.1.arm_name(arm);
                return write!(f, "the balancer of {arm} was at fault: fewest requests under way");
            }
        };
        write!(f, "{what} was at fault: its plain form decides")
    }
}

/// The events of a run: how many, and the first of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Events {
    first: Vec<Event>,
    len: u64,
}

impl Events {
    /// Adds the next, in order of time.
    pub fn push(&mut self, event: Event) {
        self.len += 1;
        if self.first.len() < EVENTS_MAX {
            self.first.push(event);
        }
    }

    /// The first, at most [`EVENTS_MAX`].
    #[must_use]
    pub fn first(&self) -> &[Event] {
        &self.first
    }

    /// How many there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use control::ids::{ArmId, HostId, ModelId};

    use super::*;
    use crate::made_up::spec;

    fn text(note: Note) -> String {
        let Event { kind, text, .. } = Event::noted(Instant(5), note, &spec());
        format!("{kind}: {text}")
    }

    #[test]
    fn notes_are_told_with_names() {
        let breaker = |model, state| text(Note::Breaker { host: HostId(0), model, state });
        let notes = [
            breaker(Some(ModelId(0)), BreakerState::Open),
            breaker(None, BreakerState::HalfOpen),
            breaker(Some(ModelId(7)), BreakerState::Closed),
            text(Note::Selected { arm: ArmId(0) }),
            text(Note::RolledBack { arm: ArmId(1) }),
            text(Note::Breached { arm: ArmId(9) }),
            text(Note::Restored),
            text(Note::NothingToRestore),
            text(Note::FellBack(Part::Queue)),
            text(Note::FellBack(Part::Scheduler)),
            text(Note::FellBack(Part::Balancer(ArmId(2)))),
        ];
        insta::assert_snapshot!(notes.join("\n"));
    }

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let mut events = Events::default();
        (0..200).for_each(|at| events.push(Event::noted(Instant(at), Note::Restored, &spec())));
        assert_eq!((events.count(), events.first().len()), (200, EVENTS_MAX));
        assert_eq!(events.first()[EVENTS_MAX - 1].at, Instant(EVENTS_MAX as u64 - 1));
    }
}
