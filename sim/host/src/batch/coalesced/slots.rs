//! The slots of the coalesced engine: made when first used, found by bit, their contexts told from the step count.

use std::sync::Arc;

use control::request::{Block, DoneReason};
use prefetch_index::prefetch_index;
use smallvec::SmallVec;

use super::super::prefix::{Held, cached_tokens, common_prefix};
use super::super::{PrefixCache, Sequence};
use crate::api::RequestKey;

/// What a slot does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    Nothing,
    /// Prompt tokens are evaluated.
    Prefill,
    Decode,
}

/// What changes and is looked at while a request runs stands in the first line of the cache, what only the search for
/// a prefix looks at in the second.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Slot {
    pub(super) key: RequestKey,
    /// Nanoseconds: start of the first step of the prompt; later the first token.
    pub(super) mark: u64,
    pub(super) prompt_eval: u64,
    /// While it decodes, its context is the number of the step less this.
    pub(super) origin: u64,
    /// The step that brings the last token.
    pub(super) last_step: u64,
    /// Its context while it does not decode.
    pub(super) settled: u32,
    pub(super) prompt_tokens: u32,
    pub(super) answer_tokens: u32,
    pub(super) cached_tokens: u32,
    pub(super) doing: Doing,
    pub(super) done: DoneReason,
    pub(super) shift: bool,
    pub(super) begun: bool,
    pub(super) cancelled: bool,
    pub(super) matching: u32,
    pub(super) blocks: Option<Arc<[Block]>>,
    pub(super) answer_block: u64,
    /// When it was last given out, in the order of giving out.
    last_given_out: u64,
}

// Ten thousand hosts of 256 slots each: what a slot takes is what a run takes.
const _: () = assert!(size_of::<Slot>() <= 128);

impl Slot {
    fn new(sequence: Sequence, cached: u32, given_out: u64) -> Self {
        Self {
            key: sequence.key,
            blocks: sequence.blocks,
            answer_block: sequence.answer_block,
            last_given_out: given_out,
            mark: 0,
            prompt_eval: 0,
            origin: 0,
            last_step: 0,
            settled: cached,
            matching: u32::MAX,
            prompt_tokens: sequence.prompt_tokens,
            answer_tokens: sequence.output_tokens,
            cached_tokens: cached,
            doing: Doing::Prefill,
            done: sequence.done,
            shift: sequence.shift,
            begun: false,
            cancelled: false,
        }
    }

    /// Tokens in its cache at the end of `step`.
    pub(super) fn context(&self, step: u64) -> u32 {
        match self.doing {
            Doing::Decode => (step - self.origin) as u32,
            Doing::Nothing | Doing::Prefill => self.settled,
        }
    }

    /// Prompt tokens still to evaluate.
    pub(super) fn prompt_left(&self) -> u32 {
        self.prompt_tokens - self.settled
    }

    /// While it decodes: the soonest step after `step` at whose end something changes for it: its answer is done, its
    /// context full, or its window.
    pub(super) fn change(&self, step: u64, num_ctx: u32, window: u32) -> u64 {
        let soonest = self.last_step.min(self.origin + u64::from(num_ctx));
        let window_full = self.origin + u64::from(window);
        if window_full > step { soonest.min(window_full) } else { soonest }
    }

    fn held(&self, step: u64) -> Held<'_> {
        Held {
            blocks: self.blocks.as_deref(),
            answer_block: self.answer_block,
            tokens: self.context(step),
            matching: self.matching,
        }
    }
}

/// All slots that were ever used, the lowest first; the others are empty.
#[derive(Debug, Default)]
pub(super) struct Slots {
    made: Vec<Slot>,
    /// A bit for each slot that runs.
    running: SmallVec<[u64; 4]>,
    running_len: u32,
    given_out: u64,
}

/// What decides which slot a request gets.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub(super) prefix_cache: PrefixCache,
    pub(super) slots: u32,
    pub(super) window: u32,
    /// The number of the step that has just ended.
    pub(super) step: u64,
}

impl std::ops::Index<u32> for Slots {
    type Output = Slot;
    fn index(&self, slot: u32) -> &Slot {
        &self.made[slot as usize]
    }
}

impl std::ops::IndexMut<u32> for Slots {
    fn index_mut(&mut self, slot: u32) -> &mut Slot {
        &mut self.made[slot as usize]
    }
}

impl Slots {
    pub(super) fn running_len(&self) -> u32 {
        self.running_len
    }

