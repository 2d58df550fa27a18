//! The least effective load: how busy processors, memory, GPUs and network of a host are, and how full its slots, each by
//! its weight, over the host's health.
//!
//! Ollama tells none of it: the first four come from a source of metrics that the operator declares, and are as old as its
//! last word. Only the last is the gateway's own and changes with each request, so that between two words a host does not
//! draw everybody. Health is the share of attempts that did not fail of late ([`HostHistory::health_permille`]).
//!
//! [`HostHistory::health_permille`]: crate::facts::history::HostHistory::health_permille

use super::{Balancer, Candidates, Pick, pack};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

const fn weight(name: &'static str, summary: &'static str, default: u32) -> Parameter {
    Parameter { name, summary, default, least: 0, most: 1_000 }
}

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "resource-aware",
    summary: "least effective load: processors, memory, GPUs, network and slots taken, by weights, over health",
    source: "least effective load (0.3 cpu + 0.3 memory + 0.2 gpu + 0.1 network + 0.1 queue) / health, in fixed point",
    cost: "O(n)",
    needs: "utilisation of each host, requests under way, declared slots, failed attempts",
    requires: Requires::Metrics,
    parameters: &[
        weight("cpu_weight", "weight of the processors", 30),
        weight("memory_weight", "weight of the memory", 30),
        weight("gpu_weight", "weight of the GPUs", 20),
        weight("network_weight", "weight of the network", 10),
        weight("queue_weight", "weight of the slots taken", 10),
    ],
};

/// Effective load.
#[derive(Debug)]
pub(super) struct ResourceAware {
    /// Of processors, memory, GPUs, network and slots.
    weights: [u64; 5],
}

impl ResourceAware {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self { weights: core::array::from_fn(|at| parameters.get(at).into()) }
    }

    /// In thousandths times the sum of the weights, times a thousand. What was never measured counts as idle.
    fn load(&self, candidates: &Candidates<'_>, host: HostId) -> u64 {
        let facts = candidates.host(host);
        let measured = facts.utilisation.unwrap_or_default();
        let slots = u64::from(facts.declaration.slots.max(1));
        // The request at hand counts, so that the health of an idle host counts, too.
        let queue = (u64::from(candidates.load(host).in_flight) + 1) * 1_000 / slots;
        let parts = [measured.cpu, measured.memory, measured.gpu, measured.network].map(u64::from);
        let parts = parts.into_iter().chain([queue]);
        let sum: u64 = parts.zip(self.weights).map(|(part, weight)| part * weight).sum();
        sum * 1_000 / candidates.history(host).health_permille()
    }
}

impl Balancer for ResourceAware {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let host =
            candidates.least_score(|host| pack(self.load(candidates, host), candidates.load(host).in_flight));
        Pick { host, reason: Reason::LeastBusy }
    }
}
