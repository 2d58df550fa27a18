//! The host that holds the longest beginning of the prompt in its cache, as far as the gateway can tell from where it sent
//! such prompts before; unless it carries more than its share. Without a match: where the model is loaded, then the
//! fewest requests.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::{Draw, mix};
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "prefix-affinity",
    summary: "the host that was sent the longest beginning of the prompt before, unless it carries more than its share",
    source: "SGLang router, cache-aware policy; NVIDIA Dynamo, KV router; bound as Mirrokni et al. 2018",
    cost: "O(blocks × log blocks_max), O(levels × n / 64) without a match",
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
    blocks_max: usize,
    load_percent: u64,
    /// By chained hash: the host that it was sent to last, and when, in a count of its own.
    blocks: BTreeMap<u64, (HostId, u64)>,
    /// The same by that count: the longest unused first.
    uses: BTreeMap<u64, u64>,
    count: u64,
}

impl PrefixAffinity {
    pub(super) fn new(parameters: &Parameters, memory: &[u64]) -> Self {
        let mut affinity = Self {
            blocks_max: parameters.get(0) as usize,
            load_percent: parameters.get(1).into(),
            blocks: BTreeMap::new(),
            uses: BTreeMap::new(),
            count: 0,
        };
        for pair in memory.chunks_exact(2) {
            affinity.remember(pair[0], HostId(pair[1] as u32));
        }
        affinity
    }

    fn remember(&mut self, block: u64, host: HostId) {
        self.count += 1;
        if let Some((_, used)) = self.blocks.insert(block, (host, self.count)) {
            self.uses.remove(&used);
        }
        self.uses.insert(self.count, block);
        while self.blocks.len() > self.blocks_max {
            let (_, oldest) = self.uses.pop_first().expect("every block has its last use");
            self.blocks.remove(&oldest);
        }
    }

    fn known(&self, candidates: &Candidates<'_>, model: u64, bound: u64) -> Option<HostId> {
        let fits = |host: &HostId| {
            candidates.is_eligible(*host)
                && candidates.is_open(*host)
                && u64::from(candidates.load(*host).in_flight) < bound
        };
        let blocks = candidates.request().prefix.iter().rev();
        blocks.filter_map(|block| self.blocks.get(&mix(block ^ model))).map(|found| found.0).find(fits)
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
            self.remember(mix(block ^ model), pick.host);
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
        self.uses.values().flat_map(|block| [*block, u64::from(self.blocks[block].0.0)]).collect()
    }
}
