//! Where the first token is expected soonest: the load of the model if it is not loaded, the work under way, the
//! prompt's own evaluation; each from what was measured on that host, or is assumed until then.

use super::{Balancer, Candidates, Pick, pack};
use crate::door::Reason;
use crate::draw::Draw;
use crate::facts::history::Pace;
use crate::facts::predict::service::{Busy, Speed};
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "predictive",
    summary: "where the first token is expected soonest: load, work under way, own prompt",
    source: "minimum completion time (Maheswaran et al. 1999), with estimates",
    cost: "O(n log m)",
    needs: "models loaded, paces of models on each host, work under way, declared slots",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "assumed_load_millis",
        summary: "time of a load until one was seen on the host",
        default: 5_000,
        least: 0,
        most: 3_600_000,
    }],
};

/// Assumed until an answer was seen: a mid-size model on a mid-size GPU.
const ASSUMED_OUTPUT_TOKEN_NANOS: u64 = 15_000_000;
/// The same for a prompt token.
const ASSUMED_PROMPT_TOKEN_PICOS: u64 = 500_000_000;

/// Least expected time to the first token.
#[derive(Debug)]
pub(super) struct Predictive {
    load_nanos: u64,
}

impl Predictive {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self { load_nanos: u64::from(parameters.get(0)) * 1_000_000 }
    }

    fn expected(&self, candidates: &Candidates<'_>, host: HostId) -> u64 {
        let pace = candidates.history(host).pace(candidates.request().model).copied().unwrap_or_default();
        let Pace { output_token, prompt_token_picos, cold_ttft, .. } = pace;
        let loaded = candidates.is_loaded(host);
        let speed = Speed {
            load_nanos: if loaded { 0 } else { cold_ttft.get().unwrap_or(self.load_nanos) },
            prompt_token_picos: prompt_token_picos.get().unwrap_or(ASSUMED_PROMPT_TOKEN_PICOS),
            output_token_nanos: output_token.get().unwrap_or(ASSUMED_OUTPUT_TOKEN_NANOS),
        };
        let slots = candidates.host(host).declaration.slots.max(1);
        speed.until_first_token(candidates.prompt_tokens(), Busy { load: *candidates.load(host), slots })
    }
}

impl Balancer for Predictive {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let host = candidates
            .least_score(|host| pack(self.expected(candidates, host), candidates.load(host).in_flight));
        Pick { host, reason: Reason::Predicted }
    }
}
