//! The fast engine: from one change of the batch to the next in one jump.
//!
//! Between two changes all steps have the same composition, and their sum is a closed formula ([`segment`]). Of a
//! decoding sequence nothing is touched between its changes: its context follows from the number of the step, and
//! sums over all of them are kept up to date. The work of a boundary is that of what changes there, whatever the
//! number of slots; only a step whose batch cannot hold all that want in, and the search for a prefix, look at all
//! running slots.

mod agenda;
mod plan;
mod segment;
mod slots;

use std::collections::VecDeque;
use std::sync::Arc;

use control::request::DoneReason;
use control::units::{Instant, Nanos};
use smallvec::SmallVec;

use self::agenda::Agenda;
use self::plan::Jump;
use self::slots::{Choice, Doing, Slots};
use super::clock::Clock;
use super::prefix::shifted_tokens;
use super::stats::LoopStats;
use super::{LoopEvent, LoopSpec, Sequence};
use crate::api::{Due, Phase, RequestKey};
use crate::costs::Costs;

/// Steps are counted from here, so that the step less a context never falls below zero.
const FIRST_STEP: u64 = 1 << 32;

#[derive(Debug)]
pub(super) struct Coalesced {
    spec: LoopSpec,
    /// The tables in force: those of the specification, slowed down.
    costs: Arc<Costs>,
    /// Takes hold at the next boundary.
    slowdown: Option<u32>,
    /// The last tables that were slowed down, and by how much: a host that goes back and forth scales once.
    scaled: Option<(u32, Arc<Costs>)>,
    slots: Slots,
    waiting: VecDeque<Sequence>,
    /// Decoding slots.
    agenda: Agenda,
    /// Slots whose prompt is being evaluated, ascending.
    prefilling: SmallVec<[u32; 4]>,
    /// Slots to leave at the next boundary.
    cancelled: Vec<u32>,
    sums: Sums,
    /// Number of the last step that is over.
    step: u64,
    state: State,
    jump: Jump,
    first_slot: u32,
    stats: LoopStats,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// Idle, with requests that start at this time.
    Starting(Instant),
    /// Stands at `at`; the jump under way is over at `end`.
    Busy {
        since: Instant,
        at: Clock,
        end: Clock,
    },
}

/// Kept over the running sequences.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// Contexts of all that run.
    cells: u64,
    /// Contexts of those that decode.
    context: u64,
    /// The same, each at most the window.
    window_context: u64,
    /// How many of those that decode are below the window.
    below_window: u32,
}

impl Coalesced {
    pub(super) fn new(spec: LoopSpec) -> Self {
        assert!(spec.slots <= Agenda::SLOTS_MAX, "a batch loop has at most {} slots", Agenda::SLOTS_MAX);
        Self {
            costs: Arc::clone(&spec.costs),
            slowdown: None,
            scaled: None,
            slots: Slots::default(),
            waiting: VecDeque::new(),
            agenda: Agenda::default(),
            prefilling: SmallVec::new(),
            cancelled: Vec::new(),
            sums: Sums::default(),
            step: FIRST_STEP,
            state: State::Idle,
            jump: Jump::default(),
            first_slot: 0,
            stats: LoopStats::default(),
            spec,
        }
    }

    pub(super) fn next(&self) -> Option<Due> {
        match self.state {
            State::Idle => None,
            State::Starting(at) => Some(Due { at, phase: Phase::Start }),
            State::Busy { end, .. } => Some(Due { at: end.now(), phase: Phase::Boundary }),
        }
    }

    /// See [`super::BatchLoop::prefetch`].
    pub(super) fn prefetch(&self, depth: u32) -> Option<RequestKey> {
        match depth {
            0 => {
                self.agenda.prefetch();
                if !self.waiting.is_empty() {
                    self.slots.prefetch_free();
                }
                let granted = self.jump.grants.first()?;
                self.slots.prefetch(granted.0);
                None
            }
            1 => {
                self.slots.prefetch(self.agenda.next()?);
                None
            }
            _ => {
                let slot =
                    self.jump.grants.first().map(|granted| granted.0).or_else(|| self.agenda.next())?;
                Some(self.slots[slot].key)
            }
        }
    }

