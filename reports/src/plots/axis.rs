//! Axes: from values to pixels, ticks with labels that people read, panels with a grid.

use super::figure::{Anchor, Area, Figure, Pen, SMALL, Style, TEXT};
use super::font;
use super::palette::{FRAME, GRID};

/// From values to a share of the axis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Scale {
    Linear {
        from: f64,
        to: f64,
    },
    /// Both ends above 0.
    Log {
        from: f64,
        to: f64,
    },
}

impl Scale {
    /// 0 at the start, 1 at the end; values beyond stand at the ends.
    pub(super) fn share(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Log { from, to } => libm::log(value.max(from) / from) / libm::log(to / from),
        };
        share.clamp(0.0, 1.0)
    }
}

/// A value with its label.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

/// A scale with ticks and what it measures.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) ticks: Vec<Tick>,
    pub(super) label: String,
}

impl Axis {
    /// From 0 to a round number not below `max`, in about `wanted` steps.
    pub(super) fn counts(max: f64, wanted: usize, label: &str) -> Self {
        Self::around(0.0, max, wanted, label)
    }

    /// From a round number not above `least` to one not below `most`, in about so many steps.
    pub(super) fn around(least: f64, most: f64, wanted: usize, label: &str) -> Self {
        let span = (most - least).max(1e-6 * most.abs()).max(1e-9);
        let step = nice_step(span / wanted as f64, &[1.0, 2.0, 2.5, 5.0, 10.0]);
        let first = (least / step).floor() as i64;
        let last = ((most / step).ceil() as i64).max(first + 1);
        let tick = |k: i64| {
            let value = k as f64 * step;
            let sign = if k < 0 { "−" } else { "" };
            Tick { value, label: format!("{sign}{}", plain(value.abs(), step)) }
        };
        Self {
            scale: Scale::Linear { from: first as f64 * step, to: last as f64 * step },
            ticks: (first..=last).map(tick).collect(),
            label: label.to_owned(),
        }
    }

    /// Simulated time from `from` to `to` seconds, in the unit that suits it.
    pub(super) fn time(from: f64, to: f64) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let (unit, name, factors): (f64, _, &[f64]) = match to - from {
            ..1.0 => (1e-3, "ms", &[1.0, 2.0, 5.0, 10.0]),
            ..300.0 => (1.0, "s", &[1.0, 2.0, 5.0, 10.0]),
            ..18_000.0 => (60.0, "min", &[1.0, 2.0, 5.0, 10.0]),
            ..432_000.0 => (3_600.0, "h", &[1.0, 2.0, 3.0, 6.0, 10.0]),
            _ => (86_400.0, "days", &[1.0, 2.0, 5.0, 10.0]),
        };
        let step = nice_step((to - from) / unit / 8.0, factors) * unit;
        let first = (from / step).ceil() as i64;
        let last = (to / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|k| {
            let value = k as f64 * step;
            Tick { value, label: plain(value / unit, step / unit) }
        });
        Self {
            scale: Scale::Linear { from, to },
            ticks: ticks.collect(),
            label: format!("simulated time [{name}]"),
        }
    }

    /// Values above 0 by their logarithm, from and to 1, 2 or 5 times a power of ten, with a tick at each of these (at powers alone over many of them).
    pub(super) fn powers(least: f64, most: f64, label: &str) -> Self {
        const POWERS_WITH_STEPS: i32 = 3;
        let (from, to) = (round_out(least, false), round_out(most, true));
        let to = to.max(from * 2.0);
        let first = libm::floor(libm::log10(from) + 1e-9) as i32;
        let last = libm::floor(libm::log10(to) + 1e-9) as i32;
        let factors: &[f64] = if last - first <= POWERS_WITH_STEPS { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let all = (first..=last).flat_map(|exponent| {
            let power = libm::pow(10.0, f64::from(exponent));
            factors.iter().map(move |factor| (factor * power, power))
        });
        let ticks = all
            .filter(|(value, _)| *value >= from * 0.999_999 && *value <= to * 1.000_001)
            .map(|(value, power)| Tick { value, label: plain(value, power.min(1.0)) });
        Self { scale: Scale::Log { from, to }, ticks: ticks.collect(), label: label.to_owned() }
    }

    /// Latencies in seconds with a tick at each power of ten, from and to 1, 2 or 5 times one.
    pub(super) fn latencies(from: f64, to: f64) -> Self {
        let from = round_out(from, false);
        let to = round_out(to, true).max(from * 10.0);
        let first = libm::ceil(libm::log10(from) - 1e-9) as i32;
        let last = libm::floor(libm::log10(to) + 1e-9) as i32;
        let power = |exponent: i32| libm::pow(10.0, f64::from(exponent));
        let ticks = (first..=last).map(|exponent| {
            let label = match exponent {
                ..=-7 => format!("{} ns", plain(power(exponent + 9), 1.0)),
                -6..=-4 => format!("{} µs", plain(power(exponent + 6), 1.0)),
                -3..=-1 => format!("{} ms", plain(power(exponent + 3), 1.0)),
                _ => format!("{} s", plain(power(exponent), 1.0)),
            };
            Tick { value: power(exponent), label }
        });
        Self { scale: Scale::Log { from, to }, ticks: ticks.collect(), label: "time (log scale)".to_owned() }
    }
}

