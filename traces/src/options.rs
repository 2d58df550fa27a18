//! What is to be made of a trace's rows.

use control::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::error::TraceError;
use crate::reader::ReadOptions;

/// How rows become jobs. The order is: rows without tokens leave, window, spread, rate, models, context.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TraceOptions {
    /// How to read; its seed is that of all draws.
    pub read: ReadOptions,
    /// The part of the trace that is taken.
    pub window: Window,
    /// Whether and how the rate is changed.
    pub rate: Rate,
    /// How rows that share a coarse stamp are spread; `None` leaves them together.
    pub spread: Option<Spread>,
    /// Tokens that prompt and answer may have together, at least 2; the prompt is cut at its end first, then the
    /// answer.
    pub context_tokens_max: Option<u32>,
    /// Models for rows that name none.
    pub models: ModelMix,
    /// Seed of all draws.
    pub seed: u64,
}

/// A part of a trace, counted from its first row. Jobs arrive relative to `start`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// Rows before this are left out.
    pub start: Nanos,
    /// Rows from this on are left out, and not read.
    pub end: Option<Nanos>,
}

/// A change of the rate of arrivals.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// None.
    #[default]
    AsIs,
    /// All times are divided by this (kept to six digits after the point): 2 doubles the rate and halves the span,
    /// and bursts become sharper; below 1 the trace is stretched.
    CompressTime(f64),
    /// Each row stays with this probability, at most 1: the rate falls, the span stays, and bursts become milder.
    Thin(f64),
}

/// How coarse ticks are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spread {
    /// Length of the tick that a stamp stands for; rows never pass the next stamp.
    pub tick: Nanos,
    /// Where in the tick they go.
    pub by: SpreadBy,
}

/// Where in its tick a row goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadBy {
    /// At equal distances, the first one at the stamp.
    #[default]
    Evenly,
    /// Anywhere, as likely here as there, in the order of the file.
    Chance,
}

/// The fleet's models.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ModelMix {
    /// Names, most popular first; at least one.
    pub names: Vec<String>,
    /// Exponent of Zipf's law, 0 to 10; 0 makes all models alike.
    pub zipf_exponent: f64,
}

/// A checked [`Rate`], in whole parts of a million.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CheckedRate {
    AsIs,
    CompressTime { millionths: u64 },
    Thin { threshold: u64 },
}

impl Rate {
    pub(crate) fn checked(self) -> Result<CheckedRate, TraceError> {
        let wrong = |option, factor: f64, expected| {
            Err(TraceError::Option { option, found: factor.to_string(), expected })
        };
        match self {
            Self::AsIs => Ok(CheckedRate::AsIs),
            Self::CompressTime(factor) if (1e-6..=1e6).contains(&factor) => {
                Ok(CheckedRate::CompressTime { millionths: (factor * 1e6).round() as u64 })
            }
            Self::CompressTime(factor) => wrong("compress_time", factor, "a factor from 0.000001 to 1000000"),
            Self::Thin(1.0) => Ok(CheckedRate::AsIs),
            Self::Thin(share) if share > 0.0 && share < 1.0 => {
                // A float below 1 has its bits above 2^-64 for all practical shares; the cast never overflows.
                Ok(CheckedRate::Thin { threshold: (share * 18_446_744_073_709_551_616.0) as u64 })
            }
            Self::Thin(share) => wrong("thin", share, "a share above 0, at most 1"),
        }
    }
}
