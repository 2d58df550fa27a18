//! Tenants in turn, each for a quantum of tokens (deficit round robin): what a turn leaves over is kept for the next while
//! the tenant waits, so that long requests cost their owner turns, not others. A tenant's weight scales its quantum.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::fair::Tenants;
use super::{Group, Head, Queued, Scheduler, WEIGHT_NORMAL, Work, group_of};
use crate::ids::TenantId;
use crate::request::Arrive;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "deficit-round-robin",
    summary: "tenants in turn, each for a quantum of tokens, by weights",
    source: "Shreedhar, Varghese 1995",
    cost: "O(log q + tenants)",
    needs: "tenants and their weights, tokens of earlier answers",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "quantum_tokens",
        summary: "tokens that a turn adds, at a weight of 100",
        default: 2_000,
        least: 1,
        most: 1_000_000_000,
    }],
};

/// Deficits are counted in parts of a token, as fine as weights, so that no quantum is rounded.
const TOKEN: i64 = WEIGHT_NORMAL as i64;

/// Turns and deficits.
#[derive(Debug)]
pub(super) struct DeficitRoundRobin {
    quantum: i64,
    /// By tenant: what it may still send in this turn, in parts of a token; below zero where answers were longer than
    /// expected.
    tenants: Tenants,
    /// Whose turn it is.
    turn: u32,
}

impl DeficitRoundRobin {
    pub(super) fn new(parameters: &Parameters, memory: &[u64]) -> Self {
        let (turn, tenants) = memory.split_first().map_or((0, &[][..]), |(turn, rest)| (*turn as u32, rest));
        Self { quantum: parameters.get(0).into(), tenants: Tenants::restore(tenants), turn }
    }

    /// Turns that a tenant must wait until it can send `tokens`.
    fn turns(&self, head: &Head) -> i64 {
        let tenant = self.tenants.get(head.group.0);
        let (missing, quantum) =
            (i64::from(head.tokens) * TOKEN - tenant.value, self.quantum * tenant.weight);
        if missing <= 0 { 0 } else { (missing + quantum - 1) / quantum }
    }
}

impl Scheduler for DeficitRoundRobin {
    fn place(&self, queued: Queued<'_>) -> (Group, u128) {
        (group_of(queued.arrive.tenant), 0)
    }

    fn choose(&mut self, heads: &[Head]) -> usize {
        // One head for each tenant: its first, over all models.
        let mut firsts: Vec<usize> = (0..heads.len()).collect();
        firsts.sort_unstable_by_key(|at| (heads[*at].group, heads[*at].key));
        firsts.dedup_by_key(|at| heads[*at].group);
        // The tenant whose turn it is goes on while its deficit lasts.
        if let Some(&at) = firsts.iter().find(|at| heads[**at].group.0 == self.turn)
            && self.turns(&heads[at]) == 0
        {
            return at;
        }
        // The ring after it; itself comes last. A tenant gets its quantum at the begin of each turn.
        let from = firsts.partition_point(|at| heads[*at].group.0 <= self.turn);
        firsts.rotate_left(from);
        let turns = |place: usize| self.turns(&heads[firsts[place]]).max(1);
        let (most, place) = (0..firsts.len())
            .map(|place| (turns(place), place))
            .min()
            .expect("a scheduler is asked only where a request can go");
        for (at, first) in firsts.iter().enumerate() {
            let turns = if at <= place { most } else { most - 1 };
            let tenant = self.tenants.of(TenantId(heads[*first].group.0));
            tenant.value += turns * self.quantum * tenant.weight;
        }
        self.turn = heads[firsts[place]].group.0;
        firsts[place]
    }

    fn asks_for_work(&self) -> bool {
        true
    }

    fn weigh(&mut self, tenant: TenantId, weight: u32) {
        self.tenants.of(tenant).weight = weight.into();
    }

    fn enter(&mut self, arrive: &Arrive) {
        self.tenants.of(arrive.tenant).queued += 1;
    }

    fn leave(&mut self, arrive: &Arrive) {
        let tenant = self.tenants.of(arrive.tenant);
        tenant.queued -= 1;
        if tenant.queued == 0 {
            // Who waits no more keeps no credit; a debt stays.
            tenant.value = tenant.value.min(0);
        }
    }

    fn resume(&mut self, queued: &BTreeMap<TenantId, u64>) {
        let (_, left) = self.tenants.resume(queued);
        for tenant in left {
            let tenant = self.tenants.of(tenant);
            tenant.value = tenant.value.min(0);
        }
    }

    fn charge(&mut self, arrive: &Arrive, work: Work) {
        let tenant = self.tenants.of(arrive.tenant);
        if tenant.queued > 0 {
            tenant.value -= (i64::from(work.prompt) + i64::from(work.output)) * TOKEN;
        }
    }

    fn settle(&mut self, arrive: &Arrive, charged: Work, took: Work) {
        let more = i64::from(took.output) - i64::from(charged.output) + i64::from(took.prompt)
            - i64::from(charged.prompt);
        let tenant = self.tenants.of(arrive.tenant);
        if tenant.queued > 0 {
            tenant.value -= more * TOKEN;
        }
    }

    fn memory(&self) -> Vec<u64> {
        core::iter::once(u64::from(self.turn)).chain(self.tenants.memory()).collect()
    }
}
