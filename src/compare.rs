//! Comparisons: the same requests under several settings, over replicates, with intervals.
//!
//! An **arm** is a combination of values of the keys that vary; a **replicate** is a seed, or a part of a trace that overlaps with no other. All
//! arms run on the same replicates, so that what they have in common falls out of their differences.

pub mod analysis;
pub mod arms;
pub(crate) mod bounded;
pub mod cells;
pub mod files;
pub mod measures;
pub mod page;
pub mod plots;
pub mod text;
