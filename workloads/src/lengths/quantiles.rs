//! A quantile function of straight pieces, with a guide to the piece that a share falls on.
//!
//! A binary search over twenty rows guesses wrong at half of its turns. The guide (Chen and Asau 1974, On generating
//! random variates from an empirical distribution) tells for each 256th part of the unit interval where to begin; from
//! there it is a step or none.

/// Parts into which the guide cuts the unit interval; a power of two, so that the cut is exact.
const PARTS: usize = 256;

/// A point of a quantile function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantile {
    /// Share of the lengths at or below, 0 to 1.
    pub(crate) at: f64,
    pub(crate) tokens: f64,
}

/// A quantile function.
#[derive(Clone, Debug)]
pub(crate) struct Quantiles {
    rows: Box<[Quantile]>,
    /// By part of the unit interval: the upper end of the piece on which it begins.
    guide: Box<[u32]>,
}

impl Quantiles {
    /// Rows from 0 to 1, rising; at least two.
    pub(crate) fn new(rows: Box<[Quantile]>) -> Self {
        let guide = (0..PARTS).map(|part| upper(&rows, part as f64 / PARTS as f64) as u32).collect();
        Self { rows, guide }
    }

    /// The value at a share from 0 to 1, rounded.
    #[inline]
    pub(crate) fn at(&self, share: f64) -> u32 {
        let part = ((share * PARTS as f64) as usize).min(PARTS - 1);
        let mut upper = self.guide[part] as usize;
        while upper + 1 < self.rows.len() && self.rows[upper].at <= share {
            upper += 1;
        }
        between(&self.rows, upper, share)
    }
}

/// The upper end of the piece on which a share falls: the plain search.
fn upper(rows: &[Quantile], share: f64) -> usize {
    rows.partition_point(|row| row.at <= share).clamp(1, rows.len() - 1)
}

/// The value at a share on the piece that ends at row `upper`.
#[inline]
fn between(rows: &[Quantile], upper: usize, share: f64) -> u32 {
    let (below, above) = (rows[upper - 1], rows[upper]);
    let part = (share - below.at) / (above.at - below.at);
    (below.tokens + part * (above.tokens - below.tokens) + 0.5) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn guide_finds_what_the_plain_search_finds(
            mut cuts in prop::collection::vec(0u32..=1_024, 0..30),
            shares in prop::collection::vec(0u32..=4_096, 1..100),
        ) {
            cuts.extend([0, 1_024]);
            cuts.sort_unstable();
            cuts.dedup();
            let row = |cut: &u32| Quantile { at: f64::from(*cut) / 1_024.0, tokens: f64::from(cut * 3 + 1) };
            let rows: Box<[Quantile]> = cuts.iter().map(row).collect();
            let quantiles = Quantiles::new(rows.clone());
            for share in shares.into_iter().map(|share| f64::from(share) / 4_096.0) {
                let end = upper(&rows, share);
                prop_assert_eq!(quantiles.at(share), between(&rows, end, share), "at {}", share);
            }
        }
    }
}
