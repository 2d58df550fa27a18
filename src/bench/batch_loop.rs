//! The batch loop of a host: every step executed, or jumps from one change of the batch to the next.

use std::sync::Arc;

use control::draw::Draw;
use control::request::DoneReason;
use control::units::Instant;
use sim_host::api::{Engine, Phase, RequestKey};
use sim_host::batch::{BatchLoop, Discipline, LoopEvent, LoopSpec, PrefixCache, Sequence};
use sim_host::costs::Costs;

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject, count};

const SLOTS: u32 = 4;
const PROMPT_TOKENS: u32 = 900;

/// Picoseconds of a step: about those of an 8-billion-parameter model on an A100.
const STEP_PICOS: u64 = 11_000_000_000;

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "batch-loop".into(),
        forms: ["stepwise: every step", "coalesced: from change to change"],
        operation: "serve a request, four slots at a quarter of their load",
        scale: "tokens of an answer",
        claimed: [Complexity::Linear, Complexity::Constant],
        clock: Clock::Cpu,
        counted: Some("internal events"),
        build: Box::new(|case| Box::new(Loop::new(case))),
    }]
}

struct Loop {
    batch: BatchLoop,
    out: Vec<LoopEvent>,
    draw: Draw,
    answer_tokens: u32,
    at: u64,
    served: u64,
    counting: bool,
}

impl Loop {
    fn new(case: Case) -> Self {
        let batch = BatchLoop::new(LoopSpec {
            costs: Arc::new(costs()),
            discipline: Discipline::Shared,
            slots: SLOTS,
            batch_tokens: 512,
            num_ctx: 32_768,
            num_keep: 4,
            prefix_cache: PrefixCache::PerSlot,
            engine: if case.is_baseline() { Engine::Stepwise } else { Engine::Coalesced },
        });
        Self {
            batch,
            out: Vec::new(),
            draw: case.draw(),
            answer_tokens: case.scale as u32,
            at: 0,
            served: 0,
            counting: case.counting,
        }
    }

    /// A length around the mean: half to one and a half of it.
    fn around(&mut self, mean: u32) -> u32 {
        mean.div_ceil(2) + self.draw.below(mean.max(1))
    }
}

fn costs() -> Costs {
    Costs {
        decode: (0..=u64::from(SLOTS))
            .map(|d| if d == 0 { 0 } else { STEP_PICOS + d * 37_000_001 })
            .collect(),
        prefill: vec![(1, STEP_PICOS), (128, 15_000_000_000), (512, 41_000_000_000)],
        context: 64_000,
        window_context: 0,
        window: 0,
        span: 0,
        prefill_context: 3_000,
    }
}

impl Subject for Loop {
    fn operate(&mut self, operations: u64) -> u64 {
        let (mut sum, before) = (0_u64, self.batch.stats().boundaries);
        for _ in 0..operations {
            // A request takes some steps for its prompt and one for each token; one comes in that time.
            let mean = (u64::from(self.answer_tokens) + 8) * STEP_PICOS / 1_000;
            self.at += mean / 2 + self.draw.bits() % mean;
            let at = Instant(self.at);
            while let Some(due) = self.batch.next().filter(|due| (due.at, due.phase) <= (at, Phase::Delivery))
            {
                self.batch.advance(due, &mut self.out);
                sum = sum.wrapping_add(due.at.0.wrapping_mul(self.out.len() as u64));
                self.out.clear();
            }
            let sequence = Sequence {
                key: RequestKey(self.served),
                prompt_tokens: self.around(PROMPT_TOKENS),
                blocks: None,
                answer_block: 0,
                output_tokens: self.around(self.answer_tokens),
                done: DoneReason::Stop,
                shift: true,
            };
            self.batch.admit(at, sequence);
            self.served += 1;
        }
        if self.counting {
            count::add(self.batch.stats().boundaries - before);
        }
        sum
    }
}
