//! A host by chance, each as likely: the base of comparison for everything that looks at load.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "random",
    summary: "a host by chance, each as likely",
    source: "folklore",
    cost: "O(1), O(n) where most are full",
    needs: "nothing",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Chance.
#[derive(Debug)]
pub(super) struct Random;

impl Balancer for Random {
    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick {
        Pick { host: candidates.drawn(draw), reason: Reason::Drawn }
    }
}