    pub(super) fn admit(&mut self, now: Instant, sequence: Sequence) {
        self.spec.check(&sequence);
        self.waiting.push_back(sequence);
        match self.state {
            State::Idle => self.state = State::Starting(now),
            State::Starting(_) => {}
            State::Busy { .. } if self.running() < self.spec.slots => self.cut(now),
            // It joins where a slot becomes free, which is a boundary anyway.
            State::Busy { .. } => {}
        }
    }

    pub(super) fn cancel(&mut self, now: Instant, key: RequestKey, out: &mut Vec<LoopEvent>) {
        let running = self.slots.running_from(0).find(|&slot| self.slots[slot].key == key);
        if let Some(slot) = running {
            if !std::mem::replace(&mut self.slots[slot].cancelled, true) {
                self.cancelled.push(slot);
                self.cut(now);
            }
        } else if let Some(index) = self.waiting.iter().position(|sequence| sequence.key == key) {
            self.waiting.remove(index);
            out.push(LoopEvent::Cancelled(key));
            if self.waiting.is_empty() && matches!(self.state, State::Starting(_)) {
                self.state = State::Idle;
            }
        }
    }

    pub(super) fn slow_down(&mut self, now: Instant, permille: u32) {
        self.slowdown = Some(permille);
        if matches!(self.state, State::Busy { .. }) {
            self.cut(now);
        } else {
            self.change_pace();
        }
    }

    pub(super) fn advance(&mut self, due: Due, out: &mut Vec<LoopEvent>) {
        self.stats.boundaries += 1;
        let (since, clock) = match self.state {
            State::Busy { since, end, .. } => {
                self.land();
                self.complete(due.at, out);
                self.end_prefills(due.at, out);
                self.drop_cancelled(out);
                (since, end)
            }
            State::Idle | State::Starting(_) => (due.at, Clock::new(due.at)),
        };
        self.change_pace();
        self.join();
        if self.running() == 0 {
            self.stats.busy += due.at.since(since);
            self.state = State::Idle;
        } else {
            self.plan(clock.now());
            let end = clock.after(self.jump.segment.cost(self.jump.steps));
            self.state = State::Busy { since, at: clock, end };
        }
    }

    pub(super) fn running(&self) -> u32 {
        self.slots.running_len()
    }

    pub(super) fn waiting(&self) -> u32 {
        self.waiting.len() as u32
    }

    pub(super) fn busy(&self) -> (Nanos, Option<Instant>) {
        let since = match self.state {
            State::Busy { since, .. } => Some(since),
            State::Idle | State::Starting(_) => None,
        };
        (self.stats.busy, since)
    }

    pub(super) fn stats(&self) -> LoopStats {
        LoopStats {
            steps: self.step - FIRST_STEP,
            running: self.running(),
            waiting: self.waiting(),
            ..self.stats
        }
    }

    /// With the steps of the jump under way that are over by `now`.
    pub(super) fn stats_at(&self, now: Instant) -> LoopStats {
        let mut stats = self.stats();
        if let State::Busy { at, end, .. } = self.state
            && end.now() > now
        {
            let steps = self.jump.segment.steps_beyond(at.picos_to(now), self.jump.steps) - 1;
            let prompt_tokens: u64 = self.jump.grants.iter().map(|&(_, tokens)| u64::from(tokens)).sum();
            stats.steps += steps;
            stats.prompt_tokens += steps * prompt_tokens;
            stats.output_tokens += steps * (self.agenda.len() - self.jump.starved.len()) as u64;
        }
        stats
    }

