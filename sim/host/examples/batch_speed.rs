//! How fast the batch loop is, by engine: `cargo run --release -p sim-host --example batch_speed`.
//!
//! Prints for each load the boundaries and steps of a request, nanoseconds for a boundary and for a request, and how
//! many times faster the coalesced engine is. Nothing but the loop runs: arrivals come from a list. Times are those
//! that the kernel counts for the thread on a processor (Linux), so that other programs disturb little.

use std::sync::Arc;

use control::request::DoneReason;
use control::units::Instant;
use sim_host::api::{Engine, Phase, RequestKey};
use sim_host::batch::{BatchLoop, Discipline, LoopSpec, LoopStats, PrefixCache, Sequence};
use sim_host::costs::Costs;

struct Load {
    name: &'static str,
    slots: u32,
    batch_tokens: u32,
    prefix_cache: PrefixCache,
    span: bool,
    requests: u64,
    prompt_tokens: u32,
    answer_tokens: u32,
    /// Mean time between arrivals in microseconds; each is uniform between 0 and twice that.
    gap_micros: u64,
}

const LOADS: [Load; 8] = [
    Load { name: "1 slot, 230 tokens", ..one_slot(230, 3_500_000) },
    Load { name: "1 slot, 230 tokens, by span", span: true, ..one_slot(230, 3_500_000) },
    Load { name: "1 slot, 1,000 tokens", ..one_slot(1_000, 14_000_000) },
    Load { name: "4 slots at low load", slots: 4, ..one_slot(230, 3_500_000) },
    Load { name: "4 slots at low load, by span", slots: 4, span: true, ..one_slot(230, 3_500_000) },
    Load { name: "4 slots at high load", slots: 4, ..one_slot(230, 900_000) },
    Load {
        name: "256 slots, overloaded",
        slots: 256,
        batch_tokens: 2_048,
        prefix_cache: PrefixCache::Off,
        ..one_slot(230, 78_000)
    },
    Load {
        name: "256 slots, about 50 running",
        slots: 256,
        batch_tokens: 2_048,
        prefix_cache: PrefixCache::Off,
        ..one_slot(230, 135_000)
    },
];

const fn one_slot(answer_tokens: u32, gap_micros: u64) -> Load {
    Load {
        name: "",
        slots: 1,
        batch_tokens: 512,
        prefix_cache: PrefixCache::PerSlot,
        span: false,
        requests: 600_000,
        prompt_tokens: 900,
        answer_tokens,
        gap_micros,
    }
}

/// About those of Llama 3.1 8B on an A100.
fn costs(span: bool) -> Costs {
    let (context, span) = if span { (0, 64_000 * 256) } else { (64_000, 0) };
    Costs {
        decode: (0..=256).map(|d| if d == 0 { 0 } else { 11_000_000_000 + d * 37_000_001 }).collect(),
        prefill: vec![
            (1, 11_000_000_000),
            (128, 15_000_000_000),
            (512, 41_000_000_000),
            (2_048, 150_000_000_000),
        ],
        context,
        window_context: 0,
        window: 0,
        span,
        prefill_context: 3_000,
    }
}

fn arrivals(load: &Load) -> Vec<(Instant, Sequence)> {
    let (mut at, mut state) = (0, 1u64);
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..load.requests)
        .map(|key| {
            at += draw(load.gap_micros * 2) * 1_000;
            // Lengths from half to one and a half of the mean.
            let mut around = |mean: u32| mean / 2 + draw(u64::from(mean)) as u32;
            let sequence = Sequence {
                key: RequestKey(key),
                prompt_tokens: around(load.prompt_tokens),
                blocks: None,
                answer_block: 0,
                output_tokens: around(load.answer_tokens),
                done: DoneReason::Stop,
                shift: true,
            };
            (Instant(at), sequence)
        })
        .collect()
}

/// Nanoseconds that this thread has had a processor.
fn processor_nanos() -> u64 {
    let counts =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts a thread's time");
    counts.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("the first number is nanoseconds")
}

/// Nanoseconds for the whole load, the loop's counts, and the sum of the events' times.
fn run(load: &Load, engine: Engine, arrivals: &[(Instant, Sequence)]) -> (u64, LoopStats, u64) {
    let mut batch = BatchLoop::new(LoopSpec {
        costs: Arc::new(costs(load.span)),
        discipline: Discipline::Shared,
        slots: load.slots,
        batch_tokens: load.batch_tokens,
        num_ctx: 32_768,
        num_keep: 4,
        prefix_cache: load.prefix_cache,
        engine,
    });
    let (mut out, mut sum) = (Vec::new(), 0u64);
    let begin = processor_nanos();
    let mut left = arrivals.iter();
    let mut next = left.next();
    loop {
        let due = batch.next();
        match (due, next) {
            (due, Some((at, sequence)))
                if due.is_none_or(|due| (due.at, due.phase) > (*at, Phase::Delivery)) =>
            {
                batch.admit(*at, sequence.clone());
                next = left.next();
            }
            (Some(due), _) => {
                batch.advance(due, &mut out);
                sum = sum.wrapping_add(due.at.0.wrapping_mul(out.len() as u64));
                out.clear();
            }
            (None, _) => break,
        }
    }
    (processor_nanos() - begin, batch.stats(), sum)
}

fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    println!(
        "{:<30} {:>9} {:>10} {:>12} {:>11} {:>11} {:>9}",
        "load", "running", "steps/req", "bounds/req", "ns/bound", "ns/req", "stepwise/coalesced"
    );
    for load in LOADS.iter().filter(|load| load.name.contains(&only)) {
        let arrivals = arrivals(load);
        let few = &arrivals[..arrivals.len() / 30];
        // The best of some runs: other work on the machine only ever adds.
        let best = |engine, arrivals: &[_], runs: usize| {
            (0..runs)
                .map(|_| run(load, engine, arrivals))
                .min_by_key(|&(nanos, ..)| nanos)
                .expect("some runs")
        };
        let (nanos, stats, _) = best(Engine::Coalesced, &arrivals, 4);
        let (stepwise, stepwise_stats, stepwise_sum) = best(Engine::Stepwise, few, 2);
        let (_, few_stats, coalesced_sum) = best(Engine::Coalesced, few, 1);
        assert_eq!(
            (stepwise_sum, stepwise_stats.steps),
            (coalesced_sum, few_stats.steps),
            "the engines agree"
        );
        let each = nanos as f64 / arrivals.len() as f64;
        println!(
            "{:<30} {:>9.2} {:>10.1} {:>12.2} {:>11.1} {:>11.1} {:>9.1}",
            load.name,
            stats.output_tokens as f64 / stats.steps as f64,
            stats.steps as f64 / load.requests as f64,
            stats.boundaries as f64 / load.requests as f64,
            nanos as f64 / stats.boundaries as f64,
            each,
            stepwise as f64 / few.len() as f64 / each
        );
    }
}
