//! Times of requests in one window: a stationary renewal process. Its first request comes as one would after whoever
//! looks at any time, which is the rest of a gap that is met more often the longer it is; so bursts do not make the
//! first gap an empty one, and the mean count is rate × time from the start (Cox, Renewal Theory, 1962).

use crate::keyed::{Purpose, bits};

/// How gaps are distributed; each has the mean that the rate asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Family {
    Exponential,
    Gamma { shape: f64 },
    Weibull { shape: f64 },
}

/// The process.
pub(super) struct Gaps {
    family: Family,
    /// Seconds of a gap that has unit scale.
    scale: f64,
    seconds: f64,
    begun: bool,
    draws: Draws,
}

impl Gaps {
    /// At `rate` requests a second, above 0; `state` keys its draws.
    pub(super) fn new(family: Family, rate: f64, state: u64) -> Self {
        let mean = match family {
            Family::Exponential => 1.0,
            Family::Gamma { shape } => shape,
            Family::Weibull { shape } => libm::tgamma(1.0 + 1.0 / shape),
        };
        // A mean that is beyond all numbers (a Weibull shape far below the files') leaves no request in the window.
        Self {
            family,
            scale: 1.0 / (rate * mean),
            seconds: 0.0,
            begun: false,
            draws: Draws { state, count: 0 },
        }
    }

    /// Seconds from the window's start to the next request.
    pub(super) fn next_seconds(&mut self) -> f64 {
        let draws = &mut self.draws;
        let gap = match (self.family, self.begun) {
            (Family::Exponential, _) => exponential(draws),
            (Family::Gamma { shape }, true) => gamma(draws, shape),
            (Family::Weibull { shape }, true) => libm::pow(exponential(draws), 1.0 / shape),
            // A gap chosen by its length is gamma with a shape of one more; of a Weibull gap, the power is gamma.
            (Family::Gamma { shape }, false) => draws.unit() * gamma(draws, shape + 1.0),
            (Family::Weibull { shape }, false) => {
                draws.unit() * libm::pow(gamma(draws, 1.0 + 1.0 / shape), 1.0 / shape)
            }
        };
        self.begun = true;
        self.seconds += gap * self.scale;
        // Where scale and gap are 0 and beyond all numbers: after the window.
        if self.seconds.is_nan() { f64::INFINITY } else { self.seconds }
    }
}

/// Numbers of one process.
struct Draws {
    state: u64,
    count: u64,
}

impl Draws {
    /// A uniform number in (0, 1): 2⁵² equally likely values, never an end.
    fn unit(&mut self) -> f64 {
        self.count += 1;
        let drawn = bits(self.state, Purpose::Gap, self.count);
        ((drawn >> 12) as f64 + 0.5) * (1.0 / (1_u64 << 52) as f64)
    }
}

fn exponential(draws: &mut Draws) -> f64 {
    -libm::log(draws.unit())
}

/// A normal number (Box and Muller, 1958; the second one of each pair is not used).
fn normal(draws: &mut Draws) -> f64 {
    let radius = libm::sqrt(2.0 * exponential(draws));
    radius * libm::cos(core::f64::consts::TAU * draws.unit())
}

/// A gamma number of scale 1 (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000, with their step
/// for shapes below 1).
fn gamma(draws: &mut Draws, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = libm::pow(draws.unit(), 1.0 / shape);
        return gamma(draws, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(draws);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        if libm::log(draws.unit()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts in many windows of the same kind.
    fn counts(family: Family, rate: f64, seconds: f64) -> Vec<f64> {
        (0..4_000)
            .map(|window| {
                let mut gaps = Gaps::new(family, rate, bits(5, Purpose::Gap, window));
                let mut count = 0.0;
                while gaps.next_seconds() < seconds {
                    count += 1.0;
                }
                count
            })
            .collect()
    }

    #[test]
    fn windows_hold_their_rate_however_bursty_they_are() {
        for family in [
            Family::Exponential,
            Family::Gamma { shape: 0.02 },
            Family::Gamma { shape: 0.5 },
            Family::Gamma { shape: 14.0 },
            Family::Weibull { shape: 0.4 },
            Family::Weibull { shape: 3.0 },
        ] {
            let counts = counts(family, 0.085, 600.0);
            let len = counts.len() as f64;
            let mean = counts.iter().sum::<f64>() / len;
            let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (len - 1.0);
            // Four standard errors: missed by chance once in 16,000.
            let error = libm::sqrt(variance / len);
            assert!((mean - 51.0).abs() < 4.0 * error, "{family:?}: {mean} ± {error}, not 51");
        }
    }

    #[test]
    fn gaps_have_the_variation_of_their_shape() {
        let cv = |family| {
            let mut gaps = Gaps::new(family, 2.0, 9);
            let mut last = gaps.next_seconds();
            let gaps: Vec<f64> = (0..200_000)
                .map(|_| {
                    let next = gaps.next_seconds();
                    let gap = next - last;
                    last = next;
                    gap
                })
                .collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
            assert!((mean - 0.5).abs() < 0.01, "{family:?}: mean {mean}");
            libm::sqrt(variance) / mean
        };
        for (family, expected) in [
            (Family::Exponential, 1.0),
            (Family::Gamma { shape: 0.25 }, 2.0),
            (Family::Gamma { shape: 4.0 }, 0.5),
            // √(Γ(1 + 2/k) / Γ(1 + 1/k)² − 1) with k = ½: √(24/4 − 1).
            (Family::Weibull { shape: 0.5 }, 2.236),
        ] {
            let found = cv(family);
            assert!((found - expected).abs() < 0.03 * expected, "{family:?}: {found}, not {expected}");
        }
    }

    #[test]
    fn shapes_at_the_ends_of_their_range_come_to_an_end() {
        for shape in [1e-3, 1e6] {
            for family in [Family::Gamma { shape }, Family::Weibull { shape }] {
                let mut gaps = Gaps::new(family, 1.0, 3);
                let mut count = 0;
                while gaps.next_seconds() < 600.0 {
                    count += 1;
                }
                assert!(count < 1_000_000, "{family:?}: {count}");
            }
        }
    }
}
