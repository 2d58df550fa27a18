//! Verdicts that were found before, and an executor for the others.
//!
//! What is asked of the cache costs no look at the artifacts: a register knows the hash of its content.

use alloc::vec::Vec;

use super::Counters;
use crate::digest::Digest;
use crate::ids::{Epoch, HostId};
use crate::index::Implementation;
use crate::index::argmin::{Executor, Scored};
use crate::index::lru::{Limits, Lru};
use crate::sync::artifact::Origin;
use crate::sync::conflict::Policy;
use crate::sync::register::{Register, Verdict};
use crate::units::Instant;

/// Below so many verdicts to work out, no executor is asked: a few hundred nanoseconds each, against tens of microseconds for
/// starting a thread.
const THRESHOLD: usize = 256;

/// Resolves with a cache and an executor.
#[derive(Clone, Debug)]
pub struct Cached {
    /// By half of the key's hash; the whole key is compared.
    verdicts: Lru<(Key, Verdict)>,
    counters: Counters,
}

/// What a verdict depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    content: Digest,
    epoch: Epoch,
}

impl Key {
    /// Some of its bits, for the cache.
    fn short(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.content.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ u64::from(self.epoch.0)
    }
}

impl Cached {
    /// One that keeps so many verdicts.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        let limits = Limits { capacity, ttl: None };
        Self { verdicts: Lru::new(Implementation::Optimised, limits), counters: Counters::default() }
    }

    /// The verdict on each register, in their order.
    pub fn resolve(
        &mut self,
        executor: &(impl Executor + ?Sized),
        registers: &[&Register],
        policy: &Policy,
        epoch: Epoch,
    ) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> =
            registers.iter().map(|register| self.known(Key { content: register.content(), epoch })).collect();
        let missing: Vec<&Register> = registers
            .iter()
            .zip(&verdicts)
            .filter_map(|(register, verdict)| verdict.is_none().then_some(*register))
            .collect();
        self.counters.hits += (registers.len() - missing.len()) as u64;
        self.counters.misses += missing.len() as u64;
        let mut found = found(executor, &missing, policy).into_iter().zip(&missing);
        for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_none()) {
            let (new, register) = found.next().expect("there is a verdict for each that was missing");
            let key = Key { content: register.content(), epoch };
            self.verdicts.put(key.short(), (key, new), Instant::ZERO);
            *verdict = Some(new);
        }
        verdicts.into_iter().flatten().collect()
    }

    /// What it did.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn known(&mut self, key: Key) -> Option<Verdict> {
        let (known, verdict) = self.verdicts.get(key.short(), Instant::ZERO)?;
        (*known == key).then_some(*verdict)
    }
}

/// Every register is a chunk; the executor shares them out among its threads.
fn found(executor: &(impl Executor + ?Sized), registers: &[&Register], policy: &Policy) -> Vec<Verdict> {
    if executor.width() <= 1 || registers.len() < THRESHOLD {
        return registers.iter().map(|register| register.winner(policy)).collect();
    }
    let mut into = alloc::vec![None; registers.len()];
    executor.map(registers.len(), &|at| Some(to_scored(registers[at].winner(policy))), &mut into);
    into.into_iter().map(|scored| from_scored(scored.expect("an executor fills every place"))).collect()
}

/// A verdict as an executor's answer.
fn to_scored(verdict: Verdict) -> Scored {
    match verdict {
        Verdict::Nobody => (0, 0),
        Verdict::Undecided => (1, 0),
        Verdict::Awaited => (2, 0),
        Verdict::Winner(Origin::Catalogue) => (3, 0),
        Verdict::Winner(Origin::Host(host)) => (4, host.0),
    }
}

fn from_scored((kind, host): Scored) -> Verdict {
    match kind {
        0 => Verdict::Nobody,
        1 => Verdict::Undecided,
        2 => Verdict::Awaited,
        3 => Verdict::Winner(Origin::Catalogue),
        _ => Verdict::Winner(Origin::Host(HostId(host))),
    }
}
