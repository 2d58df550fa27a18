//! The tenant that was served least for its weight goes next, counted in weighted tokens (virtual token counter). Who comes back after
//! a pause is lifted to the least of those that wait, so that nobody saves up service.
//!
//! The answer's tokens are charged by expectation when a request goes out, and set right when it ends.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::fair::Tenants;
use super::{Group, Head, Queued, Scheduler, Work, group_of};
use crate::ids::TenantId;
use crate::request::Arrive;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "token-counter",
    summary: "the tenant that was served the fewest weighted tokens for its weight first",
    source: "Sheng et al. 2024 (Fairness in serving large language models), weighted VTC with prediction",
    cost: "O(log q + tenants)",
    needs: "tenants and their weights, tokens of earlier answers",
    requires: Requires::Nothing,
    parameters: &[
        Parameter {
            name: "prompt_weight",
            summary: "cost of a prompt token",
            default: 1,
            least: 0,
            most: 1_000,
        },
        Parameter {
            name: "output_weight",
            summary: "cost of a generated token",
            default: 2,
            least: 0,
            most: 1_000,
        },
    ],
};

/// What a unit of cost adds to the counter at a weight of 1; a hundredth of it at the normal weight. The greatest weight
/// divides it, so nobody's work rounds to nothing.
const UNIT: i64 = 10_000;

/// Counters of tenants.
#[derive(Debug)]
pub(super) struct TokenCounter {
    prompt_weight: i64,
    output_weight: i64,
    tenants: Tenants,
    /// Counter of the tenant that left the queue last.
    left_at: i64,
}

impl TokenCounter {
    pub(super) fn new(parameters: &Parameters, memory: &[u64]) -> Self {
        let (left_at, tenants) =
            memory.split_first().map_or((0, &[][..]), |(left, rest)| (*left as i64, rest));
        Self {
            prompt_weight: parameters.get(0).into(),
            output_weight: parameters.get(1).into(),
            tenants: Tenants::restore(tenants),
            left_at,
        }
    }

    fn cost(&self, work: Work) -> i64 {
        i64::from(work.prompt) * self.prompt_weight + i64::from(work.output) * self.output_weight
    }
}

impl Scheduler for TokenCounter {
    fn place(&self, queued: Queued<'_>) -> (Group, u128) {
        (group_of(queued.arrive.tenant), 0)
    }

    fn choose(&mut self, heads: &[Head]) -> usize {
        let counter = |at: usize| (self.tenants.get(heads[at].group.0).value, heads[at].group, heads[at].key);
        (0..heads.len())
            .min_by_key(|at| counter(*at))
            .expect("a scheduler is asked only where a request can go")
    }

    fn weigh(&mut self, tenant: TenantId, weight: u32) {
        self.tenants.of(tenant).weight = weight.into();
    }

    fn enter(&mut self, arrive: &Arrive) {
        let least = self.tenants.waiting().map(|tenant| tenant.value).min().unwrap_or(self.left_at);
        let tenant = self.tenants.of(arrive.tenant);
        if tenant.queued == 0 {
            tenant.value = tenant.value.max(least);
        }
        tenant.queued += 1;
    }

    fn leave(&mut self, arrive: &Arrive) {
        let tenant = self.tenants.of(arrive.tenant);
        tenant.queued -= 1;
        if tenant.queued == 0 {
            self.left_at = tenant.value;
        }
    }

    fn resume(&mut self, queued: &BTreeMap<TenantId, u64>) {
        let (came, left) = self.tenants.resume(queued);
        let value = |tenant: &TenantId| self.tenants.get(tenant.0).value;
        if let Some(last) = left.iter().map(value).max() {
            self.left_at = last;
        }
        let stayed = queued.keys().filter(|tenant| came.binary_search(tenant).is_err());
        let least = stayed.map(value).min().unwrap_or(self.left_at);
        for tenant in came {
            let tenant = self.tenants.of(tenant);
            tenant.value = tenant.value.max(least);
        }
    }

    fn charge(&mut self, arrive: &Arrive, work: Work) {
        self.settle(arrive, Work::default(), work);
    }

    fn settle(&mut self, arrive: &Arrive, charged: Work, took: Work) {
        let (took, charged) = (self.cost(took), self.cost(charged));
        let tenant = self.tenants.of(arrive.tenant);
        // Each part is rounded by itself, so that what was charged is what is given back.
        let difference = took * UNIT / tenant.weight - charged * UNIT / tenant.weight;
        tenant.value = tenant.value.saturating_add(difference);
    }

    fn memory(&self) -> Vec<u64> {
        core::iter::once(self.left_at as u64).chain(self.tenants.memory()).collect()
    }
}
