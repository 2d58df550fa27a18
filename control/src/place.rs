//! Placement: which models should be in memory on which hosts.
//!
//! Every so often control asks with what it knows ([`Problem`]) and gets the replicas that there should be ([`Plan`]). What to
//! load and unload for it, when, and within which budgets, is not decided here, nor is any host touched.
//!
//! All of it is plain functions over integers: the same problem gives the same plan, ties go to the lower id, and what is in
//! memory stays where another place would be no better.

pub mod check;
pub mod config;
mod draft;
pub mod erlang;
mod exact;
mod greedy;
mod ground;
mod grow;
pub mod objective;
mod on_demand;
mod packing;
pub mod patterns;
mod popularity;
mod prefetch;
pub mod problem;
mod rebalance;
mod renew;
mod static_replicas;

use serde::{Deserialize, Serialize};

use self::draft::Draft;
use self::ground::Ground;
pub use self::grow::grow;
use self::packing::Fit;
use self::problem::{Plan, Problem};
pub use self::renew::replaces;
use crate::strategy::{Chosen, Line};

/// The strategies of placement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PlacementKind {
    /// None: Ollama loads what is asked for.
    OnDemand,
    /// Pins, least numbers and targets.
    Static,
    /// Replicas in proportion to the load.
    Popularity,
    /// Ever the replica that shortens waits most for its memory.
    Greedy,
    /// As many replicas as the load needs, each on the first host with room.
    FirstFit,
    /// The same on the host that is left with the least memory.
    BestFit,
    /// The same on the host that is left with the most memory.
    WorstFit,
    /// The same on the host that is used least.
    Balanced,
    /// Greedy by the forecast.
    Prefetch,
    /// A few moves that improve what is there.
    Rebalance,
    /// The best there is, for small fleets.
    Exact,
}

/// All strategies of placement.
pub const ALL: &[Line<PlacementKind>] = &[
    (PlacementKind::OnDemand, on_demand::STRATEGY),
    (PlacementKind::Static, static_replicas::STRATEGY),
    (PlacementKind::Popularity, popularity::STRATEGY),
    (PlacementKind::Greedy, greedy::STRATEGY),
    (PlacementKind::FirstFit, packing::FIRST_FIT),
    (PlacementKind::BestFit, packing::BEST_FIT),
    (PlacementKind::WorstFit, packing::WORST_FIT),
    (PlacementKind::Balanced, packing::BALANCED),
    (PlacementKind::Prefetch, prefetch::STRATEGY),
    (PlacementKind::Rebalance, rebalance::STRATEGY),
    (PlacementKind::Exact, exact::STRATEGY),
];

/// The plan of a strategy. [`check::check`] holds for it.
#[must_use]
pub fn plan(chosen: &Chosen<PlacementKind>, problem: &Problem) -> Plan {
    if chosen.kind == PlacementKind::OnDemand {
        return on_demand::plan();
    }
    let ground = &Ground::new(problem);
    let parameters = &chosen.parameters;
    let draft = match chosen.kind {
        PlacementKind::OnDemand => Draft::empty(ground),
        PlacementKind::Exact => return exact::plan(ground, parameters),
        PlacementKind::Static => Draft::founded(ground),
        PlacementKind::Popularity => popularity::draft(ground, parameters),
        PlacementKind::Greedy => greedy::draft(ground),
        PlacementKind::FirstFit => packing::draft(ground, parameters, Fit::First),
        PlacementKind::BestFit => packing::draft(ground, parameters, Fit::Best),
        PlacementKind::WorstFit => packing::draft(ground, parameters, Fit::Worst),
        PlacementKind::Balanced => packing::draft(ground, parameters, Fit::Balanced),
        PlacementKind::Prefetch => prefetch::draft(ground, parameters),
        PlacementKind::Rebalance => rebalance::draft(ground, parameters),
    };
    draft.finish()
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
