//! Which points are run: all combinations of values, points drawn at random, or a Latin hypercube.

use control::draw::mix;
use serde::{Deserialize, Serialize};

use crate::compare::arms::Vary;

/// A key that varies.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Path of the key.
    pub key: String,
    /// What it can be.
    pub span: Span,
}

/// What a key can be.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Span {
    /// One of these, as `--set` takes them.
    Values(Vec<String>),
    /// A number in between.
    Range(Range),
}

/// Numbers from one to another.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The least.
    pub from: f64,
    /// The greatest.
    pub to: f64,
    /// Whether they are whole.
    pub whole: bool,
    /// Whether each doubling is as likely as any other; from 0 exclusive.
    pub logarithmic: bool,
}

/// How points are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// All combinations of values, the last key changing fastest.
    Grid,
    /// So many points, each key drawn by itself.
    Random(u32),
    /// So many points that cover each key evenly: cut into as many slices as there are points, each has one point in each slice
    /// (McKay, Beckman & Conover 1979, Technometrics 21).
    Latin(u32),
}

/// Keys, what they can be, and how points are chosen among it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// The keys; at least one, each once.
    pub axes: Vec<Axis>,
    /// How points are chosen.
    pub design: Design,
    /// What keys the draws.
    pub seed: u64,
}

impl Axis {
    /// A key with its values.
    #[must_use]
    pub fn values(vary: &Vary) -> Self {
        Self { key: vary.key.clone(), span: Span::Values(vary.values.clone()) }
    }

    /// Reads `KEY=FROM..TO`, with `:log` behind it where doublings are to be as likely as each other. Whole numbers where both are written so.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn range(text: &str) -> Result<Self, String> {
        let wrong = |expected: &str| format!("found {text:?}, expected {expected}");
        let (key, span) = text
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty())
            .ok_or_else(|| wrong("KEY=FROM..TO or KEY=FROM..TO:log"))?;
        let (span, logarithmic) = match span.trim().strip_suffix(":log") {
            Some(span) => (span, true),
            None => (span.trim(), false),
        };
        let ends = span.split_once("..").ok_or_else(|| wrong("KEY=FROM..TO or KEY=FROM..TO:log"))?;
        let number = |text: &str| {
            let text = text.trim().replace('_', "");
            text.parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .map(|number| (number, !text.contains(['.', 'e'])))
        };
        let ((from, from_whole), (to, to_whole)) =
            number(ends.0).zip(number(ends.1)).ok_or_else(|| wrong("numbers on either side of `..`"))?;
        if from >= to {
            return Err(wrong("the smaller number first"));
        }
        if logarithmic && from <= 0.0 {
            return Err(wrong("numbers above 0 before `:log`"));
        }
        let range = Range { from, to, whole: from_whole && to_whole, logarithmic };
        Ok(Self { key: key.trim().to_owned(), span: Span::Range(range) })
    }
}

impl Range {
    /// The number at a share of the way, from 0 to 1 exclusive.
    pub(crate) fn at(self, share: f64) -> String {
        // Each whole number has the same part of the way, the ends too.
        let (from, to) = if self.whole { (self.from, self.to + 1.0) } else { (self.from, self.to) };
        let value = if self.logarithmic {
            libm::exp(libm::log(from) + share * (libm::log(to) - libm::log(from)))
        } else {
            from + share * (to - from)
        };
        let value = value.clamp(self.from, self.to);
        if self.whole { format!("{}", libm::floor(value)) } else { format!("{value:?}") }
    }
}

