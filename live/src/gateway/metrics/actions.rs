//! Counts of actions on hosts: begun = ended + in flight.

use std::collections::{BTreeMap, VecDeque};

use control::door::{Action, ActionOutcome, Input, Output};
use control::facts::errands::Kind;
use control::ids::ActionId;
use control::units::Instant;

use super::histogram::{ACTION_SECONDS, Histogram};
use super::seconds;
use crate::gateway::act::{deed_name, failure_name};

/// Proposed actions that are remembered.
const PROPOSED_MAX: usize = 256;

/// What became of actions, by the words for their deeds.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway) struct ActionCounts {
    /// By deed and outcome: `done`, `abandoned`, or why it failed.
    pub(super) ended: BTreeMap<(&'static str, &'static str), u64>,
    /// From its beginning to its end, of those that were done.
    pub(super) took: BTreeMap<&'static str, Histogram>,
    open: BTreeMap<ActionId, (&'static str, Instant)>,
    /// What control would have done, the newest last.
    proposed: VecDeque<(Instant, Action)>,
}

impl ActionCounts {
    /// Control takes an input.
    pub(super) fn input(&mut self, now: Instant, input: &Input) {
        let Input::Acted { action, outcome } = input else { return };
        let Some((deed, began)) = self.open.remove(action) else { return };
        let outcome = match outcome {
            ActionOutcome::Done => {
                let took = self.took.entry(deed).or_insert_with(|| Histogram::new(ACTION_SECONDS));
                took.record(seconds(began, now));
                "done"
            }
            ActionOutcome::Failed(failure) => failure_name(*failure),
        };
        *self.ended.entry((deed, outcome)).or_default() += 1;
    }

    /// Control has decided.
    pub(super) fn output(&mut self, now: Instant, output: &Output) {
        match output {
            Output::Act(action) => {
                self.open.insert(action.id, (deed_name(Kind::of(action.deed)), now));
            }
            Output::Abandon(action) => {
                if let Some((deed, _)) = self.open.remove(&action.id) {
                    *self.ended.entry((deed, "abandoned")).or_default() += 1;
                }
            }
            Output::Proposed(action) => {
                if self.proposed.len() == PROPOSED_MAX {
                    self.proposed.pop_front();
                }
                self.proposed.push_back((now, *action));
            }
            _ => {}
        }
    }

    /// Under way, by deed.
    pub(super) fn in_flight(&self) -> BTreeMap<&'static str, u64> {
        // A deed that was ever begun keeps its series.
        let mut in_flight: BTreeMap<&'static str, u64> =
            self.ended.keys().map(|(deed, _)| (*deed, 0)).collect();
        for (deed, _) in self.open.values() {
            *in_flight.entry(deed).or_default() += 1;
        }
        in_flight
    }

    /// What control would have done, the newest first.
    pub(in crate::gateway) fn proposed(&self) -> impl Iterator<Item = &(Instant, Action)> {
        self.proposed.iter().rev()
    }
}
