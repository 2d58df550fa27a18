//! Comparisons: how arms differ from a baseline in several measures, with intervals; and which arms no other beats in two of them.

use super::axis::{Axis, Panel};
use super::curves::mark;
use super::figure::{Anchor, Area, Figure, Key, Pen, SMALL, Style};
use super::palette::{Colour, FRAME, GRID, INK, PAPER, REST, SERIES, SOFT_INK, looks};
use super::{Plot, font};

/// Differences of arms from a baseline.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DifferencesChart {
    /// What was compared.
    pub title: String,
    /// Under what.
    pub under: String,
    /// The arms, the baseline among them.
    pub arms: Vec<String>,
    /// A column each.
    pub measures: Vec<MeasureColumn>,
}

/// A measure of all arms.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MeasureColumn {
    /// Its name, and what is better.
    pub name: String,
    /// What is better.
    pub direction: String,
    /// The arms, in their order.
    pub marks: Vec<Mark>,
}

/// How an arm differs.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Mark {
    /// Mean, lower and upper bound, in percent of the baseline; nothing where it cannot be said.
    pub percent: Option<[f64; 3]>,
    /// What can be said of it.
    pub said: Said,
}

/// What can be said of a difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Said {
    /// It is the baseline.
    #[default]
    Baseline,
    /// The arm is better.
    Better,
    /// It is worse.
    Worse,
    /// There is no evidence of a difference.
    Unclear,
}

impl Said {
    const fn colour(self) -> Colour {
        match self {
            Self::Better => SERIES[0],
            Self::Worse => SERIES[1],
            Self::Unclear | Self::Baseline => REST,
        }
    }
}

/// Rows that are told apart.
const ROWS_MAX: usize = 24;

/// Draws it: a row for each arm (the first ones), a column for each measure.
#[must_use]
pub fn differences(chart: &DifferencesChart) -> Plot {
    Plot::of("differences", &differences_figure(chart))
}

pub(super) fn differences_figure(chart: &DifferencesChart) -> Figure {
    let mut figure = Figure::new(&chart.title, &chart.under);
    let keys =
        [("better", Said::Better), ("worse", Said::Worse), ("no evidence of a difference", Said::Unclear)];
    let key = |(label, said): (&str, Said)| Key {
        label: label.to_owned(),
        pen: Pen::new(said.colour(), 4.0),
        filled: false,
    };
    figure.legend(&keys.map(key), Area { left: 30.0, top: 92.0, right: 1250.0, bottom: 110.0 });
    let rows = chart.arms.len().min(ROWS_MAX);
    let names: Vec<String> =
        chart.arms[..rows].iter().map(|name| font::fit(name, SMALL, false, 280.0)).collect();
    let widest = names.iter().map(|name| font::width(name, SMALL, false)).fold(0.0, f64::max);
    let whole = Area { left: 46.0 + widest, top: 154.0, right: 1250.0, bottom: 650.0 };
    if chart.measures.is_empty() || rows == 0 {
        figure.empty(whole, "nothing differs");
        return figure;
    }
    let height = (whole.height() / rows as f64).min(64.0);
    let bottom = whole.top + height * rows as f64;
    for (row, name) in names.iter().enumerate() {
        let y = whole.top + height * (row as f64 + 0.5);
        figure.text((whole.left - 12.0, y), name, Style::new(SMALL, Anchor::End));
    }
    let width = whole.width() / chart.measures.len() as f64;
    for (at, column) in chart.measures.iter().enumerate() {
        let left = whole.left + width * at as f64;
        let area = Area { left, right: left + width - 40.0, top: whole.top, bottom };
        draw_column(&mut figure, column, rows, area);
    }
    figure
}

