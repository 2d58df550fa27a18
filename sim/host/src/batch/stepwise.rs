//! The reference engine: every step is executed, over all slots, with nothing remembered that can be counted.

use std::collections::VecDeque;
use std::sync::Arc;

use control::request::{Block, DoneReason};
use control::units::{Instant, Nanos};

use super::clock::Clock;
use super::prefix::{Held, cached_tokens, common_prefix, shifted_tokens};
use super::stats::LoopStats;
use super::{Discipline, LoopEvent, LoopSpec, PrefixCache, Sequence};
use crate::api::{Due, Phase, RequestKey};
use crate::costs::{Composition, Costs};

#[derive(Debug)]
pub(super) struct Stepwise {
    spec: LoopSpec,
    /// The tables in force: those of the specification, slowed down.
    costs: Arc<Costs>,
    /// Takes hold at the next boundary.
    slowdown: Option<u32>,
    slots: Vec<Slot>,
    waiting: VecDeque<Sequence>,
    state: State,
    /// Tokens that each slot has in the step under way.
    grants: Vec<u32>,
    /// The slot that is served first in the next step.
    first_slot: usize,
    /// Slots given out so far.
    given_out: u64,
    stats: LoopStats,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// Idle, with requests that start at this time.
    Starting(Instant),
    /// Steps run since `since`; the one under way is over at `end`.
    Busy {
        since: Instant,
        end: Clock,
    },
}

#[derive(Debug, Default)]
struct Slot {
    sequence: Option<Running>,
    /// When it was last given out, in the order of giving out; 0 = never.
    last_given_out: u64,
    blocks: Option<Arc<[Block]>>,
    answer_block: u64,
    tokens: u32,
    matching: u32,
}

#[derive(Debug)]
struct Running {
    key: RequestKey,
    prompt_tokens: u32,
    answer_tokens: u32,
    done: DoneReason,
    shift: bool,
    cached_tokens: u32,
    generated: u32,
    cancelled: bool,
    prompt_begun: Option<Instant>,
    first_token: Instant,
}

impl Slot {
    fn held(&self) -> Held<'_> {
        Held {
            blocks: self.blocks.as_deref(),
            answer_block: self.answer_block,
            tokens: self.tokens,
            matching: self.matching,
        }
    }

    /// Prompt tokens still to evaluate; `None` where no sequence is, 0 where it decodes.
    fn prompt_left(&self) -> Option<u32> {
        let sequence = self.sequence.as_ref()?;
        Some(if sequence.generated > 0 { 0 } else { sequence.prompt_tokens - self.tokens })
    }
}

