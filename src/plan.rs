//! Capacity planning: the cheapest fleet that meets an objective for a load, what comes next, and what load a fleet can take.
//!
//! A **candidate** is everything about a fleet but how many hosts it has: their kind, their settings, who decides. More hosts never serve worse but
//! by chance, so the fewest that meet the objective are found by bisection, and a candidate that is not cheaper with what it would have to get by
//! with is left without looking further. That more hosts serve better is checked where it matters: the winner is run again on fresh replicates.

pub mod candidates;
pub mod capacity;
mod curve;
pub mod folder;
pub mod judge;
pub mod load;
pub mod looked;
pub mod page;
mod plots;
pub mod price;
pub mod search;
pub mod slo;
pub mod text;
