//! Draws keyed by what they are for: (seed, component, entity, attempt). No draw shifts another.
//!
//! A counter-based generator: the key is folded into a state, and the n-th number is a mix of state and n.
//! The mix is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).

/// What a draw is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Component {
    /// Choice of a host.
    Balancer = 1,
    /// Jitter of the network.
    Network = 2,
    /// Bytes of a prompt.
    PromptBytes = 3,
    /// Phases of polls.
    Poll = 4,
    /// What breaks, and when.
    Faults = 5,
    /// What a random scenario is like.
    Scenario = 6,
    /// With whom a host compares its contents.
    Gossip = 7,
    /// Samples drawn again, for intervals.
    Resample = 8,
}

/// A stream of numbers for one purpose.
#[derive(Clone, Debug)]
pub struct Draw {
    state: u64,
    count: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64: a bijection in which each bit of the input moves half of the output's.
#[must_use]
#[inline]
pub const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Draw {
    /// The stream for this purpose.
    #[must_use]
    #[inline]
    pub const fn new(seed: u64, component: Component, entity: u64, attempt: u64) -> Self {
        let mut state = mix(seed.wrapping_add(GOLDEN));
        state = mix(state ^ (component as u64).wrapping_mul(GOLDEN));
        state = mix(state.wrapping_add(entity.wrapping_mul(GOLDEN)));
        state = mix(state ^ attempt.wrapping_mul(GOLDEN).rotate_left(32));
        Self { state, count: 0 }
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.count += 1;
        mix(self.state.wrapping_add(self.count.wrapping_mul(GOLDEN)))
    }

    /// A number below `end`, each as likely (Lemire 2019, with rejection); `end` is at least 1.
    #[inline]
    pub fn below(&mut self, end: u32) -> u32 {
        debug_assert!(end > 0, "nothing lies below 0");
        let mut product = (self.bits() >> 32) * u64::from(end);
        if (product as u32) < end {
            let threshold = end.wrapping_neg() % end;
            while (product as u32) < threshold {
                product = (self.bits() >> 32) * u64::from(end);
            }
        }
        (product >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_these_on_every_machine() {
        let mut draw = Draw::new(7, Component::Balancer, 42, 1);
        let golden = [draw.bits(), draw.bits(), draw.bits()];
        assert_eq!(golden, GOLDEN_BITS);
    }

    const GOLDEN_BITS: [u64; 3] =
        [9_273_390_237_427_028_938, 9_885_732_143_376_622_542, 16_595_887_013_074_622_783];

    #[test]
    fn draws_below_six_are_even() {
        let mut counts = [0u32; 6];
        for entity in 0..60_000 {
            counts[Draw::new(1, Component::Balancer, entity, 0).below(6) as usize] += 1;
        }
        // χ² with 5 degrees of freedom: 20.5 is exceeded once in a thousand seeds.
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 20.5, "χ² = {chi}, counts {counts:?}");
    }

    #[test]
    fn another_key_gives_another_stream() {
        let first = Draw::new(1, Component::Balancer, 5, 0).bits();
        for other in [
            Draw::new(2, Component::Balancer, 5, 0),
            Draw::new(1, Component::Network, 5, 0),
            Draw::new(1, Component::Balancer, 6, 0),
            Draw::new(1, Component::Balancer, 5, 1),
        ] {
            assert_ne!(first, other.clone().bits());
        }
    }
}
