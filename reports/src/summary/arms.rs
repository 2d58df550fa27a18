//! The rows of arms.

use control::facts::arms::ArmFacts;
use control::ids::ArmId;
use serde::Serialize;

use super::{Quantiles, ROWS_MAX, Requests};
use crate::metrics::{Metrics, Tally};
use crate::number::ratio;

/// An arm's row: the requests whose last attempt it decided. Those that nobody decided count for the first arm.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ArmRow {
    /// Its name, with its balancer where another arm has the same name.
    pub arm: String,
    /// Its balancer.
    pub balancer: String,
    /// What it is for.
    pub part: String,
    /// Attempts that it sent to a host; of a shadow, that it would have sent.
    pub decided: u64,
    /// Of a shadow: where it would have sent what went there, in all that it decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed_share: Option<f64>,
    /// It did worse than its guard allows, and got no more requests.
    pub rolled_back: bool,
    /// How its requests ended.
    pub requests: Requests,
    /// First token − arrival.
    pub ttft_ms: Quantiles,
    /// Mean gap between tokens.
    pub tpot_ms: Quantiles,
    /// Last token − arrival.
    pub e2e_ms: Quantiles,
    /// Its finished requests within both objectives, in all of its requests.
    pub goodput_share: Option<f64>,
}

impl Metrics {
    /// A row for each arm that control knew.
    pub(super) fn arm_rows(&self, arms: &[ArmFacts]) -> Vec<ArmRow> {
        if !self.spec().by_arm {
            return Vec::new();
        }
        let mut tallies = self.arms().peekable();
        let none = Tally::default();
        (0..)
            .map(ArmId)
            .zip(arms)
            .take(ROWS_MAX)
            .map(|(id, facts)| {
                let tally = tallies.next_if(|(next, _)| *next == id).map_or(&none, |(_, tally)| tally);
                self.arm_row(id, facts, tally)
            })
            .collect()
    }

    fn arm_row(&self, id: ArmId, facts: &ArmFacts, tally: &Tally) -> ArmRow {
        let info = self.spec().arms.get(id.index()).cloned().unwrap_or_default();
        let (counts, latencies) = (&tally.counts, tally.latencies());
        let infinite = Some(latencies.infinite);
        let agreed = ratio(facts.counts.agreed.into(), facts.counts.decided.into(), 6);
        ArmRow {
            arm: self.spec().arm_name(id),
            balancer: info.balancer,
            part: info.part,
            decided: facts.counts.decided,
            agreed_share: agreed.filter(|_| !info.acts),
            rolled_back: facts.rolled_back,
            requests: Requests::of(counts),
            ttft_ms: Quantiles::of(&latencies.ttft, infinite),
            tpot_ms: Quantiles::of(&latencies.tpot, infinite),
            e2e_ms: Quantiles::of(&latencies.e2e, infinite),
            goodput_share: ratio(counts.good.into(), counts.arrived.into(), 6),
        }
    }
}
