//! Statistics over replicates: whole runs that differ by their seed or their part of a trace. Requests of one run depend on each other and are
//! none.
//!
//! Two arms that ran on the same replicates are compared by their differences, pair by pair, so that what both had in common (the
//! same arrivals) falls out.

pub mod estimate;
pub mod multiple;
pub mod pareto;
pub mod precision;
pub mod ranks;