    /// The jump under way ends at the first boundary strictly after `now`.
    fn cut(&mut self, now: Instant) {
        if let State::Busy { at, end, .. } = &mut self.state
            && !std::mem::replace(&mut self.jump.cut, true)
        {
            self.jump.steps = self.jump.segment.steps_beyond(at.picos_to(now), self.jump.steps);
            *end = at.after(self.jump.segment.cost(self.jump.steps));
        }
    }

    fn change_pace(&mut self) {
        let Some(permille) = self.slowdown.take() else { return };
        self.costs = match &self.scaled {
            _ if permille == 1_000 => Arc::clone(&self.spec.costs),
            Some((last, costs)) if *last == permille => Arc::clone(costs),
            _ => {
                let costs = Arc::new(self.spec.costs.scaled(permille));
                self.scaled = Some((permille, Arc::clone(&costs)));
                costs
            }
        };
    }

    /// The steps of the jump are over.
    fn land(&mut self) {
        let steps = self.jump.steps;
        let decoded = (self.agenda.len() - self.jump.starved.len()) as u64;
        self.step += steps;
        self.sums.cells += steps * self.jump.segment.growth;
        self.sums.context += steps * decoded;
        self.sums.window_context += steps * u64::from(self.sums.below_window);
        self.stats.output_tokens += steps * decoded;
        for &(slot, tokens) in &self.jump.grants {
            let tokens = steps * u64::from(tokens);
            self.slots[slot].settled += tokens as u32;
            self.stats.prompt_tokens += tokens;
        }
        if !self.jump.starved.is_empty() {
            self.starve();
        }
    }

    /// For those that did not get into the step that has ended, everything is one step later.
    fn starve(&mut self) {
        for &slot in &self.jump.starved {
            let slot = &mut self.slots[slot];
            slot.origin += 1;
            slot.last_step += 1;
            // Its context stays, and the sum above took it for one that grows.
            self.sums.window_context -= u64::from(slot.context(self.step) < self.costs.window);
        }
        self.agenda.delay(&self.jump.starved);
    }

    /// Decoding slots for which something changes at this step.
    fn complete(&mut self, now: Instant, out: &mut Vec<LoopEvent>) {
        while let Some(slot) = self.agenda.take(self.step) {
            let context = self.slots[slot].context(self.step);
            if context == self.costs.window {
                self.sums.below_window -= 1;
            }
            if self.slots[slot].last_step == self.step {
                let done = self.slots[slot].done;
                self.finish(slot, now, done, out);
            } else if context < self.spec.num_ctx || self.shift(slot, now, out) {
                self.schedule(slot);
            }
        }
    }

    /// Slots whose prompt is evaluated have their first token.
    fn end_prefills(&mut self, now: Instant, out: &mut Vec<LoopEvent>) {
        let mut index = 0;
        while let Some(&slot) = self.prefilling.get(index) {
            let sequence = &mut self.slots[slot];
            if sequence.settled < sequence.prompt_tokens {
                index += 1;
                continue;
            }
            self.prefilling.remove(index);
            sequence.prompt_eval = now.0 - sequence.mark;
            sequence.mark = now.0;
            sequence.doing = Doing::Decode;
            sequence.origin = self.step - u64::from(sequence.settled);
            let answer_tokens = sequence.answer_tokens;
            // For an embedding the step before: no token was out at its end.
            sequence.last_step = self.step + u64::from(answer_tokens) - 1;
            let (key, done, context) = (sequence.key, sequence.done, sequence.settled);
            self.enter(context);
            if answer_tokens > 0 {
                self.stats.output_tokens += 1;
                out.push(LoopEvent::FirstToken(key));
            }
            if answer_tokens <= 1 {
                self.finish(slot, now, done, out);
            } else if context < self.spec.num_ctx || self.shift(slot, now, out) {
                self.schedule(slot);
            }
        }
    }

