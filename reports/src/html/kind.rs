//! What charts draw: lines, stacked areas, bars, dots, intervals, and a map of cells.

use serde_json::{Value, json};

use super::chart::{Chart, Unit};
use super::table::{Cell, Column, Table, Tone};
use super::thin::{number, thinned};
use crate::plots::Said;
use crate::plots::palette::Look;

/// Points of a line that a page holds at most.
pub(super) const POINTS_MAX: usize = 2_000;
/// Columns of a map of cells that a page holds at most.
const COLUMNS_MAX: usize = 160;
/// Digits of values, and of places on the axis to the right.
const DIGITS: usize = 4;
const X_DIGITS: usize = 6;

/// What is drawn.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// Lines over x, and values that are marked on an axis.
    Lines(Vec<Series>, Vec<Mark>),
    /// Areas on top of each other over the same x.
    Stacked(Vec<f64>, Vec<Layer>),
    /// A row for each thing with a bar for each series, to the right along y.
    Bars(Vec<String>, Vec<Bars>),
    /// Dots with names; those in front are joined.
    Scatter(Vec<Dot>),
    /// A row for each thing with its interval along y, on both sides of 0.
    Intervals(Vec<Interval>),
    /// A row for each thing with cells over x, darker where there is more.
    Heat(Heat),
}

/// A line.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Its points in order of x.
    pub points: Vec<(f64, f64)>,
    /// An area around it: what is known of each point, or nothing of any.
    pub band: Vec<Band>,
    /// Whether a value holds until the next one, so that the line goes in steps.
    pub steps: bool,
}

/// Lower and upper bound of a value.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Band {
    /// The lower.
    pub low: f64,
    /// The upper.
    pub high: f64,
}

/// A value that is marked across the chart, such as an objective.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Mark {
    /// What it is.
    pub name: String,
    /// Where.
    pub at: f64,
    /// Whether it stands on the axis to the right; upwards otherwise.
    pub on_x: bool,
    /// How it is drawn; always dashed.
    pub look: Look,
}

/// An area.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Its height at each x.
    pub heights: Vec<f64>,
}

/// Bars of a colour.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bars {
    /// Their name.
    pub name: String,
    /// How they are drawn.
    pub look: Look,
    /// One for each row; nothing where there is none.
    pub values: Vec<Option<f64>>,
    /// What is known of each, or nothing of any.
    pub bands: Vec<Option<Band>>,
}

/// A dot.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Dot {
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Where.
    pub at: (f64, f64),
    /// Whether it is highlighted, and joined with the others that are.
    pub in_front: bool,
}

/// A value with an interval.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Interval {
    /// Whose.
    pub name: String,
    /// The value, and what is known of it; nothing where it cannot be said.
    pub value: Option<(f64, Band)>,
    /// What is said of it: its colour, and a word in the table.
    pub said: Said,
}

/// Cells over time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Heat {
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Where the first column begins and the last one ends.
    pub span: (f64, f64),
    /// Cells of each row, equally many, equally wide.
    pub cells: Vec<Vec<f64>>,
    /// The value that is darkest.
    pub most: f64,
}