impl Range {
    /// In words, so many parts of equal length, by the logarithm where that is what is even.
    #[must_use]
    pub fn parts(self, count: usize) -> Vec<String> {
        let edge = |at: usize| {
            let share = at as f64 / count as f64;
            let value = if self.logarithmic {
                self.from * libm::exp(share * libm::log(self.to / self.from))
            } else {
                self.from + share * (self.to - self.from)
            };
            format!("{:.6}", value).trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        (0..count).map(|part| format!("{} to {}", edge(part), edge(part + 1))).collect()
    }

    /// The part in which a number is.
    #[must_use]
    pub fn part(self, value: f64, count: usize) -> usize {
        let share = if self.logarithmic {
            libm::log(value / self.from) / libm::log(self.to / self.from)
        } else {
            (value - self.from) / (self.to - self.from)
        };
        ((share * count as f64).max(0.0) as usize).min(count - 1)
    }
}

impl Span {
    fn at(&self, share: f64) -> String {
        match self {
            Self::Values(values) => {
                values[((share * values.len() as f64) as usize).min(values.len() - 1)].clone()
            }
            Self::Range(range) => range.at(share),
        }
    }
}

impl Space {
    /// Checks that there is something to choose from, and that the design can.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn check(&self) -> Result<(), String> {
        if self.axes.is_empty() {
            return Err(
                "found no key that varies, expected --vary KEY=A,B,... or --range KEY=FROM..TO".into()
            );
        }
        for (at, axis) in self.axes.iter().enumerate() {
            if self.axes[..at].iter().any(|other| other.key == axis.key) {
                return Err(format!("found the key {} twice, expected each once", axis.key));
            }
            let text = match &axis.span {
                Span::Values(values) => values.concat(),
                Span::Range(_) => String::new(),
            };
            if axis.key.contains(['\n', '\r']) || text.contains(['\n', '\r']) {
                return Err(format!(
                    "found a line break in {:?}, expected keys and values in one line",
                    axis.key
                ));
            }
            if self.design == Design::Grid && matches!(axis.span, Span::Range(_)) {
                let key = &axis.key;
                return Err(format!(
                    "found a range for {key} in a grid, expected its values (--vary {key}=A,B,...), or points that are drawn (--latin N, --random N)"
                ));
            }
        }
        if self.points().is_none() {
            return Err("found more combinations than can be counted, expected fewer".into());
        }
        Ok(())
    }

    /// How many points there are; nothing where they cannot be counted.
    #[must_use]
    pub fn points(&self) -> Option<u64> {
        match self.design {
            Design::Grid => self.axes.iter().try_fold(1_u64, |points, axis| match &axis.span {
                Span::Values(values) => points.checked_mul(values.len() as u64),
                Span::Range(_) => None,
            }),
            Design::Random(points) | Design::Latin(points) => Some(points.into()),
        }
    }
}

/// The points of a space, by number.
#[derive(Clone, Debug)]
pub struct Points {
    space: Space,
    /// For a Latin hypercube: the slice of each point, for each key.
    slices: Vec<Vec<u32>>,
}

impl Points {
    /// Of a checked space.
    #[must_use]
    pub fn new(space: &Space) -> Self {
        let slices = match space.design {
            Design::Latin(points) => {
                (0..space.axes.len()).map(|axis| shuffled(points, key(space.seed, axis, u64::MAX))).collect()
            }
            Design::Grid | Design::Random(_) => Vec::new(),
        };
        Self { space: space.clone(), slices }
    }

    /// Key and value of each key that varies, at a point.
    #[must_use]
    pub fn at(&self, point: u64) -> Vec<(String, String)> {
        let axes = &self.space.axes;
        let values: Vec<String> = match self.space.design {
            Design::Grid => {
                let mut rest = point;
                let mut values: Vec<String> = axes.iter().rev().map(|axis| digit(axis, &mut rest)).collect();
                values.reverse();
                values
            }
            Design::Random(_) => {
                let share = |axis| unit(key(self.space.seed, axis, point));
                axes.iter().enumerate().map(|(at, axis)| axis.span.at(share(at))).collect()
            }
            Design::Latin(points) => {
                let share = |axis: usize| {
                    let slice = f64::from(self.slices[axis][point as usize]);
                    (slice + unit(key(self.space.seed, axis, point))) / f64::from(points)
                };
                axes.iter().enumerate().map(|(at, axis)| axis.span.at(share(at))).collect()
            }
        };
        axes.iter().map(|axis| axis.key.clone()).zip(values).collect()
    }
}

/// The value that the last digit of a number stands for, written in the base of how many values there are; the digit is taken off.
fn digit(axis: &Axis, rest: &mut u64) -> String {
    let Span::Values(values) = &axis.span else { unreachable!("a checked grid has values only") };
    let len = values.len() as u64;
    let value = values[(*rest % len) as usize].clone();
    *rest /= len;
    value
}

