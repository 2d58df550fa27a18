//! The host that holds the longest beginning of the prompt in its cache, as far as the gateway can tell from where it sent
//! such prompts before; unless it carries more than its share. Without a match: where the model is loaded, then the
//! fewest requests.

use alloc::vec::Vec;

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::{Draw, mix};
use crate::ids::HostId;
use crate::index::Implementation;
use crate::index::lru::{Limits, Lru};
use crate::strategy::{Parameter, Parameters, Requires, Strategy};
use crate::units::Instant;

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "prefix-affinity",
    summary: "the host that was sent the longest beginning of the prompt before, unless it carries more than its share",
    source: "SGLang router, cache-aware policy; NVIDIA Dynamo, KV router; bound as Mirrokni et al. 2018",
    cost: "O(blocks), O(levels × n / 64) without a match",
    needs: "keyed hashes of prompt blocks, models loaded, requests under way on each host",
    requires: Requires::Nothing,
    parameters: &[
        Parameter {
            name: "blocks_max",
            summary: "blocks remembered; the longest unused are forgotten",
            default: 100_000,
            least: 1,
            most: 10_000_000,
        },
        Parameter {
            name: "load_percent",
            summary: "most requests on a host, in percent of the mean",
            default: 150,
            least: 100,
            most: 10_000,
        },
    ],
};

/// Where blocks went.
#[derive(Debug)]
pub(super) struct PrefixAffinity {
    load_percent: u64,
    /// By chained hash: the host that it was sent to last.
    blocks: Lru<HostId>,
}

impl PrefixAffinity {
    pub(super) fn new(parameters: &Parameters, memory: &[u64], implementation: Implementation) -> Self {
        let mut blocks = Lru::new(implementation, Limits { capacity: parameters.get(0), ttl: None });
        for pair in memory.chunks_exact(2) {
            blocks.put(pair[0], HostId(pair[1] as u32), Instant::default());
        }
        Self { load_percent: parameters.get(1).into(), blocks }
    }

    fn known(&self, candidates: &Candidates<'_>, model: u64, bound: u64) -> Option<HostId> {
        let fits = |host: &HostId| {
            candidates.is_eligible(*host)
                && candidates.is_open(*host)
                && u64::from(candidates.load(*host).in_flight) < bound
        };
        let blocks = candidates.request().prefix.iter().rev();
        blocks.filter_map(|block| self.blocks.peek(mix(block ^ model), candidates.now())).copied().find(fits)
    }
}

impl Balancer for PrefixAffinity {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let model = mix(u64::from(candidates.request().model.0) + 1);
        let pick = match self.known(candidates, model, candidates.bound(self.load_percent)) {
            Some(host) => Pick { host, reason: Reason::PrefixHeld },
            None => Pick { host: candidates.fewest_loaded_first(), reason: Reason::FewestRequests },
        };
        for block in &candidates.request().prefix {
            self.blocks.put(mix(block ^ model), pick.host, candidates.now());
        }
        pick
    }

    fn asks_for_levels(&self) -> bool {
        true
    }

    fn asks_for_bound(&self) -> bool {
        true
    }

    fn memory(&self) -> Vec<u64> {
        self.blocks.by_use().flat_map(|(block, _, host)| [block, u64::from(host.0)]).collect()
    }
}
