//! The rules of the batch loop, one by one, each under both engines.

#[path = "batch/driver.rs"]
mod driver;

#[path = "batch/rules/cache.rs"]
mod cache;
#[path = "batch/rules/order.rs"]
mod order;
#[path = "batch/rules/steps.rs"]
mod steps;
#[path = "batch/rules/time.rs"]
mod time;

use std::fmt::Write as _;
use std::sync::Arc;

use control::request::{Block, DoneReason};
use driver::{Delivery, Seen, drive};
use sim_host::api::{Engine, RequestKey};
use sim_host::batch::{Discipline, LoopEvent, LoopSpec, LoopStats, PrefixCache, Sequence};
use sim_host::costs::Costs;

/// One nanosecond for each sequence that decodes and for each prompt token.
fn costs() -> Costs {
    Costs {
        decode: vec![0, 1_000, 2_000],
        prefill: vec![(1, 1_000), (2, 2_000)],
        context: 0,
        window_context: 0,
        window: 0,
        span: 0,
        prefill_context: 0,
    }
}

fn spec(slots: u32) -> LoopSpec {
    LoopSpec {
        costs: Arc::new(costs()),
        discipline: Discipline::Shared,
        slots,
        batch_tokens: 512,
        num_ctx: 4_096,
        num_keep: 4,
        prefix_cache: PrefixCache::PerSlot,
        engine: Engine::Stepwise,
    }
}

fn with_costs(slots: u32, change: impl FnOnce(&mut Costs)) -> LoopSpec {
    let mut costs = costs();
    change(&mut costs);
    LoopSpec { costs: Arc::new(costs), ..spec(slots) }
}

/// A request shared with no other.
fn private(key: u64, prompt_tokens: u32, output_tokens: u32) -> Sequence {
    Sequence {
        key: RequestKey(key),
        prompt_tokens,
        blocks: None,
        answer_block: 0,
        output_tokens,
        done: DoneReason::Stop,
        shift: true,
    }
}

/// A request whose prompt is these blocks.
fn chained(key: u64, chain: &[(u64, u32)], output_tokens: u32) -> Sequence {
    Sequence {
        blocks: Some(chain.iter().map(|&(id, tokens)| Block { id, tokens }).collect()),
        ..private(key, chain.iter().map(|&(_, tokens)| tokens).sum(), output_tokens)
    }
}

fn admit(sequence: Sequence) -> Delivery {
    Delivery::Admit(sequence)
}

fn cancel(key: u64) -> Delivery {
    Delivery::Cancel(RequestKey(key))
}

/// Runs both engines and compares what they let be seen with `expected`, one line an event:
/// `at key first`, `at key done output cached prompt_eval eval reason`, `at key cancelled`.
#[track_caller]
fn check(spec: LoopSpec, deliveries: &[(u64, Delivery)], expected: &str) -> LoopStats {
    let mut last = None;
    for engine in [Engine::Stepwise, Engine::Coalesced] {
        let (seen, batch) = drive(LoopSpec { engine, ..spec.clone() }, deliveries);
        let mut text = String::new();
        for entry in &seen {
            let Seen::Event { at, event, .. } = entry else { continue };
            match event {
                LoopEvent::FirstToken(key) => writeln!(text, "{at} {} first", key.0),
                LoopEvent::Cancelled(key) => writeln!(text, "{at} {} cancelled", key.0),
                LoopEvent::Finished { key, output_tokens, cached_tokens, prompt_eval, eval, done } => {
                    writeln!(
                        text,
                        "{at} {} done {output_tokens} {cached_tokens} {} {} {done:?}",
                        key.0, prompt_eval.0, eval.0
                    )
                }
            }
            .expect("a string takes all");
        }
        let wanted: String = expected.lines().map(|line| line.trim().to_owned() + "\n").collect();
        assert_eq!(text.trim(), wanted.trim(), "{engine:?}");
        assert!(batch.is_idle());
        last = Some(batch.stats());
    }
    last.expect("two engines ran")
}
