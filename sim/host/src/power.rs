//! What GPUs draw: one level while nothing computes, another while something does.
//!
//! ```text
//! busy = max(idle, limit × 0.736)
//! ```
//!
//! The fraction is the mean power, over the limit, of Llama-2-70B on two A100 80 GB for prompts of 512 tokens and answers of
//! 128, alone: 15 runs of splitwise-sim's `perf_model.csv` (MIT). There prompts reach the limit (peak 1.00), and 16 requests at
//! once draw 0.794 on average. A host's batch mixes prompts and answers, so that both have one level. Left out: fans, power
//! supplies, the rest of the host around discrete GPUs, clocks that are lowered, and that a lightly loaded GPU draws less.

use crate::spec::GpuSpec;

/// Mean power of a GPU that computes, in thousandths of its limit.
pub const BUSY_PERMILLE: u64 = 736;

/// What the GPUs of a host draw together, in milliwatts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PowerDraw {
    /// While the host is on.
    pub idle_milliwatts: u64,
    /// While it computes; no less.
    pub busy_milliwatts: u64,
}

impl PowerDraw {
    /// What that many draw. All of a host's GPUs are taken to be busy while the host is.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self {
            idle_milliwatts: self.idle_milliwatts * u64::from(count),
            busy_milliwatts: self.busy_milliwatts * u64::from(count),
        }
    }
}

impl GpuSpec {
    /// What one draws, where its watts are known.
    #[must_use]
    pub fn draw(&self) -> Option<PowerDraw> {
        let idle_milliwatts = u64::from(self.watts_idle?) * 1000;
        let busy_milliwatts = idle_milliwatts.max(u64::from(self.watts_max?) * BUSY_PERMILLE);
        Some(PowerDraw { idle_milliwatts, busy_milliwatts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Catalogue;

    #[test]
    fn every_gpu_has_watts_with_a_source() {
        for gpu in Catalogue::builtin().gpus() {
            let draw = gpu.draw().unwrap_or_else(|| panic!("{}: no watts", gpu.name));
            assert!(draw.idle_milliwatts > 0 && draw.busy_milliwatts > draw.idle_milliwatts, "{}", gpu.name);
            let told = gpu.source.contains("watts") || gpu.source.contains("aiconfigurator");
            assert!(told, "{}: no source of its watts in {:?}", gpu.name, gpu.source);
            assert!(gpu.assumed.iter().any(|field| field == "watts_idle"), "{}", gpu.name);
        }
    }

    #[test]
    fn four_gpus_draw_four_times_as_much() {
        let gpu = Catalogue::builtin().gpu("a100-80gb").expect("a GPU");
        let draw = gpu.draw().expect("watts").times(4);
        assert_eq!(draw, PowerDraw { idle_milliwatts: 160_000, busy_milliwatts: 4 * 294_400 });
    }

    #[test]
    fn a_busy_gpu_draws_no_less_than_an_idle_one() {
        let gpu = GpuSpec {
            watts_idle: Some(390),
            ..GpuSpec::clone(Catalogue::builtin().gpu("a100-80gb").expect("a GPU"))
        };
        let level = 390_000;
        assert_eq!(gpu.draw(), Some(PowerDraw { idle_milliwatts: level, busy_milliwatts: level }));
        assert_eq!(GpuSpec { watts_max: None, ..gpu }.draw(), None);
    }
}