/// The next of 1, 2 and 5 times a power of ten, upwards or downwards.
fn round_out(value: f64, up: bool) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(value) + 1e-9));
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    if up {
        steps.into_iter().find(|step| *step >= value * 0.999_999).unwrap_or(power * 10.0)
    } else {
        steps.into_iter().rev().find(|step| *step <= value * 1.000_001).unwrap_or(power)
    }
}

/// The least of `factors` × a power of ten not below `least`.
fn nice_step(least: f64, factors: &[f64]) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(least)));
    factors
        .iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(10.0 * power)
}

/// A number with as many decimals as `step` needs, and commas between thousands.
pub(super) fn plain(value: f64, step: f64) -> String {
    let mut decimals = 0;
    let mut scaled = step;
    while decimals < 9 && (scaled - scaled.round()).abs() > 1e-6 * scaled {
        scaled *= 10.0;
        decimals += 1;
    }
    let text = format!("{value:.decimals$}");
    let (whole, part) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    part.map_or(grouped.clone(), |part| format!("{grouped}.{part}"))
}

/// Two axes around an area.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Panel {
    pub(super) area: Area,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Panel {
    pub(super) fn x(&self, value: f64) -> f64 {
        self.area.left + self.x.scale.share(value) * self.area.width()
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.area.bottom - self.y.scale.share(value) * self.area.height()
    }

    /// Grid, frame and the labels of the y axis: to be drawn before what it shows.
    pub(super) fn draw(&self, figure: &mut Figure) {
        for tick in &self.y.ticks {
            let y = self.y(tick.value);
            figure.line(vec![(self.area.left, y), (self.area.right, y)], Pen::new(GRID, 1.0));
            figure.text((self.area.left - 8.0, y), &tick.label, Style::new(SMALL, Anchor::End));
        }
        for tick in &self.x.ticks {
            let x = self.x(tick.value);
            figure.line(vec![(x, self.area.top), (x, self.area.bottom)], Pen::new(GRID, 1.0));
        }
        figure.frame(self.area, FRAME);
        let widest =
            self.y.ticks.iter().map(|tick| font::width(&tick.label, SMALL, false)).fold(0.0, f64::max);
        let at = (self.area.left - widest - 26.0, f64::midpoint(self.area.top, self.area.bottom));
        figure.text(at, &self.y.label, Style::new(TEXT, Anchor::Middle).upwards());
    }

    /// Labels below the area, those left out that would touch the one before.
    pub(super) fn x_labels(&self, figure: &mut Figure) {
        let mut free_from = f64::MIN;
        for tick in &self.x.ticks {
            let (x, half) = (self.x(tick.value), font::width(&tick.label, SMALL, false) / 2.0);
            figure.line(vec![(x, self.area.bottom), (x, self.area.bottom + 5.0)], Pen::new(FRAME, 1.0));
            if x - half >= free_from {
                figure.text((x, self.area.bottom + 17.0), &tick.label, Style::new(SMALL, Anchor::Middle));
                free_from = x + half + 10.0;
            }
        }
        let at = (f64::midpoint(self.area.left, self.area.right), self.area.bottom + 40.0);
        figure.text(at, &self.x.label, Style::new(TEXT, Anchor::Middle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_in_a_unit_that_suits() {
        assert_eq!(labels(&Axis::counts(7.3, 4, "")), ["0", "2", "4", "6", "8"]);
        assert_eq!(labels(&Axis::counts(4_321.0, 4, "")), ["0", "2,000", "4,000", "6,000"]);
        assert_eq!(labels(&Axis::counts(0.0, 4, "")).len(), 2);
        assert_eq!(labels(&Axis::time(0.0, 3_600.0)), ["0", "10", "20", "30", "40", "50", "60"]);
        assert_eq!(labels(&Axis::latencies(0.000_2, 3.0)), ["1 ms", "10 ms", "100 ms", "1 s"]);
        assert_eq!(labels(&Axis::powers(0.3, 9.0, "")), ["0.2", "0.5", "1", "2", "5", "10"]);
        assert_eq!(labels(&Axis::powers(30.0, 2e6, ""))[..3], ["100", "1,000", "10,000"]);
    }

    #[test]
    fn a_span_of_nothing_still_has_an_axis() {
        assert!(Axis::time(0.0, 0.0).ticks.len() > 1);
        assert!(Axis::latencies(1.0, 1.0).ticks.len() > 1);
    }
}
