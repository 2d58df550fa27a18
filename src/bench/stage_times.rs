//! Times of a stage: all samples, sorted when asked, or bins that grow with their values.
//!
//! Forms are held to agree on count, sum, least and greatest; that quantiles are within 1/32 is a property test beside them.

use control::draw::Draw;
use control::index::stage_times::{AllSamples, StageTimes};
use control::units::Nanos;

use super::fit::Complexity;
use super::{Clock, Component, Subject};

/// How often the 99th percentile is asked for on the way.
const QUESTIONS: usize = 4;

/// Samples that are kept as they are.
const RECENT: usize = 16;

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "stage-times".into(),
        forms: ["all samples, sorted when asked", "bins, sixteen to a power of two"],
        operation: "record all samples, and ask for the 99th percentile four times",
        scale: "samples",
        claimed: [Complexity::Linearithmic, Complexity::Linear],
        clock: Clock::Cpu,
        counted: None,
        build: Box::new(|case| {
            let (draw, samples) = (case.draw(), case.scale);
            if case.is_baseline() {
                Box::new(Stage { times: AllSamples::default(), draw, samples })
            } else {
                Box::new(Stage { times: StageTimes::new(RECENT), draw, samples })
            }
        }),
    }]
}

trait Times {
    fn new() -> Self;
    fn record(&mut self, sample: Nanos);
    fn quantile(&self, per_mille: u32) -> Option<Nanos>;
    /// What both must agree on.
    fn exact(&self) -> u64;
}

macro_rules! times {
    ($times:ty, $new:expr) => {
        impl Times for $times {
            fn new() -> Self {
                $new
            }
            fn record(&mut self, sample: Nanos) {
                self.record(sample);
            }
            fn quantile(&self, per_mille: u32) -> Option<Nanos> {
                self.quantile(per_mille)
            }
            fn exact(&self) -> u64 {
                let ends = self.min().unwrap_or_default().0 ^ self.max().unwrap_or_default().0;
                (self.sum_nanos() as u64 ^ ends).wrapping_add(self.count())
            }
        }
    };
}

times!(AllSamples, Self::default());
times!(StageTimes, Self::new(RECENT));

/// What was recorded last stays until the next begins, so that its memory shows.
struct Stage<T> {
    times: T,
    draw: Draw,
    samples: usize,
}

impl<T: Times> Subject for Stage<T> {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            self.times = T::new();
            for sample in 1..=self.samples {
                let bits = self.draw.bits();
                self.times.record(Nanos((bits >> 34) >> (bits & 7)));
                if sample % self.samples.div_ceil(QUESTIONS) == 0 {
                    std::hint::black_box(self.times.quantile(990));
                }
            }
            sum = sum.wrapping_add(self.times.exact());
        }
        sum
    }
}
