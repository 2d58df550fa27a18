//! Random specifications and workloads for a batch loop, small and made to collide.

use std::sync::Arc;

use control::request::{Block, DoneReason};
use sim_host::api::{Engine, RequestKey};
use sim_host::batch::{Discipline, LoopSpec, PrefixCache, Sequence};
use sim_host::costs::Costs;

use crate::driver::Delivery;

/// Numbers to choose by; 0 where they have run out, so that a shorter list is a simpler case.
pub(crate) struct Draws<I>(pub(crate) I);

impl<I: Iterator<Item = u32>> Draws<I> {
    fn below(&mut self, limit: u32) -> u32 {
        self.0.next().unwrap_or(0) % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }
}

/// Numbers from a seed (SplitMix64).
pub(crate) fn seeded(seed: u64) -> Draws<impl Iterator<Item = u32>> {
    let mut state = seed;
    Draws(std::iter::from_fn(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(((word ^ (word >> 31)) >> 32) as u32)
    }))
}

fn costs(draws: &mut Draws<impl Iterator<Item = u32>>) -> Costs {
    // Whole nanoseconds collide with deliveries; others leave a remainder.
    let grain = draws.one_of(&[1_000, 1_000, 1_000, 500, 1, 37]);
    let spread = u64::from(draws.one_of(&[1u32, 3, 60])) * 1_000 / grain;
    let mut amount = |least: u64| grain * (least + u64::from(draws.below(spread as u32 + 1)));
    let (mut decode, mut prefill) = (vec![0, amount(1)], vec![(1, amount(0))]);
    let (more_decode, more_prefill) = (amount(0) / grain % 5, amount(0) / grain % 3);
    for _ in 0..more_decode {
        decode.push(decode.last().expect("not empty") + amount(0));
    }
    for _ in 0..more_prefill {
        let (tokens, picos) = *prefill.last().expect("not empty");
        prefill.push((tokens + 1 + (amount(0) / grain) as u32 * 4, picos + amount(0)));
    }
    let mut term = |picos: &[u64]| draws.one_of(picos);
    Costs {
        decode,
        prefill,
        context: term(&[0, 0, 1, 10, 250, 1_000]),
        window_context: term(&[0, 0, 10, 500, 1_000]),
        window: term(&[0, 0, 4, 12, 40]) as u32,
        span: term(&[0, 0, 100, 1_000, 1_001]),
        prefill_context: term(&[0, 0, 1, 2, 15, 1_000]),
    }
}

fn spec(draws: &mut Draws<impl Iterator<Item = u32>>) -> LoopSpec {
    let num_ctx = draws.one_of(&[40, 12, 90, 600, 2, 1]);
    LoopSpec {
        costs: Arc::new(costs(draws)),
        discipline: draws.one_of(&[Discipline::Shared, Discipline::PerSlot]),
        slots: draws.one_of(&[1, 2, 3, 4, 6, 9, 70]),
        batch_tokens: draws.one_of(&[8, 1, 2, 5, 16, 64, 512]),
        num_ctx,
        num_keep: draws.one_of(&[4, 0, 1, 7, 700]),
        prefix_cache: draws.one_of(&[PrefixCache::PerSlot, PrefixCache::Off, PrefixCache::MultiUser]),
        engine: Engine::Stepwise,
    }
}

/// A prompt, often the beginning of another, and an answer that others may contain.
fn sequence(draws: &mut Draws<impl Iterator<Item = u32>>, spec: &LoopSpec, key: u64) -> Sequence {
    let mut blocks = Vec::new();
    let mut room = 1 + draws.below(spec.num_ctx);
    while room > 0 {
        let id = draws.below(4);
        // Mostly as long as every block of this id, sometimes a part.
        let whole = if draws.below(6) == 0 { 1 + draws.below(9) } else { 3 + 5 * id };
        let tokens = whole.min(room);
        blocks.push(Block { id: u64::from(id) + u64::from(draws.below(9) > 0), tokens });
        room -= tokens;
    }
    let longest = draws.one_of(&[12, 3, 40, 200]);
    Sequence {
        key: RequestKey(key),
        prompt_tokens: blocks.iter().map(|block| block.tokens).sum(),
        blocks: (draws.below(5) > 0).then(|| Arc::from(blocks)),
        answer_block: u64::from(draws.below(5)),
        output_tokens: draws.below(longest),
        done: draws.one_of(&[DoneReason::Stop, DoneReason::Length]),
        shift: draws.below(3) > 0,
    }
}

/// A specification and what is delivered when.
pub(crate) fn case(draws: &mut Draws<impl Iterator<Item = u32>>) -> (LoopSpec, Vec<(u64, Delivery)>) {
    let spec = spec(draws);
    let pause = draws.one_of(&[4, 1, 20, 300]);
    let mut deliveries = Vec::new();
    let (mut at, mut keys) = (0, 0);
    for _ in 0..draws.below(60) {
        at += u64::from(draws.below(2) * draws.below(pause + 1));
        let delivery = match draws.below(9) {
            0..=5 => {
                keys += 1;
                Delivery::Admit(sequence(draws, &spec, keys))
            }
            6 | 7 => Delivery::Cancel(RequestKey(keys.saturating_sub(u64::from(draws.below(6))))),
            _ => Delivery::SlowDown(draws.one_of(&[1_000, 2_000, 1, 500, 1_500, 3_333])),
        };
        deliveries.push((at, delivery));
    }
    (spec, deliveries)
}