impl Stepwise {
    pub(super) fn new(spec: LoopSpec) -> Self {
        let slots = (0..spec.slots).map(|_| Slot::default()).collect();
        Self {
            costs: Arc::clone(&spec.costs),
            slowdown: None,
            slots,
            waiting: VecDeque::new(),
            state: State::Idle,
            grants: vec![0; spec.slots as usize],
            first_slot: 0,
            given_out: 0,
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

    pub(super) fn admit(&mut self, now: Instant, sequence: Sequence) {
        self.spec.check(&sequence);
        self.waiting.push_back(sequence);
        if matches!(self.state, State::Idle) {
            self.state = State::Starting(now);
        }
    }

    pub(super) fn cancel(&mut self, _now: Instant, key: RequestKey, out: &mut Vec<LoopEvent>) {
        if let Some(index) = self.waiting.iter().position(|sequence| sequence.key == key) {
            self.waiting.remove(index);
            out.push(LoopEvent::Cancelled(key));
            if self.waiting.is_empty() && matches!(self.state, State::Starting(_)) {
                self.state = State::Idle;
            }
        }
        for sequence in self.slots.iter_mut().filter_map(|slot| slot.sequence.as_mut()) {
            sequence.cancelled |= sequence.key == key;
        }
    }

    pub(super) fn slow_down(&mut self, _now: Instant, permille: u32) {
        self.slowdown = Some(permille);
        if !matches!(self.state, State::Busy { .. }) {
            self.change_pace();
        }
    }

    pub(super) fn advance(&mut self, due: Due, out: &mut Vec<LoopEvent>) {
        self.stats.boundaries += 1;
        let (since, clock) = match self.state {
            State::Busy { since, end, .. } => {
                self.stats.steps += 1;
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
            self.fill();
            let picos = self.costs.step(&self.composition());
            self.note_begun_prompts(clock.now());
            self.state = State::Busy { since, end: clock.after(u128::from(picos.0)) };
        }
    }

    pub(super) fn running(&self) -> u32 {
        self.slots.iter().filter(|slot| slot.sequence.is_some()).count() as u32
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
        LoopStats { running: self.running(), waiting: self.waiting(), ..self.stats }
    }

    fn change_pace(&mut self) {
        if let Some(permille) = self.slowdown.take() {
            self.costs = Arc::new(self.spec.costs.scaled(permille));
        }
    }

    /// Decides how many tokens each slot has in the next step.
    fn fill(&mut self) {
        self.grants.fill(0);
        let slots = self.slots.len();
        let mut room = self.spec.batch_tokens;
        let mut starved = None;
        for index in (0..slots).map(|offset| (self.first_slot + offset) % slots) {
            let Some(prompt_left) = self.slots[index].prompt_left() else { continue };
            let wanted = prompt_left.max(1);
            self.grants[index] = match self.spec.discipline {
                Discipline::PerSlot => wanted.min(self.spec.batch_tokens),
                Discipline::Shared => wanted.min(room),
            };
            room = room.saturating_sub(self.grants[index]);
            if self.grants[index] == 0 {
                starved = starved.or(Some(index));
            }
        }
        self.first_slot = starved.unwrap_or(self.first_slot);
    }

    fn composition(&self) -> Composition {
        let mut batch = Composition::default();
        for (slot, &tokens) in self.slots.iter().zip(&self.grants) {
            let Some(prompt_left) = slot.prompt_left() else { continue };
            batch.cells += u64::from(slot.tokens + tokens);
            if tokens == 0 {
                continue;
            }
            if prompt_left == 0 {
                batch.decoding += 1;
                batch.context += u64::from(slot.tokens);
                batch.window_context += u64::from(slot.tokens.min(self.costs.window));
            } else {
                batch.prompt_tokens += tokens;
                batch.pairs_twice += u64::from(tokens) * (2 * u64::from(slot.tokens) + u64::from(tokens));
            }
        }
        batch
    }

    fn note_begun_prompts(&mut self, now: Instant) {
        for (slot, &tokens) in self.slots.iter_mut().zip(&self.grants) {
            if let Some(sequence) = slot.sequence.as_mut().filter(|_| tokens > 0) {
                sequence.prompt_begun = sequence.prompt_begun.or(Some(now));
            }
        }
    }

    /// Sequences that decoded in this step have one more token.
    fn complete(&mut self, now: Instant, out: &mut Vec<LoopEvent>) {
        for index in 0..self.slots.len() {
            if self.grants[index] == 0 || self.slots[index].prompt_left() != Some(0) {
                continue;
            }
            self.slots[index].tokens += 1;
            self.grants[index] = 0;
            self.bring_token(index, now, out);
        }
    }

    /// Sequences whose prompt is evaluated have their first token.
    fn end_prefills(&mut self, now: Instant, out: &mut Vec<LoopEvent>) {
        for index in 0..self.slots.len() {
            let tokens = std::mem::take(&mut self.grants[index]);
            self.slots[index].tokens += tokens;
            self.stats.prompt_tokens += u64::from(tokens);
            if tokens == 0 || self.slots[index].prompt_left() != Some(0) {
                continue;
            }
            let sequence = self.slots[index].sequence.as_mut().expect("a slot with a grant has a sequence");
            sequence.first_token = now;
            if sequence.answer_tokens == 0 {
                let done = sequence.done;
                self.finish(index, now, done, out);
            } else {
                out.push(LoopEvent::FirstToken(sequence.key));
                self.bring_token(index, now, out);
            }
        }
    }

    /// One more token is out; the answer ends, or goes on with room for the next.
    fn bring_token(&mut self, index: usize, now: Instant, out: &mut Vec<LoopEvent>) {
        self.stats.output_tokens += 1;
        let slot = &mut self.slots[index];
        let sequence = slot.sequence.as_mut().expect("only a sequence has tokens");
        sequence.generated += 1;
        if sequence.generated == sequence.answer_tokens {
            let done = sequence.done;
            self.finish(index, now, done, out);
        } else if slot.tokens == self.spec.num_ctx {
            if sequence.shift {
                slot.tokens -= shifted_tokens(self.spec.num_ctx, self.spec.num_keep);
                slot.matching = slot.matching.min(self.spec.num_keep);
            } else {
                self.finish(index, now, DoneReason::Length, out);
            }
        }
    }

    fn finish(&mut self, index: usize, now: Instant, done: DoneReason, out: &mut Vec<LoopEvent>) {
        let sequence = self.leave(index);
        let begun = sequence.prompt_begun.expect("a prompt is begun before it is evaluated");
        out.push(LoopEvent::Finished {
            key: sequence.key,
            output_tokens: sequence.generated,
            cached_tokens: sequence.cached_tokens,
            prompt_eval: sequence.first_token.since(begun),
            eval: now.since(sequence.first_token),
            done,
        });
    }

    fn leave(&mut self, index: usize) -> Running {
        let slot = &mut self.slots[index];
        if self.spec.prefix_cache == PrefixCache::Off {
            slot.tokens = 0;
        }
        slot.sequence.take().expect("a sequence leaves once")
    }

    fn drop_cancelled(&mut self, out: &mut Vec<LoopEvent>) {
        for index in 0..self.slots.len() {
            if self.slots[index].sequence.as_ref().is_some_and(|sequence| sequence.cancelled) {
                let sequence = self.leave(index);
                out.push(LoopEvent::Cancelled(sequence.key));
            }
        }
    }

    /// Requests that wait take free slots.
    fn join(&mut self) {
        while self.slots.iter().any(|slot| slot.sequence.is_none()) {
            let Some(sequence) = self.waiting.pop_front() else { return };
            let (index, cached) = self.choose(&sequence);
            self.given_out += 1;
            self.stats.cached_tokens += u64::from(cached);
            self.slots[index] = Slot {
                sequence: Some(Running {
                    key: sequence.key,
                    prompt_tokens: sequence.prompt_tokens,
                    answer_tokens: sequence.output_tokens,
                    done: sequence.done,
                    shift: sequence.shift,
                    cached_tokens: cached,
                    generated: 0,
                    cancelled: false,
                    prompt_begun: None,
                    first_token: Instant::ZERO,
                }),
                last_given_out: self.given_out,
                blocks: sequence.blocks,
                answer_block: sequence.answer_block,
                tokens: cached,
                matching: u32::MAX,
            };
        }
    }

    /// The free slot for a request, and how many of its prompt tokens are found there.
    fn choose(&self, sequence: &Sequence) -> (usize, u32) {
        let all = 0..self.slots.len();
        let free = |&index: &usize| self.slots[index].sequence.is_none();
        let common = |index: usize| common_prefix(self.slots[index].held(), sequence);
        let cached = |index: usize| {
            cached_tokens(common(index), self.slots[index].tokens, self.costs.window, sequence.prompt_tokens)
        };
        // `max_by_key` takes the last among equals: hence the reversed order.
        let longest =
            |among: &mut dyn DoubleEndedIterator<Item = usize>| among.rev().max_by_key(|&i| common(i));
        match self.spec.prefix_cache {
            PrefixCache::Off => (all.clone().find(free).expect("a slot is free"), 0),
            PrefixCache::PerSlot => {
                let index = longest(&mut all.filter(free)).expect("a slot is free");
                (index, cached(index))
            }
            PrefixCache::MultiUser => {
                let source = longest(&mut all.clone()).expect("there are slots");
                if free(&source) && common(source) == self.slots[source].tokens {
                    return (source, cached(source));
                }
                let oldest = all.filter(free).min_by_key(|&index| self.slots[index].last_given_out);
                (oldest.expect("a slot is free"), cached(source))
            }
        }
    }
}