    /// The context of a slot is full and its answer goes on: true where room was made, false where that ended it.
    fn shift(&mut self, slot: u32, now: Instant, out: &mut Vec<LoopEvent>) -> bool {
        if !self.slots[slot].shift {
            self.finish(slot, now, DoneReason::Length, out);
            return false;
        }
        let dropped = shifted_tokens(self.spec.num_ctx, self.spec.num_keep);
        self.withdraw(self.slots[slot].context(self.step));
        self.slots[slot].origin += u64::from(dropped);
        self.slots[slot].matching = self.slots[slot].matching.min(self.spec.num_keep);
        self.enter(self.slots[slot].context(self.step));
        self.sums.cells -= u64::from(dropped);
        true
    }

    fn schedule(&mut self, slot: u32) {
        let change = self.slots[slot].change(self.step, self.spec.num_ctx, self.costs.window);
        self.agenda.insert(change, slot);
    }

    /// A sequence begins to decode.
    fn enter(&mut self, context: u32) {
        self.sums.context += u64::from(context);
        self.sums.window_context += u64::from(context.min(self.costs.window));
        self.sums.below_window += u32::from(context < self.costs.window);
    }

    /// A sequence decodes no more.
    fn withdraw(&mut self, context: u32) {
        self.sums.context -= u64::from(context);
        self.sums.window_context -= u64::from(context.min(self.costs.window));
        self.sums.below_window -= u32::from(context < self.costs.window);
    }

    fn finish(&mut self, slot: u32, now: Instant, done: DoneReason, out: &mut Vec<LoopEvent>) {
        let sequence = &self.slots[slot];
        // Tokens that were still to come are those of steps still to come.
        let missing = (sequence.last_step.max(self.step) - self.step) as u32;
        out.push(LoopEvent::Finished {
            key: sequence.key,
            output_tokens: sequence.answer_tokens - missing,
            cached_tokens: sequence.cached_tokens,
            prompt_eval: Nanos(sequence.prompt_eval),
            eval: Nanos(now.0 - sequence.mark),
            done,
        });
        self.leave(slot);
    }

    /// A slot becomes free; if it decodes, it is on the agenda no more.
    fn leave(&mut self, slot: u32) {
        let context = self.slots[slot].context(self.step);
        self.sums.cells -= u64::from(context);
        if self.slots[slot].doing == Doing::Decode {
            self.withdraw(context);
        }
        self.slots.release(slot, context, self.spec.prefix_cache);
    }

    fn drop_cancelled(&mut self, out: &mut Vec<LoopEvent>) {
        if self.cancelled.is_empty() {
            return;
        }
        let mut cancelled = std::mem::take(&mut self.cancelled);
        cancelled.sort_unstable();
        for slot in cancelled.drain(..) {
            // Otherwise it has ended at this very boundary.
            if self.slots[slot].cancelled {
                match self.slots[slot].doing {
                    Doing::Nothing => unreachable!("a free slot is not cancelled"),
                    Doing::Prefill => self.prefilling.retain(|prefilling| *prefilling != slot),
                    Doing::Decode => {
                        let change = self.slots[slot].change(self.step, self.spec.num_ctx, self.costs.window);
                        self.agenda.remove(change, slot);
                    }
                }
                out.push(LoopEvent::Cancelled(self.slots[slot].key));
                self.leave(slot);
            }
        }
        self.cancelled = cancelled;
    }

    /// Requests that wait take free slots.
    fn join(&mut self) {
        while self.running() < self.spec.slots {
            let Some(sequence) = self.waiting.pop_front() else { return };
            let choice = Choice {
                prefix_cache: self.spec.prefix_cache,
                slots: self.spec.slots,
                window: self.costs.window,
                step: self.step,
            };
            let (slot, cached) = self.slots.give_out(sequence, choice);
            self.stats.cached_tokens += u64::from(cached);
            self.sums.cells += u64::from(cached);
            let at = self.prefilling.partition_point(|&other| other < slot);
            self.prefilling.insert(at, slot);
        }
    }
}