fn draw_column(figure: &mut Figure, column: &MeasureColumn, rows: usize, area: Area) {
    let middle = f64::midpoint(area.left, area.right);
    let fitted = |text: &str, bold| font::fit(text, SMALL, bold, area.width());
    figure.text(
        (middle, area.top - 28.0),
        &fitted(&column.name, true),
        Style::new(SMALL, Anchor::Middle).bold(),
    );
    let style = Style::new(SMALL, Anchor::Middle).colour(SOFT_INK);
    figure.text((middle, area.top - 12.0), &fitted(&column.direction, false), style);
    let marks = &column.marks[..rows.min(column.marks.len())];
    let ends = marks.iter().filter_map(|mark| mark.percent).flatten();
    let (least, most) = ends.fold((0.0_f64, 0.0_f64), |(least, most), end| (least.min(end), most.max(end)));
    let panel =
        Panel { area, x: Axis::around(least, most, 4, "difference [%]"), y: Axis::counts(1.0, 1, "") };
    for tick in &panel.x.ticks {
        let x = panel.x(tick.value);
        let colour = if tick.value == 0.0 { FRAME } else { GRID };
        figure.line(vec![(x, area.top), (x, area.bottom)], Pen::new(colour, 1.0));
    }
    figure.frame(area, FRAME);
    panel.x_labels(figure);
    let height = area.height() / rows as f64;
    for (row, mark) in marks.iter().enumerate() {
        let y = area.top + height * (row as f64 + 0.5);
        let Some([mean, low, high]) = mark.percent else {
            let why = if mark.said == Said::Baseline { "baseline" } else { "without bound" };
            let zero = panel.x(0.0).clamp(area.left + 40.0, area.right - 40.0);
            figure.text((zero, y), why, Style::new(SMALL, Anchor::Middle).colour(SOFT_INK));
            continue;
        };
        let colour = mark.said.colour();
        figure.line(vec![(panel.x(low), y), (panel.x(high), y)], Pen::new(colour, 2.5));
        for end in [low, high] {
            let x = panel.x(end);
            figure.line(vec![(x, y - 5.0), (x, y + 5.0)], Pen::new(colour, 2.5));
        }
        let x = panel.x(mean);
        figure.rect((x - 4.5, y - 4.5), (x + 4.5, y + 4.5), colour);
    }
}

/// Arms by two measures.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ParetoChart {
    /// Under what.
    pub under: String,
    /// What goes to the right, and what is better.
    pub x: String,
    /// What goes upwards, and what is better.
    pub y: String,
    /// The arms.
    pub points: Vec<ParetoPoint>,
}

/// An arm.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ParetoPoint {
    /// Its name.
    pub name: String,
    /// Both values.
    pub at: (f64, f64),
    /// Whether no other beats it in both.
    pub on_front: bool,
}

/// Draws it: arms that no other beats in both are framed and joined; each has the colour that it has everywhere.
#[must_use]
pub fn pareto(chart: &ParetoChart) -> Plot {
    Plot::of("pareto", &pareto_figure(chart))
}

pub(super) fn pareto_figure(chart: &ParetoChart) -> Figure {
    let mut figure = Figure::new("What no other arm beats in both", &chart.under);
    let area = Area { left: 120.0, top: 110.0, right: 1220.0, bottom: 640.0 };
    if chart.points.is_empty() {
        figure.empty(area, "no arm has both");
        return figure;
    }
    // Room for labels at the edges.
    let axis = |of: fn(&ParetoPoint) -> f64, wanted, label: &str| {
        let values = || chart.points.iter().map(of);
        let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
        let room = (most - least) * 0.08;
        Axis::around(least - room, most + room, wanted, label)
    };
    let panel =
        Panel { area, x: axis(|point| point.at.0, 8, &chart.x), y: axis(|point| point.at.1, 6, &chart.y) };
    panel.draw(&mut figure);
    panel.x_labels(&mut figure);
    let place = |point: &ParetoPoint| (panel.x(point.at.0), panel.y(point.at.1));
    let mut front: Vec<&ParetoPoint> = chart.points.iter().filter(|point| point.on_front).collect();
    front.sort_by(|a, b| a.at.0.total_cmp(&b.at.0));
    figure.line(front.into_iter().map(place).collect(), Pen::new(SOFT_INK, 1.5).dashed());
    let mut taken: Vec<Area> = Vec::new();
    let names: Vec<&str> = chart.points.iter().map(|point| point.name.as_str()).collect();
    for (point, look) in chart.points.iter().zip(looks(&names)) {
        let (x, y) = place(point);
        if point.on_front {
            figure.rect((x - 8.0, y - 8.0), (x + 8.0, y + 8.0), INK);
            figure.rect((x - 6.5, y - 6.5), (x + 6.5, y + 6.5), PAPER);
        }
        mark(&mut figure, (x, y), 5.0, look);
        let name = font::fit(&point.name, SMALL, false, 320.0);
        let width = font::width(&name, SMALL, false);
        let left = if x + width + 18.0 < area.right { x + 12.0 } else { x - width - 12.0 };
        // Below those that are there already, as far as it takes.
        let mut label = Area { left, top: y - 8.0, right: left + width, bottom: y + 8.0 };
        while taken.iter().any(|other| overlaps(other, &label)) && label.bottom < area.bottom {
            (label.top, label.bottom) = (label.top + 16.0, label.bottom + 16.0);
        }
        figure.text((left, f64::midpoint(label.top, label.bottom)), &name, Style::new(SMALL, Anchor::Start));
        taken.push(label);
    }
    figure
}

fn overlaps(a: &Area, b: &Area) -> bool {
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}
