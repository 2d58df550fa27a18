//! Tuning: searches strategies and their parameters for an objective, and says what the winner gains over what there was.
//!
//! **Successive halving** (Jamieson & Talwalkar, AISTATS 2016): all candidates run on a few replicates, the better third on three times as many, and so
//! on. The best of many is partly the luckiest, so what it gains is measured on fresh replicates, which no choice rested on, pair by pair with the
//! scenario as it was.

pub mod candidates;
pub mod folder;
pub mod halving;
pub mod page;
pub mod text;
