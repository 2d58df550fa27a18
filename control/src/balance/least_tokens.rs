//! The host with the least work under way, in estimated tokens of prompts and answers, ties to the lower id: requests
//! of a language model differ in size by orders of magnitude, so their count says little.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "least-tokens",
    summary: "least estimated tokens under way",
    source: "least outstanding work (Harchol-Balter 2013, ch. 24), counted in tokens",
    cost: "O(n)",
    needs: "sizes of prompts, lengths of earlier answers",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Least work.
#[derive(Debug)]
pub(super) struct LeastTokens;

impl Balancer for LeastTokens {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        Pick {
            host: candidates.least_score(|host| candidates.load(host).outstanding_tokens.into()),
            reason: Reason::LeastWork,
        }
    }
}