/// Bits for a point and a key, of a seed.
fn key(seed: u64, axis: usize, point: u64) -> u64 {
    mix(mix(mix(seed).wrapping_add(axis as u64)).wrapping_add(point))
}

/// From 0 to 1 exclusive, by 53 bits.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The numbers below `len` in an order that the key determines (Fisher & Yates).
fn shuffled(len: u32, key: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..len).collect();
    for at in (1..order.len()).rev() {
        // The remainder favours none by more than one in 2^32 / len.
        let other = mix(key.wrapping_add(at as u64)) % (at as u64 + 1);
        order.swap(at, other as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn space(design: Design) -> Space {
        let axes = vec![
            Axis::range("whole=1..10").unwrap(),
            Axis::range("real=0.5..8.0:log").unwrap(),
            Axis::values(&Vary::parse("word=x,y").unwrap()),
        ];
        Space { axes, design, seed: 3 }
    }

    fn column(space: &Space, axis: usize) -> Vec<String> {
        let points = Points::new(space);
        (0..space.points().unwrap()).map(|point| points.at(point)[axis].1.clone()).collect()
    }

    #[test]
    fn grid_has_every_combination_once_with_the_last_key_fastest() {
        let axes = ["a=1,2,3", "b=x,y"].map(|text| Axis::values(&Vary::parse(text).unwrap()));
        let space = Space { axes: axes.into(), design: Design::Grid, seed: 1 };
        assert_eq!(space.check(), Ok(()));
        assert_eq!(column(&space, 0), ["1", "1", "2", "2", "3", "3"]);
        assert_eq!(column(&space, 1), ["x", "y", "x", "y", "x", "y"]);
    }

    #[test]
    fn latin_hypercube_has_one_point_in_each_slice_of_each_key() {
        let latin = space(Design::Latin(40));
        let whole: Vec<f64> = column(&latin, 0).iter().map(|value| value.parse().unwrap()).collect();
        for value in 1..=10 {
            let found = whole.iter().filter(|found| **found == f64::from(value)).count();
            assert_eq!(found, 4, "each whole number has its share of the slices");
        }
        let slices: BTreeSet<u32> = column(&latin, 1)
            .iter()
            .map(|value| (libm::log2(value.parse::<f64>().unwrap() / 0.5) / 4.0 * 40.0) as u32)
            .collect();
        assert_eq!(slices.len(), 40, "each slice of the logarithm has one point");
        assert_eq!(column(&latin, 2).iter().filter(|value| *value == "x").count(), 20);
        assert_ne!(column(&latin, 0), column(&Space { seed: 4, ..latin.clone() }, 0));
        assert_eq!(column(&latin, 0), column(&latin, 0));
    }

    #[test]
    fn random_points_stay_within_and_reach_both_ends() {
        let random = space(Design::Random(2_000));
        let whole: BTreeSet<u32> = column(&random, 0).iter().map(|value| value.parse().unwrap()).collect();
        assert!(whole.into_iter().eq(1..=10));
        let real: Vec<f64> = column(&random, 1).iter().map(|value| value.parse().unwrap()).collect();
        assert!(real.iter().all(|value| (0.5..=8.0).contains(value)));
        let low = real.iter().filter(|value| **value < 2.0).count();
        assert!((900..1_100).contains(&low), "half of the logarithm is below its middle: {low}");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_was_expected() {
        for (text, expected) in [
            ("a", "KEY=FROM..TO or KEY=FROM..TO:log"),
            ("a=1-2", "KEY=FROM..TO or KEY=FROM..TO:log"),
            ("a=x..2", "numbers on either side of `..`"),
            ("a=2..2", "the smaller number first"),
            ("a=0..2:log", "numbers above 0 before `:log`"),
        ] {
            assert_eq!(Axis::range(text).unwrap_err(), format!("found {text:?}, expected {expected}"));
        }
        assert!(space(Design::Grid).check().unwrap_err().contains("found a range for whole in a grid"));
        let mut twice = space(Design::Latin(2));
        twice.axes.push(twice.axes[0].clone());
        assert_eq!(twice.check().unwrap_err(), "found the key whole twice, expected each once");
        twice.axes.clear();
        assert!(twice.check().unwrap_err().starts_with("found no key that varies"));
    }
}
