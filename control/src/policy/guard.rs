//! Whether an arm of an experiment does so much worse than control that it must be taken back, looked at after each answer.
//!
//! One who looks after each answer and stops at the first difference that a fixed test finds significant, finds one in the end
//! where there is none. So this is a test whose error holds at all times together: the mixture sequential probability ratio
//! test (Robbins 1970; Johari, Koomen, Pekelis, Walsh: Peeking at A/B tests, KDD 2017). With d how much worse the arm's mean is
//! than the worst that is allowed, V the variance of d and τ² that of the effects expected, it stops where
//!
//! ```text
//! √(V / (V + τ²)) · exp(d²τ² / (2V(V + τ²))) ≥ 1/α
//! ```
//!
//! computed here as binary logarithms in fixed point. V is estimated, with floors that keep a handful of equal answers from
//! looking certain; a test over 1,000 seeds shows that α holds. The formula's α is for differences of either sign and only
//! one is looked at, so about half of it is spent.
//!
//! Times to first byte are compared by the mean of their logarithms: that of ratios, in which one outlier does not decide.
//! Answers are taken as independent. Where one slow spell makes many slow, both arms must have met it, so units must be
//! assigned at random and not by time.

use serde::{Deserialize, Serialize};

use super::fixed::{LOG2_DIGITS, log2};
use crate::config::ConfigError;
use crate::config::bounds::within;
use crate::units::Nanos;

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// From dispatch to first byte: the geometric mean. Failures have none, so a second guard should watch them.
    #[default]
    Ttft,
    /// Share of answers that failed.
    Failures,
}

/// `[control.guard]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardFile {
    /// What is compared: `ttft` or `failures`.
    pub metric: Metric,
    /// How much worse than control's the arm's value may be, in percent of control's.
    pub worse_percent_max: u32,
    /// Answers of each side before anything is said.
    pub answers_min: u32,
    /// Answers of the side with fewer after which counting starts anew, so that an old good time cannot hide a new bad one.
    /// Each such window spends `alpha_permille` anew.
    pub window_answers: u32,
    /// How often an arm that is not worse may be taken back by mistake, in thousandths of windows.
    pub alpha_permille: u32,
}

impl Default for GuardFile {
    fn default() -> Self {
        Self {
            metric: Metric::Ttft,
            worse_percent_max: 20,
            answers_min: 50,
            window_answers: 5_000,
            alpha_permille: 10,
        }
    }
}

/// A checked [`GuardFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuardConfig {
    /// What is compared.
    pub metric: Metric,
    /// How much worse than control's the arm's value may be, in percent of control's: 0 to 1,000.
    pub worse_percent_max: u32,
    /// Answers of each side before anything is said: at least 20, since the variance is estimated from them.
    pub answers_min: u32,
    /// Answers of the side with fewer after which counting starts anew.
    pub window_answers: u32,
    /// Mistakes allowed in thousandths of windows: 1 to 500.
    pub alpha_permille: u32,
}

impl GuardFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<GuardConfig, ConfigError> {
        let answers_min = within("guard.answers_min", self.answers_min, (20, 1_000_000))?;
        let windows = (answers_min.into(), 100_000_000);
        Ok(GuardConfig {
            metric: self.metric,
            worse_percent_max: within("guard.worse_percent_max", self.worse_percent_max, (0, 1_000))?,
            answers_min,
            window_answers: within("guard.window_answers", self.window_answers, windows)?,
            alpha_permille: within("guard.alpha_permille", self.alpha_permille, (1, 500))?,
        })
    }
}

/// A side of the comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What is trusted.
    Control,
    /// What is tried.
    Treatment,
}

/// How a request went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// From dispatch to first byte; `None` where none came.
    pub ttft: Option<Nanos>,
    /// Whether the fleet failed it; neither the client that left nor its own mistakes count.
    pub failed: bool,
}

/// What a guard has counted of one arm and of control since then. Starts anew with each config.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GuardState {
    control: Sums,
    treatment: Sums,
}

/// The arm is worse than allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Breach {
    /// In what.
    pub metric: Metric,
    /// Control's mean, in 1,024ths: of the binary logarithm of nanoseconds, or of the share.
    pub control_mean: u32,
    /// The arm's.
    pub treatment_mean: u32,
    /// Answers of control that were compared.
    pub control_answers: u32,
    /// Answers of the arm.
    pub treatment_answers: u32,
}

/// Sums of values in 1,024ths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Sums {
    answers: u32,
    sum: u64,
    squares: u64,
}

/// One, as values are counted.
const ONE: u64 = 1 << LOG2_DIGITS;
/// Digits of means behind the point; variances have twice as many.
const MEAN_DIGITS: u32 = 20;
/// log2(e), with so many digits.
const LOG2_E: u128 = 1_512_775;
/// Standard deviation of log2(ttft) that is assumed at least, as a share of 1: an eighth is 9 % of the time. Where all answers
/// take the same, each difference would be certain.
const TTFT_DEVIATION_MIN: u64 = ONE / 8;

