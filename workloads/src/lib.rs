//! Where jobs come from: arrival processes, lengths, sessions, closed-loop users, traces.
//!
//! [`config::WorkloadFile`] is the `[workload]` section of a scenario; [`check`] turns it into a
//! [`check::Workload`]; [`check::Workload::source`] makes the [`source::Source`] of its jobs. Memory does not grow with
//! the number of requests, but for sessions and users that are under way.
//!
//! Left out: what a host or control makes of a job; the formats of traces (crate `traces`); the texts of built-in
//! scenarios (the program).

mod arrivals;
mod build;
pub mod check;
mod closed;
pub mod config;
mod lengths;
mod open;
mod recipe;
pub mod sample;
mod sessions;
pub mod source;
mod trace;

pub use trace::TraceSource;
