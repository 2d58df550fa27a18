//! Chance: named streams, draws keyed by what they are for, and the distributions over them.
//!
//! A [`Stream`] is ChaCha8, drawn in sequence, for what is one sequence (arrivals). [`Draws`] is a counter-based hash
//! (SplitMix64's finaliser), for what belongs to one job, user or session: any of them can be drawn without the ones
//! before it, so that a draw more in one place shifts nothing in another. Every transcendental function comes from
//! `libm`: the same bits on every platform. Left out: anything that draws a varying number of values where a keyed
//! draw would do; most distributions here are inverses of one uniform number.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub use control::draw::mix;

mod normal;
mod weighted;

pub use normal::normal_quantile;
pub use weighted::{Weighted, zipf_weights};

/// 2⁶⁴ divided by the golden ratio: SplitMix64's step.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// Another odd constant, for the second number of a key (from xxHash64).
const STEP_INDEX: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// A source of uniform bits.
pub trait Bits {
    /// The next 64 bits.
    fn bits(&mut self) -> u64;
}

/// A named stream of the run's seed (ChaCha8): drawn in sequence.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream `name` under `seed`. Names differ by FNV-1a of their bytes, the key is the seed stretched by
    /// SplitMix64.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mut key = [0; 32];
        let mut stretch = Keyed { state: seed };
        for word in key.chunks_exact_mut(8) {
            word.copy_from_slice(&stretch.bits().to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(fnv1a(name));
        Self(rng)
    }
}

impl Bits for Stream {
    #[inline]
    fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// What a keyed draw is for. The numbers are part of every workload: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Component {
    /// Tokens of a prompt (or of a user's message within a session); also the row of a joint table.
    Prompt = 1,
    /// Tokens of an answer.
    Output = 2,
    /// Which model.
    Model = 3,
    /// Which tenant.
    Tenant = 4,
    /// How long a user thinks before a turn.
    Think = 5,
    /// How many turns a session has.
    Turns = 6,
    /// Which system prompt a session opens with.
    SystemPrompt = 7,
    /// How long a user stays away before a session.
    Pause = 8,
}

/// Draws keyed by (seed, component, entity, index). Entity: a job, a user, a session. Index: its how-many-eth.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    key: u64,
}

impl Draws {
    /// The draws of a run's seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        // Apart from the streams' keys, which are SplitMix64's outputs from the same seed.
        Self { key: mix(seed ^ 0x776f_726b_6c6f_6164) }
    }

    /// The draws of one entity at one index; choose the component with [`Entity::of`].
    #[must_use]
    #[inline]
    pub const fn at(self, entity: u64, index: u64) -> Entity {
        let entity = mix(self.key.wrapping_add(entity.wrapping_mul(STEP)));
        Entity { key: mix(entity.wrapping_add(index.wrapping_mul(STEP_INDEX))) }
    }
}

/// What is drawn for one entity at one index.
#[derive(Clone, Copy, Debug)]
pub struct Entity {
    key: u64,
}

impl Entity {
    /// The bits for `component`. Most uses need the first 64 of them.
    #[must_use]
    #[inline]
    pub const fn of(self, component: Component) -> Keyed {
        Keyed { state: mix(self.key ^ (component as u64).wrapping_mul(STEP)) }
    }
}

/// SplitMix64 from a keyed start.
#[derive(Clone, Copy, Debug)]
pub struct Keyed {
    state: u64,
}

impl Bits for Keyed {
    #[inline]
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }
}

const fn fnv1a(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// A uniform number in the open interval (0, 1): 2⁵² equally likely values, never an end.
#[must_use]
#[inline]
pub fn open_unit(bits: &mut impl Bits) -> f64 {
    ((bits.bits() >> 12) as f64 + 0.5) * (1.0 / (1_u64 << 52) as f64)
}

/// A uniform integer in 0 … `below` − 1, every one equally likely; `below` is at least 1.
/// Source: Lemire, "Fast random integer generation in an interval" (2019).
#[must_use]
pub fn uniform(bits: &mut impl Bits, below: u64) -> u64 {
    assert!(below > 0, "there is a number below the bound");
    loop {
        let wide = u128::from(bits.bits()) * u128::from(below);
        // Only where the low half is below `below` can the value be one of the 2⁶⁴ mod `below` too many.
        if (wide as u64) >= below || (wide as u64) >= below.wrapping_neg() % below {
            return (wide >> 64) as u64;
        }
    }
}

/// An exponential number with mean 1.
#[must_use]
#[inline]
pub fn exponential(bits: &mut impl Bits) -> f64 {
    -libm::log(open_unit(bits))
}

/// A normal number with mean 0 and deviation 1.
#[must_use]
#[inline]
pub fn normal(bits: &mut impl Bits) -> f64 {
    normal_quantile(open_unit(bits))
}

/// A lognormal number: `exp(mu + sigma × normal)`. By way of `exp2`, which takes a third of the time of `exp`.
#[must_use]
#[inline]
pub fn lognormal(bits: &mut impl Bits, mu: f64, sigma: f64) -> f64 {
    libm::exp2((mu + sigma * normal(bits)) * core::f64::consts::LOG2_E)
}

/// A gamma number with this shape (above 0) and scale 1; mean and variance are `shape`.
/// Source: Marsaglia and Tsang, "A simple method for generating gamma variables" (2000), with their step for shapes below 1.
#[must_use]
pub fn gamma(bits: &mut impl Bits, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = libm::pow(open_unit(bits), 1.0 / shape);
        return gamma(bits, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(bits);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        let u = open_unit(bits);
        if libm::log(u) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// A number of trials until the first success, at least 1, with this mean (at least 1).
#[must_use]
pub fn geometric(bits: &mut impl Bits, mean: f64) -> u64 {
    let u = open_unit(bits);
    if mean <= 1.0 {
        return 1;
    }
    1 + (libm::log(u) / libm::log1p(-1.0 / mean)) as u64
}

#[cfg(test)]
mod tests;
