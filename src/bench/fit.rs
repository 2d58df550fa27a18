//! What measurements say of growth: the best of six curves, the exponent with its interval, where one form starts to
//! win.
//!
//! **Curves.** Each is a + b·f(n) with a, b ≥ 0, fitted by least squares of relative errors (times at 10 and at
//! 10,000 count alike), compared by Schwarz's criterion, N·ln(RSS/N) + k·ln N with k = 1 for the constant and 2 for
//! the others (G. Schwarz: Estimating the dimension of a model, 1978). **Exponent**: the slope of ln y over ln n by
//! least squares, with Student's 95 % interval.

use serde::{Serialize, Serializer};

/// How a cost grows with n.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Complexity {
    /// Not at all.
    Constant,
    /// As log n.
    Logarithmic,
    /// As n.
    Linear,
    /// As n log n.
    Linearithmic,
    /// As n².
    Quadratic,
    /// As n³.
    Cubic,
}

impl Complexity {
    /// All that are tried, the slowest growing first.
    pub const ALL: [Self; 6] =
        [Self::Constant, Self::Logarithmic, Self::Linear, Self::Linearithmic, Self::Quadratic, Self::Cubic];

    /// As printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "1",
            Self::Logarithmic => "log n",
            Self::Linear => "n",
            Self::Linearithmic => "n log n",
            Self::Quadratic => "n^2",
            Self::Cubic => "n^3",
        }
    }

    /// The curve; 1 at n = 1.
    fn at(self, n: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Logarithmic => (n + 1.0).log2(),
            Self::Linear => n,
            Self::Linearithmic => n * (n + 1.0).log2(),
            Self::Quadratic => n * n,
            Self::Cubic => n * n * n,
        }
    }
}

impl Serialize for Complexity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A cost at a scale, both above 0.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// The scale.
    pub n: f64,
    /// The cost.
    pub y: f64,
}

/// Relative errors below this are as good as none: counts that fit exactly leave the choice to the simpler curve.
const ERROR_LEAST: f64 = 1e-6;

/// The curve that explains the costs best; `None` with fewer than three scales, where two curves always fit.
#[must_use]
pub fn complexity(points: &[Point]) -> Option<Complexity> {
    let mut scales: Vec<f64> = points.iter().map(|point| point.n).collect();
    scales.sort_by(f64::total_cmp);
    scales.dedup();
    if scales.len() < 3 || points.iter().any(|point| point.y <= 0.0) {
        return None;
    }
    let score = |curve: Complexity| {
        let count = points.len() as f64;
        let (parameters, squares) = residual(points, curve);
        let floor = ERROR_LEAST * ERROR_LEAST * count;
        count * libm::log(squares.max(floor) / count) + parameters * libm::log(count)
    };
    Complexity::ALL.into_iter().min_by(|a, b| score(*a).total_cmp(&score(*b)))
}

/// Parameters of the fitted curve, and the sum of the squares of its relative errors.
fn residual(points: &[Point], curve: Complexity) -> (f64, f64) {
    // In relative terms: 1 = a·u + b·v with u = 1/y, v = f(n)/y.
    let terms = || points.iter().map(|point| (1.0 / point.y, curve.at(point.n) / point.y));
    let sum = |of: fn((f64, f64)) -> f64| terms().map(of).sum::<f64>();
    let (uu, uv, vv) = (sum(|(u, _)| u * u), sum(|(u, v)| u * v), sum(|(_, v)| v * v));
    let (u, v) = (sum(|(u, _)| u), sum(|(_, v)| v));
    let squares = |a: f64, b: f64| terms().map(|(u, v)| (1.0 - a * u - b * v).powi(2)).sum::<f64>();
    if curve == Complexity::Constant {
        return (1.0, squares(u / uu, 0.0));
    }
    let determinant = uu * vv - uv * uv;
    let (a, b) = ((u * vv - v * uv) / determinant, (v * uu - u * uv) / determinant);
    let best = if determinant > 0.0 && a >= 0.0 && b >= 0.0 {
        squares(a, b)
    } else {
        squares(u / uu, 0.0).min(squares(0.0, v / vv))
    };
    (2.0, best)
}

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The slope of ln y over ln n; `None` with fewer than three points or a single scale.
#[must_use]
pub fn exponent(points: &[Point]) -> Option<Estimate> {
    if points.len() < 3 || points.iter().any(|point| point.y <= 0.0) {
        return None;
    }
    let count = points.len() as f64;
    let logs: Vec<(f64, f64)> = points.iter().map(|p| (libm::log(p.n), libm::log(p.y))).collect();
    let (x_mean, y_mean) =
        (logs.iter().map(|l| l.0).sum::<f64>() / count, logs.iter().map(|l| l.1).sum::<f64>() / count);
    let xx: f64 = logs.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    if xx <= 0.0 {
        return None;
    }
    let slope = logs.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / xx;
    let rest: f64 = logs.iter().map(|(x, y)| (y - y_mean - slope * (x - x_mean)).powi(2)).sum();
    let half = student(points.len() - 2) * (rest / (count - 2.0) / xx).sqrt();
    Some(Estimate { value: slope, low: slope - half, high: slope + half })
}