impl Kind {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Lines(series, marks) => {
                let series: Vec<Value> = series.iter().map(Series::json).collect();
                let marks: Vec<Value> = marks.iter().map(Mark::json).collect();
                json!({ "kind": "lines", "series": series, "marks": marks })
            }
            Self::Stacked(x, layers) => stacked_json(x, layers),
            Self::Bars(rows, bars) => {
                let bars: Vec<Value> = bars.iter().map(Bars::json).collect();
                json!({ "kind": "bars", "rows": rows, "series": bars })
            }
            Self::Scatter(dots) => {
                let dots: Vec<Value> = dots.iter().map(Dot::json).collect();
                json!({ "kind": "scatter", "dots": dots })
            }
            Self::Intervals(rows) => {
                let rows: Vec<Value> = rows.iter().map(Interval::json).collect();
                json!({ "kind": "intervals", "rows": rows })
            }
            Self::Heat(heat) => heat.json(),
        }
    }

    /// The figures as a table; nothing of a map of cells, which has too many.
    pub(super) fn figures(&self, chart: &Chart) -> Option<Table> {
        let y = &chart.y.unit;
        let (columns, rows): (Vec<Column>, Vec<Vec<Cell>>) = match self {
            Self::Lines(series, _) => {
                let row = |series: &Series| of_line(&series.name, &series.points, y);
                (named(OF_LINE.map(figures)), series.iter().filter_map(row).collect())
            }
            Self::Stacked(x, layers) => {
                let row = |layer: &Layer| {
                    let points: Vec<(f64, f64)> =
                        x.iter().copied().zip(layer.heights.iter().copied()).collect();
                    of_line(&layer.name, &points, y)
                };
                (named(OF_LINE.map(figures)), layers.iter().filter_map(row).collect())
            }
            Self::Bars(rows, bars) => {
                let row = |(index, name): (usize, &String)| {
                    let cells = bars.iter().map(|bars| bars.cell(index, y));
                    std::iter::once(Cell::from(name.as_str())).chain(cells).collect()
                };
                (
                    named(bars.iter().map(|bars| figures(&bars.name))),
                    rows.iter().enumerate().map(row).collect(),
                )
            }
            Self::Scatter(dots) => {
                let columns = named([figures(&chart.x.label), figures(&chart.y.label)]);
                (columns, dots.iter().map(|dot| dot.cells(&chart.x.unit, y)).collect())
            }
            Self::Intervals(rows) => {
                let columns = ["value", "lower bound", "upper bound"].map(figures);
                let columns = named(columns.into_iter().chain([Column::words("said")]));
                (columns, rows.iter().map(|row| row.cells(y)).collect())
            }
            Self::Heat(_) => return None,
        };
        Some(Table { caption: chart.title.clone(), columns, rows, note: String::new() })
    }
}

/// What is told of a line.
const OF_LINE: [&str; 4] = ["first", "least", "most", "last"];

fn figures(name: &str) -> Column {
    Column::figures(name, "")
}

/// Columns after that of the names.
fn named(columns: impl IntoIterator<Item = Column>) -> Vec<Column> {
    std::iter::once(Column::default()).chain(columns).collect()
}

fn of_line(name: &str, points: &[(f64, f64)], unit: &Unit) -> Option<Vec<Cell>> {
    let heights = || points.iter().map(|point| point.1);
    let (first, last) = (heights().next()?, heights().next_back()?);
    let (least, most) = (heights().fold(f64::MAX, f64::min), heights().fold(f64::MIN, f64::max));
    let cells = [first, least, most, last].map(|value| Cell::from(unit.text(value)));
    Some(std::iter::once(Cell::from(name)).chain(cells).collect())
}

fn numbers(values: impl IntoIterator<Item = f64>, digits: usize) -> Vec<Value> {
    values.into_iter().map(|value| number(value, digits)).collect()
}

fn with_look(mut value: Value, name: &str, look: Look) -> Value {
    value["name"] = name.into();
    value["colour"] = look.colour.into();
    value["dash"] = look.dash.into();
    value
}

impl Series {
    fn json(&self) -> Value {
        let kept = thinned(&self.points, POINTS_MAX);
        let of = |value: fn(&(f64, f64)) -> f64| kept.iter().map(move |index| value(&self.points[*index]));
        let mut json = json!({
            "x": numbers(of(|point| point.0), X_DIGITS),
            "y": numbers(of(|point| point.1), DIGITS),
            "steps": self.steps,
        });
        if self.band.len() == self.points.len() && !self.band.is_empty() {
            let of = |value: fn(&Band) -> f64| kept.iter().map(move |index| value(&self.band[*index]));
            json["low"] = numbers(of(|band| band.low), DIGITS).into();
            json["high"] = numbers(of(|band| band.high), DIGITS).into();
        }
        with_look(json, &self.name, self.look)
    }
}

impl Mark {
    fn json(&self) -> Value {
        let value = json!({ "at": number(self.at, X_DIGITS), "on_x": self.on_x });
        with_look(value, &self.name, self.look)
    }
}

