//! Choice of a host among those that have the model on disk, answer their polls and have room.

mod candidates;
mod least_connections;
mod least_tokens;
mod model_affinity;
mod power_of_two;
mod random;
mod round_robin;

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use candidates::Candidates;

use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::Line;

/// A chosen host and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pick {
    /// The host; one of the open candidates.
    pub host: HostId,
    /// Why.
    pub reason: Reason,
}

/// A choice of hosts. Called only where at least one candidate is open.
pub trait Balancer: Send {
    /// Chooses one of the open candidates.
    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick;
    /// What it keeps between decisions; it is built again from it.
    fn memory(&self) -> Vec<u64> {
        Vec::new()
    }
}

/// The balancers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BalancerKind {
    /// Each host in turn.
    RoundRobin,
    /// A host by chance, each as likely.
    Random,
    /// Fewest requests under way.
    LeastConnections,
    /// Two hosts by chance, the one with fewer requests under way.
    PowerOfTwo,
    /// Least estimated tokens under way.
    LeastTokens,
    /// Where the model is loaded, else where it is on disk.
    ModelAffinity,
}

/// All balancers.
pub const ALL: &[Line<BalancerKind>] = &[
    (BalancerKind::RoundRobin, round_robin::STRATEGY),
    (BalancerKind::Random, random::STRATEGY),
    (BalancerKind::LeastConnections, least_connections::STRATEGY),
    (BalancerKind::PowerOfTwo, power_of_two::STRATEGY),
    (BalancerKind::LeastTokens, least_tokens::STRATEGY),
    (BalancerKind::ModelAffinity, model_affinity::STRATEGY),
];

/// Builds a balancer with what one of its kind kept before (empty: new).
#[must_use]
pub fn build(kind: BalancerKind, memory: &[u64]) -> Box<dyn Balancer> {
    match kind {
        BalancerKind::RoundRobin => Box::new(round_robin::RoundRobin::new(memory)),
        BalancerKind::Random => Box::new(random::Random),
        BalancerKind::LeastConnections => Box::new(least_connections::LeastConnections),
        BalancerKind::PowerOfTwo => Box::new(power_of_two::PowerOfTwo),
        BalancerKind::LeastTokens => Box::new(least_tokens::LeastTokens),
        BalancerKind::ModelAffinity => Box::new(model_affinity::ModelAffinity),
    }
}

#[cfg(test)]
mod tests;
