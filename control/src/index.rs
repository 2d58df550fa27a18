//! Data structures of the hot path, each with a plain twin that a property test holds equal to it.

pub mod argmin;
pub mod bloom;
pub mod hash;
pub mod heap;
pub mod host_set;
pub mod levels;
pub mod lru;
pub mod moments;
pub mod queue;
pub mod ring;
pub mod stage_times;
pub mod table;
pub(crate) mod twin;
pub mod vocabulary;
pub mod weights;

use serde::{Deserialize, Serialize};

/// Which of the twins decides. Both decide the same; they differ in what it costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Implementation {
    /// Indexes that are kept up to date.
    #[default]
    Optimised,
    /// Sorted vectors and walks through all hosts: believed at sight.
    Baseline,
}
