//! Reports: what a run's records and samples add up to, as a summary to read, JSON, CSV and plots.
//!
//! [`metrics`], [`timeline`] and [`events`] take what happens while the run goes on, in bounded memory; [`summary`],
//! [`machine`] and [`text`] say what came of it; [`files`] writes beside a run; [`plots`] draws it; [`html`] makes one page of it.

pub mod events;
pub mod files;
pub mod frames;
pub mod histogram;
pub mod html;
pub mod machine;
pub mod metrics;
pub mod number;
pub mod plots;
pub mod stages;
pub mod statistics;
pub mod summary;
pub mod tables;
pub mod text;
pub mod timeline;

#[cfg(test)]
mod made_up;