/// Layers are thinned together, by the height of all.
fn stacked_json(x: &[f64], layers: &[Layer]) -> Value {
    let height = |index: usize| layers.iter().filter_map(|layer| layer.heights.get(index)).sum::<f64>();
    let sums: Vec<(f64, f64)> = x.iter().enumerate().map(|(index, x)| (*x, height(index))).collect();
    let kept = thinned(&sums, POINTS_MAX);
    let layer = |layer: &Layer| {
        let heights = kept.iter().map(|index| layer.heights.get(*index).copied().unwrap_or(0.0));
        with_look(json!({ "y": numbers(heights, DIGITS) }), &layer.name, layer.look)
    };
    let layers: Vec<Value> = layers.iter().map(layer).collect();
    json!({ "kind": "stacked", "at": numbers(kept.iter().map(|index| x[*index]), X_DIGITS), "series": layers })
}

impl Bars {
    fn json(&self) -> Value {
        let values = self.values.iter().map(|value| value.unwrap_or(f64::NAN));
        let mut json = json!({ "values": numbers(values, DIGITS) });
        if self.bands.iter().any(Option::is_some) {
            let bounds = |of: fn(Band) -> f64| self.bands.iter().map(move |band| band.map_or(f64::NAN, of));
            json["low"] = numbers(bounds(|band| band.low), DIGITS).into();
            json["high"] = numbers(bounds(|band| band.high), DIGITS).into();
        }
        with_look(json, &self.name, self.look)
    }

    fn cell(&self, row: usize, unit: &Unit) -> Cell {
        let Some(value) = self.values.get(row).copied().flatten() else {
            return Cell::toned("–", Tone::Quiet);
        };
        let band = self.bands.get(row).copied().flatten();
        let band = band.map(|band| format!(" ({} to {})", unit.text(band.low), unit.text(band.high)));
        format!("{}{}", unit.text(value), band.unwrap_or_default()).into()
    }
}

impl Dot {
    fn json(&self) -> Value {
        let value = json!({
            "x": number(self.at.0, X_DIGITS), "y": number(self.at.1, X_DIGITS), "front": self.in_front,
        });
        with_look(value, &self.name, self.look)
    }
}

impl Dot {
    fn cells(&self, x: &Unit, y: &Unit) -> Vec<Cell> {
        let tone = if self.in_front { Tone::Strong } else { Tone::Plain };
        vec![Cell::toned(self.name.as_str(), tone), x.text(self.at.0).into(), y.text(self.at.1).into()]
    }
}

impl Interval {
    const fn word(&self) -> &'static str {
        match self.said {
            Said::Baseline => "baseline",
            Said::Better => "better",
            Said::Worse => "worse",
            Said::Unclear => "no evidence of a difference",
        }
    }

    fn json(&self) -> Value {
        let value = self.value.map(|(value, band)| numbers([value, band.low, band.high], X_DIGITS));
        json!({ "name": self.name, "value": value, "said": self.word() })
    }

    fn cells(&self, unit: &Unit) -> Vec<Cell> {
        let values = match self.value {
            None => [const { "–" }; 3].map(|none| Cell::toned(none, Tone::Quiet)),
            Some((value, band)) => [value, band.low, band.high].map(|value| Cell::from(unit.text(value))),
        };
        let tone = match self.said {
            Said::Better => Tone::Good,
            Said::Worse => Tone::Bad,
            Said::Baseline | Said::Unclear => Tone::Quiet,
        };
        let name = Cell::from(self.name.as_str());
        std::iter::once(name).chain(values).chain([Cell::toned(self.word(), tone)]).collect()
    }
}

impl Heat {
    /// Cells in whole hundredths of `most`, neighbours together where there are more than a page holds.
    fn json(&self) -> Value {
        let columns = self.cells.first().map_or(0, Vec::len);
        let each = columns.div_ceil(COLUMNS_MAX).max(1);
        let hundredths = |cells: &[f64]| {
            let mean = cells.iter().sum::<f64>() / cells.len() as f64;
            (mean / self.most * 100.0).clamp(0.0, 100.0).round() as i64
        };
        let row = |cells: &Vec<f64>| cells.chunks(each).map(hundredths).collect::<Vec<i64>>();
        let cells: Vec<Vec<i64>> = self.cells.iter().map(row).collect();
        json!({
            "kind": "heat", "rows": self.rows, "cells": cells, "most": number(self.most, DIGITS),
            "each": each, "columns": columns,
            "from": number(self.span.0, X_DIGITS), "to": number(self.span.1, X_DIGITS),
        })
    }
}
