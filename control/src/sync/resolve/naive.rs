//! The plain twin: one register after the other, each worked out.

use alloc::vec::Vec;

use super::Counters;
use crate::sync::conflict::Policy;
use crate::sync::register::{Register, Verdict};

/// Resolves one after the other.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    counters: Counters,
}

impl Chain {
    /// The verdict on each register.
    pub fn resolve(&mut self, registers: &[&Register], policy: &Policy) -> Vec<Verdict> {
        self.counters.misses += registers.len() as u64;
        registers.iter().map(|register| register.winner(policy)).collect()
    }

    /// What it did.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
