//! A few hosts by chance; those with many requests under way ("hot") are left out, of the others the one with the
//! lowest latency goes; if all are hot, the one with the fewest requests. What is hot is a quantile of what was seen
//! lately. Of Prequal the rule is taken; its probes are not: Ollama answers none, so a host's state is what the
//! gateway knows of it.

use alloc::vec::Vec;

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "prequal",
    summary: "of a few hosts by chance the one with the lowest latency that is not hot",
    source: "Wydrowski et al. 2024 (Load is not what you should balance), hot-cold lexicographic rule",
    cost: "O(probes), O(n) where most are full",
    needs: "times to the first token on each host, requests under way",
    requires: Requires::Nothing,
    parameters: &[
        Parameter { name: "probes", summary: "hosts looked at", default: 3, least: 2, most: 64 },
        Parameter {
            name: "hot_percentile",
            summary: "a host with more requests than this share of those seen lately is hot",
            default: 84,
            least: 0,
            most: 100,
        },
    ],
};

/// Loads seen lately that the quantile is of.
const SEEN_MAX: usize = 64;

/// Hot or cold.
#[derive(Debug)]
pub(super) struct Prequal {
    probes: u32,
    hot_percentile: u32,
    /// Loads seen lately: a ring.
    seen: Vec<u64>,
    /// Where the next goes.
    next: usize,
    /// Scratch of `pick`: the hosts looked at.
    probed: Vec<HostId>,
}

impl Prequal {
    pub(super) fn new(parameters: &Parameters, memory: &[u64]) -> Self {
        let (next, seen) = memory.split_first().map_or((0, &[][..]), |(next, seen)| (*next as usize, seen));
        Self {
            probes: parameters.get(0),
            hot_percentile: parameters.get(1),
            seen: seen.to_vec(),
            next,
            probed: Vec::new(),
        }
    }

    fn remember(&mut self, load: u64) {
        if self.seen.len() < SEEN_MAX {
            self.seen.push(load);
        } else {
            self.seen[self.next] = load;
        }
        self.next = (self.next + 1) % SEEN_MAX;
    }

    /// The load at the percentile.
    fn limit(&self) -> u64 {
        let mut sorted = [0; SEEN_MAX];
        let sorted = &mut sorted[..self.seen.len()];
        sorted.copy_from_slice(&self.seen);
        let rank = (sorted.len() * self.hot_percentile as usize / 100).min(sorted.len() - 1);
        *sorted.select_nth_unstable(rank).1
    }
}

impl Balancer for Prequal {
    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick {
        let load = |host: HostId| u64::from(candidates.load(host).in_flight);
        let mut best: Option<((bool, u64, u64), HostId)> = None;
        self.probed.clear();
        for _ in 0..self.probes {
            let host = candidates.drawn(draw);
            self.remember(load(host));
            self.probed.push(host);
        }
        let limit = self.limit();
        for &host in &self.probed {
            let hot = load(host) > limit;
            let latency = candidates.history(host).ttft.get().unwrap_or(0);
            let key = if hot { (true, load(host), latency) } else { (false, latency, load(host)) };
            if best.is_none_or(|best| (key, host) < best) {
                best = Some((key, host));
            }
        }
        let ((hot, ..), host) = best.expect("at least two hosts are looked at");
        Pick { host, reason: if hot { Reason::FewestRequests } else { Reason::LeastLatency } }
    }

    fn memory(&self) -> Vec<u64> {
        core::iter::once(self.next as u64).chain(self.seen.iter().copied()).collect()
    }
}
