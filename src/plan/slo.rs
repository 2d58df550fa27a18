//! What a fleet is to meet.

use std::fmt;
use std::str::FromStr;

use reports::statistics::estimate::{Terms, estimate};
use serde::{Deserialize, Serialize};

use crate::compare::measures::{self, Measure};

/// A bound of a measure.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Slo {
    /// Which measure, as an index into [`measures::ALL`].
    pub measure: usize,
    /// What it may be at most, or must be at least where more is better.
    pub limit: f64,
}

/// How a measure stands to its bound.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// The measure's name in files.
    pub measure: String,
    /// Its bound.
    pub limit: f64,
    /// Its mean over replicates; infinite where one is without bound, nothing where one has none.
    #[serde(with = "crate::compare::bounded::one")]
    pub mean: Option<f64>,
    /// What it is at worst with the stated confidence; nothing where there is a replicate without bound.
    pub worst: Option<f64>,
    /// Whether that is within the bound.
    pub meets: bool,
}

impl Slo {
    /// Its measure.
    #[must_use]
    pub fn measure(&self) -> Measure {
        measures::ALL[self.measure]
    }

    /// How values of replicates stand to it: met where the one-sided bound of their mean, with that confidence, is within the limit.
    #[must_use]
    pub fn stand(&self, values: &[Option<f64>], confidence: f64, seed: u64) -> Standing {
        let measure = self.measure();
        let known: Vec<f64> = values.iter().flatten().copied().collect();
        let mean = (known.len() == values.len() && !known.is_empty())
            .then(|| known.iter().sum::<f64>() / known.len() as f64);
        // The bound of a two-sided interval is the one-sided bound of half of the rest.
        let terms = Terms { confidence: 2.0 * confidence - 1.0, seed };
        let worst = mean
            .filter(|mean| mean.is_finite())
            .and_then(|_| estimate(&known, terms))
            .map(|estimate| if measure.more_is_better { estimate.low } else { estimate.high });
        let meets = worst.is_some_and(|worst| self.allows(worst));
        Standing { measure: measure.key.to_owned(), limit: self.limit, mean, worst, meets }
    }

    /// Whether a value is within the bound.
    #[must_use]
    pub fn allows(&self, value: f64) -> bool {
        if self.measure().more_is_better { value >= self.limit } else { value <= self.limit }
    }

    /// Whether a value is so far out that no replicate more would help: half as far again as the limit, or without bound.
    #[must_use]
    pub fn is_far_from(&self, value: Option<f64>) -> bool {
        match value {
            None => true,
            Some(value) if self.measure().more_is_better => {
                // Shares are in percent: what is lacking of all of it.
                self.measure().unit == "%" && 100.0 - value > 1.5 * (100.0 - self.limit) + 1.0
            }
            Some(value) => value > 1.5 * self.limit,
        }
    }
}

/// What tables tell of a fleet: the measures of the objectives, and goodput.
#[must_use]
pub fn shown(slos: &[Slo]) -> Vec<usize> {
    slos.iter().map(|slo| slo.measure).chain(measures::find("goodput_percent")).collect()
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.measure().more_is_better { ">=" } else { "<=" };
        write!(f, "{}{sign}{}", self.measure().key, self.limit)
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |expected: &str| format!("found {text:?}, expected {expected}");
        let (key, at_least, limit) = match (text.split_once("<="), text.split_once(">=")) {
            (Some((key, limit)), None) => (key, false, limit),
            (None, Some((key, limit))) => (key, true, limit),
            _ => return Err(wrong("MEASURE<=NUMBER or MEASURE>=NUMBER, such as ttft_p95_all_ms<=1000")),
        };
        let measure = measures::named(key.trim())?;
        let limit = limit.trim().parse::<f64>().ok().filter(|limit| limit.is_finite());
        let limit = limit.ok_or_else(|| wrong("a number behind the sign"))?;
        let slo = Self { measure, limit };
        match (at_least, slo.measure().more_is_better) {
            (true, false) => Err(wrong("`<=`, since less of it is better")),
            (false, true) => Err(wrong("`>=`, since more of it is better")),
            _ => Ok(slo),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_and_told_the_same() {
        for text in ["ttft_p95_all_ms<=1000", "goodput_percent>=99.5"] {
            assert_eq!(text.parse::<Slo>().unwrap().to_string(), text);
        }
        for (text, expected) in [
            ("ttft_p95_all_ms=1", "MEASURE<=NUMBER or MEASURE>=NUMBER, such as ttft_p95_all_ms<=1000"),
            ("ttft_p95_all_ms<=fast", "a number behind the sign"),
            ("ttft_p95_all_ms>=1", "`<=`, since less of it is better"),
            ("goodput_percent<=1", "`>=`, since more of it is better"),
        ] {
            assert_eq!(text.parse::<Slo>(), Err(format!("found {text:?}, expected {expected}")));
        }
        assert!(
            "speed<=1"
                .parse::<Slo>()
                .unwrap_err()
                .starts_with("found \"speed\", expected one of ttft_mean_ms")
        );
    }

    #[test]
    fn met_is_what_is_within_the_bound_with_confidence() {
        let slo: Slo = "ttft_p95_all_ms<=100".parse().unwrap();
        let stand =
            |values: &[f64]| slo.stand(&values.iter().copied().map(Some).collect::<Vec<_>>(), 0.95, 1);
        let tight = stand(&[90.0, 91.0, 89.0, 90.0]);
        assert!(tight.meets);
        // One-sided 95 %: 90 + 2.353 * 0.8165 / 2.
        assert!((tight.worst.unwrap() - 90.960_6).abs() < 1e-3, "{tight:?}");
        assert!(!stand(&[60.0, 140.0, 50.0, 90.0]).meets, "its mean is within, and not surely so");
        let without_bound = stand(&[60.0, f64::INFINITY, 50.0, 90.0]);
        assert_eq!((without_bound.meets, without_bound.worst), (false, None));
        assert!(!slo.stand(&[Some(1.0), None], 0.95, 1).meets);
        assert!(
            slo.is_far_from(Some(f64::INFINITY))
                && slo.is_far_from(Some(151.0))
                && !slo.is_far_from(Some(149.0))
        );
    }
}