    /// Tells the processor that a slot will be needed soon.
    #[inline]
    pub(super) fn prefetch(&self, slot: u32) {
        prefetch_index(&self.made, slot as usize);
        if let Some(slot) = self.made.get(slot as usize) {
            prefetch_index(std::slice::from_ref(&slot.last_given_out), 0);
        }
    }

    /// The same of the slot that a request would get.
    #[inline]
    pub(super) fn prefetch_free(&self) {
        if let Some(slot) = self.free().next() {
            self.prefetch(slot);
        }
    }

    /// Running slots from `first` on, then those before it.
    pub(super) fn running_from(&self, first: u32) -> impl Iterator<Item = u32> {
        let later = bits(&self.running, false).skip_while(move |&slot| slot < first);
        later.chain(bits(&self.running, false).take_while(move |&slot| slot < first))
    }

    /// Gives a request a slot. One must be free.
    pub(super) fn give_out(&mut self, sequence: Sequence, choice: Choice) -> (u32, u32) {
        let (slot, cached) = self.choose(&sequence, choice);
        self.given_out += 1;
        let made = Slot::new(sequence, cached, self.given_out);
        if slot as usize == self.made.len() {
            self.made.push(made);
            self.running.resize(self.made.len().div_ceil(64), 0);
        } else {
            self.made[slot as usize] = made;
        }
        self.running[slot as usize / 64] |= 1 << (slot % 64);
        self.running_len += 1;
        (slot, cached)
    }

    /// The slot's sequence has gone, with `context` tokens in its cache.
    pub(super) fn release(&mut self, slot: u32, context: u32, prefix_cache: PrefixCache) {
        self.running[slot as usize / 64] &= !(1 << (slot % 64));
        self.running_len -= 1;
        let slot = &mut self[slot];
        slot.doing = Doing::Nothing;
        slot.cancelled = false;
        slot.settled = context;
        if prefix_cache == PrefixCache::Off {
            slot.blocks = None;
        }
    }

    fn free(&self) -> impl Iterator<Item = u32> {
        let made = self.made.len() as u32;
        bits(&self.running, true).take_while(move |&slot| slot < made)
    }

    fn choose(&self, sequence: &Sequence, choice: Choice) -> (u32, u32) {
        let made = self.made.len() as u32;
        let unused = (made < choice.slots).then_some(made);
        match choice.prefix_cache {
            PrefixCache::Off => (self.free().next().or(unused).expect("a slot is free"), 0),
            PrefixCache::PerSlot => match self.longest(self.free(), sequence, choice.step) {
                // An unused slot holds nothing and is higher than all that were used.
                Some((slot, common)) => (slot, self.cached(slot, common, sequence, choice)),
                None => (unused.expect("a slot is free"), 0),
            },
            PrefixCache::MultiUser => {
                let Some((source, common)) = self.longest(0..made, sequence, choice.step) else {
                    return (0, 0);
                };
                let cached = self.cached(source, common, sequence, choice);
                let from = &self[source];
                if from.doing == Doing::Nothing && common == from.settled {
                    return (source, cached);
                }
                let oldest = || self.free().min_by_key(|&slot| self[slot].last_given_out);
                (unused.or_else(oldest).expect("a slot is free"), cached)
            }
        }
    }

    /// The slot with the longest common prefix, the lowest among equals.
    fn longest(
        &self,
        among: impl Iterator<Item = u32>,
        sequence: &Sequence,
        step: u64,
    ) -> Option<(u32, u32)> {
        let mut longest = None;
        for slot in among {
            let common = common_prefix(self[slot].held(step), sequence);
            if longest.is_none_or(|(_, most)| common > most) {
                longest = Some((slot, common));
            }
        }
        longest
    }

    fn cached(&self, source: u32, common: u32, sequence: &Sequence, choice: Choice) -> u32 {
        let held = self[source].context(choice.step);
        cached_tokens(common, held, choice.window, sequence.prompt_tokens)
    }
}

/// Indices of the bits that are set (or, `inverted`, of those that are not), ascending.
fn bits(words: &[u64], inverted: bool) -> impl Iterator<Item = u32> {
    let flip = if inverted { u64::MAX } else { 0 };
    words.iter().zip(0u32..).flat_map(move |(&word, index)| {
        let mut left = word ^ flip;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros())?;
            left &= left - 1;
            Some(index * 64 + bit)
        })
    })
}
