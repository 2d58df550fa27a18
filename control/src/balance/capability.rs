//! The least capable host that suffices: big hosts stay free for what only they can run. Capable is what was declared,
//! memory before capabilities before cost; a host suffices where the model's file fits into its memory and the context that
//! was asked for into its own. How much busier than the idlest the small host may be is bounded.
//!
//! A host that does not suffice is not excluded, since Ollama would still run the model (partly on the CPU): it comes last.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "capability",
    summary: "the least capable host that suffices and is not much busier than the idlest; then the model loaded, fewest \
              requests for its slots",
    source: "best fit (Johnson 1974), over declared memory, capabilities and cost; the bound is our own",
    cost: "O(n log models)",
    needs: "declared memory, context, capabilities, cost and slots, sizes of models on disk (/api/tags), requests under way",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "imbalance_percent",
        summary: "how much busier than the idlest a host may be, in percent of its slots",
        default: 50,
        least: 0,
        most: 10_000,
    }],
};

/// Best fit.
#[derive(Debug)]
pub(super) struct Capability {
    imbalance_percent: u64,
}

impl Capability {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self { imbalance_percent: parameters.get(0).into() }
    }
}

/// Whether the request fits; what is not known does not stand in the way.
fn suffices(candidates: &Candidates<'_>, host: HostId) -> bool {
    let (facts, request) = (candidates.host(host), candidates.request());
    let (memory, context) = (facts.declaration.memory.0, facts.declaration.context_tokens);
    let bytes = facts.observation.find_stored(request.model).map_or(0, |stored| stored.bytes.0);
    (memory == 0 || bytes <= memory) && (context == 0 || request.options().num_ctx.unwrap_or(0) <= context)
}

/// Requests for slots, this one included, in percent.
fn busy_percent(candidates: &Candidates<'_>, host: HostId) -> u64 {
    let slots = candidates.host(host).declaration.slots.max(1);
    (u64::from(candidates.load(host).in_flight) + 1) * 100 / u64::from(slots)
}

/// Least first. Unknown memory counts as much: such a host may be a big one.
fn capable(candidates: &Candidates<'_>, host: HostId) -> (u64, usize, u32) {
    let declaration = &candidates.host(host).declaration;
    let memory = if declaration.memory.0 == 0 { u64::MAX } else { declaration.memory.0 };
    (memory, declaration.capabilities.len(), declaration.cost_cents_per_hour)
}

impl Balancer for Capability {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let fitting = candidates.open().filter(|host| suffices(candidates, *host));
        let idlest = fitting.map(|host| busy_percent(candidates, host)).min().unwrap_or(0);
        let host = candidates.least(|host| {
            let busy = busy_percent(candidates, host);
            let excess = busy.saturating_sub(idlest.saturating_add(self.imbalance_percent));
            (
                !suffices(candidates, host),
                excess > 0,
                capable(candidates, host),
                !candidates.is_loaded(host),
                busy,
            )
        });
        Pick { host, reason: Reason::LeastCapable }
    }
}
