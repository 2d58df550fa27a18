//! Who is right about many names at once, by an executor and with what was found before.
//!
//! A verdict follows from what a register knows and from the policy, so it can be kept by the register's content and the
//! policy's epoch, and does not depend on who works it out: all forms give the same verdicts.

mod fast;
mod naive;

use alloc::vec::Vec;

pub use fast::Cached;
pub use naive::Chain;

use super::conflict::Policy;
use super::register::{Register, Verdict};
use crate::ids::Epoch;
use crate::index::Implementation;
use crate::index::argmin::Executor;

/// What a resolver did. Each register that it was asked about is a hit or a miss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Verdicts that were known.
    pub hits: u64,
    /// Verdicts that were worked out.
    pub misses: u64,
}

/// Resolves registers.
#[derive(Clone, Debug)]
pub enum Resolver {
    /// [`Cached`].
    Optimised(Cached),
    /// [`Chain`].
    Baseline(Chain),
}

impl Resolver {
    /// One that keeps so many verdicts; the baseline keeps none.
    #[must_use]
    pub fn new(implementation: Implementation, capacity: u32) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Cached::new(capacity)),
            Implementation::Baseline => Self::Baseline(Chain::default()),
        }
    }

    /// The verdict on each register, in their order. Another policy has another epoch.
    pub fn resolve(
        &mut self,
        executor: &(impl Executor + ?Sized),
        registers: &[&Register],
        policy: &Policy,
        epoch: Epoch,
    ) -> Vec<Verdict> {
        match self {
            Self::Optimised(cached) => cached.resolve(executor, registers, policy, epoch),
            Self::Baseline(chain) => chain.resolve(registers, policy),
        }
    }

    /// What it did.
    #[must_use]
    pub fn counters(&self) -> Counters {
        match self {
            Self::Optimised(cached) => cached.counters(),
            Self::Baseline(chain) => chain.counters(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
