//! Who gets how many tokens in the next step, for how many steps that stays so, and what they take.

use control::units::Instant;
use smallvec::SmallVec;

use super::Coalesced;
use super::segment::Segment;
use super::slots::Doing;
use crate::batch::Discipline;
use crate::costs::{Composition, saturate};

/// The steps under way, all of one composition.
#[derive(Debug, Default)]
pub(super) struct Jump {
    pub(super) segment: Segment,
    /// How many.
    pub(super) steps: u64,
    /// Cut to the first boundary after something came in.
    pub(super) cut: bool,
    /// Prompt tokens that each prefilling slot has in each step.
    pub(super) grants: SmallVec<[(u32, u32); 2]>,
    /// Decoding slots that do not get in; with any of them the jump is one step.
    pub(super) starved: Vec<u32>,
}

impl Coalesced {
    /// Decides the composition of the next step and for how many steps it stays.
    pub(super) fn plan(&mut self, now: Instant) {
        let decoding = self.agenda.len() as u32;
        self.jump.cut = false;
        self.jump.grants.clear();
        self.jump.starved.clear();
        self.jump.steps = self.agenda.soonest().map_or(u64::MAX, |step| step - self.step);
        if !self.prefilling.is_empty() || decoding > self.spec.batch_tokens {
            self.fill(decoding);
        }
        let mut batch = Composition {
            decoding,
            context: self.sums.context,
            window_context: self.sums.window_context,
            ..Composition::default()
        };
        let mut below_window = self.sums.below_window;
        for &slot in &self.jump.starved {
            let context = self.slots[slot].context(self.step);
            batch.decoding -= 1;
            batch.context -= u64::from(context);
            batch.window_context -= u64::from(context.min(self.costs.window));
            below_window -= u32::from(context < self.costs.window);
        }
        let mut squares = 0;
        for &(index, tokens) in &self.jump.grants {
            let slot = &mut self.slots[index];
            if !std::mem::replace(&mut slot.begun, true) {
                slot.mark = now.0;
            }
            batch.prompt_tokens += tokens;
            batch.pairs_twice += u64::from(tokens) * (2 * u64::from(slot.settled) + u64::from(tokens));
            squares += u128::from(tokens) * u128::from(tokens);
        }
        let growth = u64::from(batch.decoding + batch.prompt_tokens);
        let costs = &*self.costs;
        self.jump.segment = Segment {
            first: saturate(costs.contextual_step(&batch)),
            rise: saturate(
                u128::from(costs.context) * u128::from(batch.decoding)
                    + u128::from(costs.window_context) * u128::from(below_window)
                    + u128::from(costs.prefill_context) * squares,
            ),
            span: costs.span,
            cells: self.sums.cells + growth,
            growth,
        };
    }

    /// Shares the next step among all that want in.
    fn fill(&mut self, decoding: u32) {
        let batch_tokens = self.spec.batch_tokens;
        let jump = &mut self.jump;
        let prompt_left: u64 =
            self.prefilling.iter().map(|&slot| u64::from(self.slots[slot].prompt_left())).sum();
        let fits = prompt_left + u64::from(decoding) <= u64::from(batch_tokens);
        if fits || self.spec.discipline == Discipline::PerSlot {
            for &slot in &self.prefilling {
                let left = self.slots[slot].prompt_left();
                let tokens = left.min(batch_tokens);
                jump.grants.push((slot, tokens));
                jump.steps = jump.steps.min(u64::from(left / tokens));
            }
            return;
        }
        let mut room = batch_tokens;
        let mut first_starved = None;
        for slot in self.slots.running_from(self.first_slot) {
            let decodes = self.slots[slot].doing == Doing::Decode;
            let wanted = if decodes { 1 } else { self.slots[slot].prompt_left() };
            let tokens = wanted.min(room);
            room -= tokens;
            if tokens == 0 {
                first_starved = first_starved.or(Some(slot));
                if decodes {
                    jump.starved.push(slot);
                }
            } else if !decodes {
                jump.grants.push((slot, tokens));
                jump.steps = jump.steps.min(u64::from(wanted / tokens));
            }
        }
        if let Some(slot) = first_starved {
            // The next step begins with another slot: it may look different.
            self.first_slot = slot;
            jump.steps = 1;
        }
    }
}
