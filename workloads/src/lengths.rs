//! How long prompts and answers are.

mod quantiles;

pub(crate) use quantiles::{Quantile, Quantiles};

use crate::check::Rows;
use crate::sample::{Bits, Component, Entity, lognormal, open_unit, uniform};

/// Lengths of prompt and answer.
#[derive(Clone, Debug)]
pub(crate) enum Lengths {
    /// Each by itself.
    Apart { prompt: Length, output: Length },
    /// Both from one row.
    Pairs(Rows<(u32, u32)>),
}

/// A distribution of lengths in tokens, each at least 1.
#[derive(Clone, Debug)]
pub(crate) enum Length {
    Fixed(u32),
    Lognormal { mu: f64, sigma: f64, min: u32, max: u32 },
    Empirical(Rows<u32>),
    Quantiles(Quantiles),
}

impl Lengths {
    /// (prompt or message, answer) in tokens.
    #[inline]
    pub(crate) fn draw(&self, entity: Entity) -> (u32, u32) {
        match self {
            Self::Apart { prompt, output } => (
                prompt.draw(&mut entity.of(Component::Prompt)),
                output.draw(&mut entity.of(Component::Output)),
            ),
            Self::Pairs(rows) => rows[uniform(&mut entity.of(Component::Prompt), rows.len() as u64) as usize],
        }
    }
}

impl Length {
    #[inline]
    fn draw(&self, bits: &mut impl Bits) -> u32 {
        match self {
            Self::Fixed(tokens) => *tokens,
            // The cast keeps what is too large at the largest number.
            Self::Lognormal { mu, sigma, min, max } => {
                ((lognormal(bits, *mu, *sigma) + 0.5) as u32).clamp(*min, *max)
            }
            Self::Empirical(rows) => rows[uniform(bits, rows.len() as u64) as usize],
            Self::Quantiles(quantiles) => quantiles.at(open_unit(bits)),
        }
    }
}

#[cfg(test)]
mod tests;