impl Metric {
    fn value(self, answer: Answer) -> Option<u64> {
        match (self, answer) {
            (Self::Ttft, Answer { ttft: Some(ttft), .. }) => Some(log2(ttft.0).into()),
            (Self::Ttft, _) => None,
            (Self::Failures, Answer { failed, .. }) => Some(if failed { ONE } else { 0 }),
        }
    }

    /// τ²: the standard deviation of the effects expected is half a doubling of the time, or an eighth of all answers.
    const fn effect_variance(self) -> u128 {
        match self {
            Self::Ttft => 1 << (2 * MEAN_DIGITS - 2),
            Self::Failures => 1 << (2 * MEAN_DIGITS - 6),
        }
    }
}

impl Sums {
    fn add(&mut self, value: u64) {
        self.answers = self.answers.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        self.squares = self.squares.saturating_add(value * value);
    }

    /// The mean, with [`MEAN_DIGITS`].
    fn mean(&self) -> u64 {
        (self.sum << (MEAN_DIGITS - LOG2_DIGITS)) / u64::from(self.answers)
    }

    /// The variance of the mean, with twice [`MEAN_DIGITS`].
    fn mean_variance(&self, metric: Metric) -> u128 {
        // Of a share, a success and a failure are added (Laplace): no failure among a few answers does not prove that none can be.
        let (answers, sum, squares) = match metric {
            Metric::Ttft => (self.answers, self.sum, self.squares),
            Metric::Failures => (self.answers + 2, self.sum + ONE, self.squares + ONE * ONE),
        };
        let answers = u128::from(answers);
        let spread = answers * u128::from(squares) - u128::from(sum) * u128::from(sum);
        let variance = (spread << MEAN_DIGITS) / (answers * (answers - 1));
        let least = match metric {
            Metric::Ttft => u128::from(TTFT_DEVIATION_MIN * TTFT_DEVIATION_MIN) << MEAN_DIGITS,
            Metric::Failures => 1,
        };
        variance.max(least).div_ceil(u128::from(self.answers))
    }
}

impl GuardState {
    /// Counts an answer of a side. Callers ask for the [`verdict`](Self::verdict) after each.
    pub fn note(&mut self, side: Side, answer: Answer, config: &GuardConfig) {
        if self.control.answers.min(self.treatment.answers) >= config.window_answers {
            *self = Self::default();
        }
        let Some(value) = config.metric.value(answer) else { return };
        match side {
            Side::Control => self.control.add(value),
            Side::Treatment => self.treatment.add(value),
        }
    }

    /// Whether the arm is worse than allowed, as far as can be said by now.
    #[must_use]
    pub fn verdict(&self, config: &GuardConfig) -> Option<Breach> {
        let (control, treatment) = (&self.control, &self.treatment);
        if control.answers.min(treatment.answers) < config.answers_min {
            return None;
        }
        let allowed = 100 + u64::from(config.worse_percent_max);
        let (limit, scale) = match config.metric {
            Metric::Ttft => {
                let ratio = log2(allowed << 32) - log2(100 << 32);
                (control.mean() + (u64::from(ratio) << (MEAN_DIGITS - LOG2_DIGITS)), (1, 1))
            }
            Metric::Failures => (control.mean() * allowed / 100, (u128::from(allowed * allowed), 10_000)),
        };
        let excess = treatment.mean().checked_sub(limit).filter(|excess| *excess > 0)?;
        let variance = treatment.mean_variance(config.metric)
            + (control.mean_variance(config.metric) * scale.0).div_ceil(scale.1);
        exceeds(u128::from(excess), variance, config).then(|| Breach {
            metric: config.metric,
            control_mean: (control.sum / u64::from(control.answers)) as u32,
            treatment_mean: (treatment.sum / u64::from(treatment.answers)) as u32,
            control_answers: control.answers,
            treatment_answers: treatment.answers,
        })
    }
}

/// The test itself, with logarithms in parts of 2^[`MEAN_DIGITS`].
fn exceeds(excess: u128, variance: u128, config: &GuardConfig) -> bool {
    let effect = config.metric.effect_variance();
    let evidence = ((excess * excess) << MEAN_DIGITS) / variance * effect / (variance + effect);
    let evidence = (evidence * LOG2_E) >> MEAN_DIGITS;
    let logarithm = |value: u128| log2(u64::try_from(value).unwrap_or(u64::MAX));
    // Logarithms are rounded down: one part more for each keeps the sum above the truth.
    let certainty = 2 * (logarithm(1_000) + 1 - logarithm(config.alpha_permille.into()));
    let needed = logarithm(variance + effect) + 1 - logarithm(variance) + certainty;
    evidence >= u128::from(needed) << (MEAN_DIGITS - LOG2_DIGITS)
}

#[cfg(test)]
mod tests;
