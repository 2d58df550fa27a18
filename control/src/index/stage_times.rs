//! How long a stage takes: exact count, sum, least and most, the last samples, and quantiles within a stated error.
//!
//! For drivers, which measure themselves; nothing that decides looks here.

mod fast;
mod naive;

pub use fast::StageTimes;
pub use naive::AllSamples;

/// The rank of a quantile among sorted samples, from 1: the least that has so many per mille of them at or below it
/// (nearest rank). The first at 0; `count` is at least 1.
fn rank(count: u64, per_mille: u32) -> u64 {
    let rank = (u128::from(count) * u128::from(per_mille.min(1_000))).div_ceil(1_000);
    (rank as u64).max(1)
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