/// The mean with its 95 % interval; the interval is the mean alone where there are fewer than two values.
///
/// # Panics
/// Where there is no value.
#[must_use]
pub fn mean(values: &[f64]) -> Estimate {
    assert!(!values.is_empty(), "a mean is of something");
    let count = values.len() as f64;
    let value = values.iter().sum::<f64>() / count;
    let half = if values.len() < 2 {
        0.0
    } else {
        let variance = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (count - 1.0);
        student(values.len() - 1) * (variance / count).sqrt()
    };
    Estimate { value, low: value - half, high: value + half }
}

/// Student's t at 97.5 % for degrees of freedom; to 1 % beyond 30 by its expansion around the normal quantile
/// (Abramowitz and Stegun 26.7.5, two terms).
fn student(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    const NORMAL: f64 = 1.959_964;
    match degrees {
        0 => f64::INFINITY,
        1..=30 => TABLE[degrees - 1],
        _ => NORMAL + (NORMAL.powi(3) + NORMAL) / (4.0 * degrees as f64),
    }
}

/// What a comparison of both forms at one scale came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The optimised form is faster beyond doubt.
    #[serde(rename = "gain")]
    Gain,
    /// It is not, or not enough to be told from chance.
    #[serde(rename = "no gain")]
    NoGain,
}

impl Verdict {
    /// As printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gain => "gain",
            Self::NoGain => "no gain",
        }
    }
}

/// Less of an improvement is none: two builds of the same code differ by as much.
pub const GAIN_LEAST: f64 = 1.05;

/// Compares the times of both forms, paired by seed: a gain is one by at least this factor whose 95 % interval (of the
/// mean logarithm of the ratios) lies above 1.
#[must_use]
pub fn verdict(baseline: &[f64], optimised: &[f64], gain_least: f64) -> Verdict {
    let mean = log_ratio(baseline, optimised);
    if mean.low > 0.0 && mean.value >= libm::log(gain_least) { Verdict::Gain } else { Verdict::NoGain }
}

/// By what factor two came apart, whichever was faster; at least 1.
#[must_use]
pub fn apart(one: &[f64], other: &[f64]) -> f64 {
    libm::exp(log_ratio(one, other).value.abs())
}

fn log_ratio(one: &[f64], other: &[f64]) -> Estimate {
    let ratios: Vec<f64> = one.iter().zip(other).map(|(one, other)| libm::log(one / other)).collect();
    mean(&ratios)
}

/// From what scale on the optimised form wins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crossover {
    /// At every measured scale.
    Always,
    /// Not at the largest scale measured.
    Never,
    /// From about here.
    At(u64),
}

impl Serialize for Crossover {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Always => serializer.serialize_str("always"),
            Self::Never => serializer.serialize_str("never"),
            Self::At(scale) => serializer.serialize_u64(*scale),
        }
    }
}

/// One scale's comparison: the scale, what it came to, how many times faster the optimised form is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Compared {
    /// The scale.
    pub scale: u64,
    /// What it came to.
    pub verdict: Verdict,
    /// Baseline time over optimised time.
    pub factor: f64,
}

/// Where the optimised form starts to win, and wins at every larger scale measured. Between the last scale without a
/// gain and the next, the ratio is taken to be a power of the scale, which is good for two digits; `scales` ascend.
#[must_use]
pub fn crossover(scales: &[Compared]) -> Crossover {
    let Some(last) = scales.iter().rposition(|compared| compared.verdict == Verdict::NoGain) else {
        return if scales.is_empty() { Crossover::Never } else { Crossover::Always };
    };
    let Some(next) = scales.get(last + 1) else { return Crossover::Never };
    let before = scales[last];
    if before.factor >= 1.0 {
        // It was ahead already, but not beyond doubt: what is sure begins at the next.
        return Crossover::At(next.scale);
    }
    let (from, to) = (libm::log(before.factor), libm::log(next.factor));
    let (n, m) = (libm::log(before.scale as f64), libm::log(next.scale as f64));
    let at = two_digits(libm::exp(n + (m - n) * (-from / (to - from))));
    Crossover::At(at.clamp(before.scale, next.scale))
}

/// A scale, of at least 1, to two digits that count.
fn two_digits(scale: f64) -> u64 {
    let mut unit = 1.0;
    while scale / unit >= 99.5 {
        unit *= 10.0;
    }
    ((scale / unit).round() * unit) as u64
}

#[cfg(test)]
mod tests;
