//! Turns in proportion to weights, spread evenly: each open host gains its weight, the one with most goes, and pays the
//! sum. nginx's smooth weighted round robin: of weights 5, 1, 1 the order is a a b a c a a, not a a a a a b c.

use alloc::vec::Vec;

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "weighted-round-robin",
    summary: "turns in proportion to declared weights, spread evenly",
    source: "nginx, ngx_http_upstream_round_robin.c (smooth weighted round robin)",
    cost: "O(n)",
    needs: "declared weights",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Credit of each host, by id.
#[derive(Debug)]
pub(super) struct WeightedRoundRobin {
    credit: Vec<i64>,
}

impl WeightedRoundRobin {
    pub(super) fn new(memory: &[u64]) -> Self {
        Self { credit: memory.iter().map(|word| *word as i64).collect() }
    }
}

impl Balancer for WeightedRoundRobin {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let last = candidates.eligible().last().map_or(0, |host| host.index() + 1);
        if self.credit.len() < last {
            self.credit.resize(last, 0);
        }
        let mut sum = 0;
        let mut most: Option<(i64, _)> = None;
        for host in candidates.open() {
            let weight = i64::from(candidates.weight(host));
            let credit = &mut self.credit[host.index()];
            *credit += weight;
            sum += weight;
            if most.is_none_or(|(credit_most, _)| *credit > credit_most) {
                most = Some((*credit, host));
            }
        }
        let (_, host) = most.expect("a balancer is asked only where a host is open");
        self.credit[host.index()] -= sum;
        Pick { host, reason: Reason::Turn }
    }

    fn memory(&self) -> Vec<u64> {
        self.credit.iter().map(|credit| *credit as u64).collect()
    }
}
