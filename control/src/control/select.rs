//! Selection of the base balancer by what the fleet is like, and the loads of hosts that it looks at.

use alloc::vec::Vec;

use super::Control;
use crate::door::{Note, Output, Outputs};
use crate::facts::ledger::Slot;
use crate::facts::recent::{Answer, Recent};
use crate::ids::HostId;
use crate::index::Implementation;
use crate::index::moments::{Moments, Sums};
use crate::policy::select::{Features, Selector};
use crate::request::Usage;
use crate::units::Instant;

/// Loads of the hosts that can be chosen, in thousandths of their slots.
#[derive(Debug)]
pub(super) struct Loads {
    moments: Moments,
    /// What each host is in the moments with.
    of: Vec<Option<u32>>,
}

impl Loads {
    pub(super) fn new(implementation: Implementation) -> Self {
        Self { moments: Moments::new(implementation), of: Vec::new() }
    }

    pub(super) fn sums(&self) -> Sums {
        self.moments.sums()
    }

    pub(super) fn put(&mut self, host: HostId, load: Option<u32>) {
        if host.index() >= self.of.len() {
            self.of.resize(host.index() + 1, None);
        }
        match (core::mem::replace(&mut self.of[host.index()], load), load) {
            (None, None) => {}
            (Some(before), Some(after)) => self.moments.change(before, after),
            (Some(before), None) => self.moments.remove(before),
            (None, Some(after)) => self.moments.add(after),
        }
    }
}

impl Control {
    /// What was selected in place of the base, if anything.
    pub(super) fn selected(&self) -> Option<usize> {
        self.config.select.as_ref()?;
        Some(usize::from(self.facts.recent.as_ref()?.selector.arm()?))
    }

    /// Looks whether another balancer suits the fleet as it is now.
    pub(super) fn reselect(&mut self, now: Instant, out: &mut Outputs) {
        let frozen = self.is_frozen();
        let (Some(config), Some(recent), Some(loads)) =
            (&self.config.select, &mut self.facts.recent, &self.indexes.loads)
        else {
            return;
        };
        if recent.selector.arm().is_some() && frozen {
            return;
        }
        let (shares, load) = (recent.shares(), loads.sums());
        let features = Features {
            hosts: load.count(),
            load,
            sensitive_permille: shares.sensitive,
            prediction_error_permille: shares.error,
            loaded_permille: shares.warm,
        };
        let choice = recent.selector.choose(now, self.epoch, &features, config);
        if choice.switched {
            let arm = self.arms.list[self.arms.choices_from + usize::from(choice.arm)].id;
            out.push(Output::Note(Note::Selected { arm }));
        }
    }

    /// An answer is complete: selection remembers it.
    pub(super) fn remember(&mut self, now: Instant, slot: Slot, usage: &Usage) {
        let Some(recent) = &mut self.facts.recent else { return };
        let (entry, attempts) = (self.facts.ledger.get(slot), self.facts.ledger.attempts(slot));
        let answer = Answer {
            sensitive: entry.arrive.deadline.is_some() || entry.arrive.priority > 0,
            warm: !attempts.cold,
            error_permille: Answer::error_permille(attempts.charged.output, usage.output_tokens),
        };
        recent.note(now, entry.arrive.request, answer);
    }

    /// Remembers answers from now on, or forgets them, as the config in force says. What another list of balancers was
    /// selected from means nothing.
    pub(super) fn prepare_selection(&mut self, anew: bool) {
        let history = self.implementation(crate::door::Part::History);
        match (&self.config.select, &mut self.facts.recent) {
            (None, recent) => *recent = None,
            (Some(_), Some(recent)) => {
                recent.keep_by(history);
                if anew {
                    recent.selector = Selector::default();
                }
            }
            (Some(_), recent) => *recent = Some(Recent::new(history)),
        }
    }
}
