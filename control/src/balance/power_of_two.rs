//! Two hosts by chance, the one with fewer requests under way of the two: nearly as good as asking all, at a constant
//! cost (Mitzenmacher 2001, The power of two choices in randomized load balancing).

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "power-of-two",
    summary: "two hosts by chance, the one with fewer requests under way",
    source: "Mitzenmacher 2001",
    cost: "O(1), O(n) where most are full",
    needs: "requests under way on each host",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Two draws.
#[derive(Debug)]
pub(super) struct PowerOfTwo;

impl Balancer for PowerOfTwo {
    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick {
        let (first, second) = (candidates.drawn(draw), candidates.drawn(draw));
        let fewer = |host| (candidates.load(host).in_flight, host);
        let host = if fewer(second) < fewer(first) { second } else { first };
        Pick { host, reason: Reason::FewestRequests }
    }
}
