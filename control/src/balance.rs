//! Choice of a host among those that have the model on disk, answer their polls and have room.

mod adaptive;
mod bandit;
mod bounded_hash;
mod candidates;
mod capability;
mod join_idle;
mod latency;
mod least_connections;
mod least_load;
mod least_tokens;
mod model_affinity;
mod peak_ewma;
mod power_of_two;
mod predictive;
mod prefix_affinity;
mod prequal;
mod random;
mod resource_aware;
mod round_robin;
mod weighted_random;
mod weighted_round_robin;
mod zone_aware;

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use candidates::Candidates;

use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::index::Implementation;
use crate::strategy::{Chosen, Line};

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
    /// Whether it asks for the host with the fewest requests, or an idle one: hosts are then kept by their number.
    fn asks_for_levels(&self) -> bool {
        false
    }
    /// Whether it asks for [`Candidates::bound`], for which the sum of requests is then kept at hand.
    fn asks_for_bound(&self) -> bool {
        false
    }
    /// Whether it draws hosts by their declared weights, which are then kept as sums.
    fn asks_for_weights(&self) -> bool {
        false
    }
    /// What it keeps between decisions; it is built again from it.
    fn memory(&self) -> Vec<u64> {
        Vec::new()
    }
}

/// A score of two parts: the first decides, the second where it is equal.
const fn pack(value: u64, tie: u32) -> u128 {
    (value as u128) << 32 | tie as u128
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
    /// Turns in proportion to weights.
    WeightedRoundRobin,
    /// By chance, in proportion to weights.
    WeightedRandom,
    /// Lowest tier, then fewest requests for the weight.
    LeastLoad,
    /// Where first tokens came soonest of late.
    Latency,
    /// Two by chance, least peak-sensitive latency × load.
    PeakEwma,
    /// A few by chance, hot ones left out.
    Prequal,
    /// By hash of the conversation, bounded by load.
    BoundedHash,
    /// Where the longest beginning of the prompt went before.
    PrefixAffinity,
    /// An idle host, else by chance.
    JoinIdle,
    /// Where the first token is expected soonest.
    Predictive,
    /// By chance, by learned weights.
    Adaptive,
    /// Least latency so far, with exploration.
    Bandit,
    /// The conversation's zone, else the freest.
    ZoneAware,
    /// The least capable that suffices.
    Capability,
    /// Least effective load, as measured.
    ResourceAware,
}

/// All balancers.
pub const ALL: &[Line<BalancerKind>] = &[
    (BalancerKind::RoundRobin, round_robin::STRATEGY),
    (BalancerKind::Random, random::STRATEGY),
    (BalancerKind::LeastConnections, least_connections::STRATEGY),
    (BalancerKind::PowerOfTwo, power_of_two::STRATEGY),
    (BalancerKind::LeastTokens, least_tokens::STRATEGY),
    (BalancerKind::ModelAffinity, model_affinity::STRATEGY),
    (BalancerKind::WeightedRoundRobin, weighted_round_robin::STRATEGY),
    (BalancerKind::WeightedRandom, weighted_random::STRATEGY),
    (BalancerKind::LeastLoad, least_load::STRATEGY),
    (BalancerKind::Latency, latency::STRATEGY),
    (BalancerKind::PeakEwma, peak_ewma::STRATEGY),
    (BalancerKind::Prequal, prequal::STRATEGY),
    (BalancerKind::BoundedHash, bounded_hash::STRATEGY),
    (BalancerKind::PrefixAffinity, prefix_affinity::STRATEGY),
    (BalancerKind::JoinIdle, join_idle::STRATEGY),
    (BalancerKind::Predictive, predictive::STRATEGY),
    (BalancerKind::Adaptive, adaptive::STRATEGY),
    (BalancerKind::Bandit, bandit::STRATEGY),
    (BalancerKind::ZoneAware, zone_aware::STRATEGY),
    (BalancerKind::Capability, capability::STRATEGY),
    (BalancerKind::ResourceAware, resource_aware::STRATEGY),
];

/// Builds a balancer with what one of its kind kept before (empty: new), and the twin of its memory.
#[must_use]
pub fn build(
    chosen: &Chosen<BalancerKind>,
    memory: &[u64],
    implementation: Implementation,
) -> Box<dyn Balancer> {
    let parameters = &chosen.parameters;
    match chosen.kind {
        BalancerKind::RoundRobin => Box::new(round_robin::RoundRobin::new(memory)),
        BalancerKind::Random => Box::new(random::Random),
        BalancerKind::LeastConnections => Box::new(least_connections::LeastConnections),
        BalancerKind::PowerOfTwo => Box::new(power_of_two::PowerOfTwo),
        BalancerKind::LeastTokens => Box::new(least_tokens::LeastTokens),
        BalancerKind::ModelAffinity => Box::new(model_affinity::ModelAffinity),
        BalancerKind::WeightedRoundRobin => Box::new(weighted_round_robin::WeightedRoundRobin::new(memory)),
        BalancerKind::WeightedRandom => Box::new(weighted_random::WeightedRandom),
        BalancerKind::LeastLoad => Box::new(least_load::LeastLoad),
        BalancerKind::Latency => Box::new(latency::Latency),
        BalancerKind::PeakEwma => Box::new(peak_ewma::PeakEwma),
        BalancerKind::Prequal => Box::new(prequal::Prequal::new(parameters, memory)),
        BalancerKind::BoundedHash => Box::new(bounded_hash::BoundedHash::new(parameters)),
        BalancerKind::PrefixAffinity => {
            Box::new(prefix_affinity::PrefixAffinity::new(parameters, memory, implementation))
        }
        BalancerKind::JoinIdle => Box::new(join_idle::JoinIdle::new(memory)),
        BalancerKind::Predictive => Box::new(predictive::Predictive::new(parameters)),
        BalancerKind::Adaptive => Box::new(adaptive::Adaptive::new(parameters)),
        BalancerKind::Bandit => Box::new(bandit::Bandit::new(parameters)),
        BalancerKind::ZoneAware => Box::new(zone_aware::ZoneAware::new(parameters)),
        BalancerKind::Capability => Box::new(capability::Capability::new(parameters)),
        BalancerKind::ResourceAware => Box::new(resource_aware::ResourceAware::new(parameters)),
    }
}

#[cfg(test)]
mod tests;
