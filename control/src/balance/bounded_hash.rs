//! The host that the conversation hashes to, unless it carries more than its share: the turns of a session meet the
//! cache that the turns before have filled, and no host is overrun.
//!
//! Hashing is by highest random weight, so that a host that comes or goes moves only what is its own.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::{Draw, mix};
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "bounded-hash",
    summary: "the host that session, prompt or tenant hashes to, unless it carries more than its share",
    source: "Mirrokni, Thorup, Zadimoghaddam 2018 (bounded loads); Thaler, Ravishankar 1998 (highest random weight)",
    cost: "O(n)",
    needs: "sessions or hashes of prompt blocks, requests under way on each host",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "load_percent",
        summary: "most requests on a host, in percent of the mean",
        default: 125,
        least: 100,
        most: 10_000,
    }],
};

/// Highest random weight under a bound.
#[derive(Debug)]
pub(super) struct BoundedHash {
    load_percent: u64,
}

impl BoundedHash {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self { load_percent: parameters.get(0).into() }
    }
}

impl Balancer for BoundedHash {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let request = candidates.request();
        let key = match (request.session, request.prefix.first()) {
            (Some(session), _) => session.0,
            (None, Some(block)) => *block,
            (None, None) => u64::from(request.tenant.0) << 32 | u64::from(request.model.0),
        };
        let bound = candidates.bound(self.load_percent);
        let height = |host: HostId| mix(key ^ mix(u64::from(host.0) + 1));
        let host = candidates.least(|host| {
            (u64::from(candidates.load(host).in_flight) >= bound, core::cmp::Reverse(height(host)))
        });
        Pick { host, reason: Reason::Hashed }
    }

    fn asks_for_bound(&self) -> bool {
        true
    }
}
