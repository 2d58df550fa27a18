//! A row for each thing with a measure of it: its mean, what is known of that, and the number beside it.

use super::axis::{Axis, Panel};
use super::curves::{colour, mark};
use super::figure::{Anchor, Area, Figure, Pen, SMALL, Style};
use super::palette::{FRAME, GRID, Look, SOFT_INK};
use super::{Plot, font};

/// What is drawn.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RowsChart {
    /// Name of its files, without extension.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Under what.
    pub under: String,
    /// What goes to the right, with its unit and what is better.
    pub x: String,
    /// The rows from top to bottom: the first ones where there are more than fit.
    pub rows: Vec<RowMark>,
}

/// A row.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RowMark {
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Its value; nothing where it has none or no bound.
    pub value: Option<f64>,
    /// Lower and upper bound, where they are known.
    pub known: Option<(f64, f64)>,
    /// What stands beside it: the value in words.
    pub told: String,
}

/// Rows that are told apart.
const ROWS_MAX: usize = 24;
/// Height of a row at most.
const ROW_MAX: f64 = 120.0;

/// Draws it. The axis begins at 0 where values differ by more than half of the greatest.
#[must_use]
pub fn rows(chart: &RowsChart) -> Plot {
    Plot::of(&chart.name, &rows_figure(chart))
}

pub(super) fn rows_figure(chart: &RowsChart) -> Figure {
    let mut figure = Figure::new(&chart.title, &chart.under);
    let shown = &chart.rows[..chart.rows.len().min(ROWS_MAX)];
    let names: Vec<String> = shown.iter().map(|row| font::fit(&row.name, SMALL, false, 460.0)).collect();
    let widest = |texts: &mut dyn Iterator<Item = &String>| {
        texts.map(|text| font::width(text, SMALL, false)).fold(0.0, f64::max)
    };
    let told: Vec<String> = shown.iter().map(|row| font::fit(&row.told, SMALL, false, 260.0)).collect();
    let left = 46.0 + widest(&mut names.iter());
    let right = 1_236.0 - widest(&mut told.iter());
    let whole = Area { left, top: 96.0, right, bottom: 650.0 };
    if shown.iter().all(|row| row.value.is_none()) {
        figure.empty(Area { left: 30.0, right: 1250.0, ..whole }, "nothing to show");
        return figure;
    }
    let height = (whole.height() / shown.len() as f64).min(ROW_MAX);
    let area = Area { bottom: whole.top + height * shown.len() as f64, ..whole };
    let panel = Panel { area, x: axis(shown, &chart.x), y: Axis::counts(1.0, 1, "") };
    for tick in &panel.x.ticks {
        let x = panel.x(tick.value);
        let colour = if tick.value == 0.0 { FRAME } else { GRID };
        figure.line(vec![(x, area.top), (x, area.bottom)], Pen::new(colour, 1.0));
    }
    figure.frame(area, FRAME);
    panel.x_labels(&mut figure);
    for (at, row) in shown.iter().enumerate() {
        let y = area.top + height * (at as f64 + 0.5);
        figure.text((area.left - 12.0, y), &names[at], Style::new(SMALL, Anchor::End));
        figure.text((area.right + 14.0, y), &told[at], Style::new(SMALL, Anchor::Start).colour(SOFT_INK));
        let Some(value) = row.value else { continue };
        let ink = colour(row.look);
        if let Some((low, high)) = row.known {
            let (low, high) = (panel.x(low), panel.x(high));
            let bar = Pen::new(ink, 2.0);
            figure.line(vec![(low, y), (high, y)], bar);
            for end in [low, high] {
                figure.line(vec![(end, y - 6.0), (end, y + 6.0)], bar);
            }
        }
        mark(&mut figure, (panel.x(value), y), 6.5, row.look);
    }
    if chart.rows.len() > shown.len() {
        let text = format!("{} more", chart.rows.len() - shown.len());
        figure.text((30.0, area.bottom + 40.0), &text, Style::new(SMALL, Anchor::Start).colour(SOFT_INK));
    }
    figure
}

fn axis(rows: &[RowMark], label: &str) -> Axis {
    let values = || rows.iter().flat_map(|row| row.value.into_iter().chain(ends(row)));
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let from_zero = least >= 0.0 && least < 0.5 * most;
    let room = (most - least) * 0.04;
    Axis::around(if from_zero { 0.0 } else { least - room }, most + room, 8, label)
}

fn ends(row: &RowMark) -> impl Iterator<Item = f64> {
    row.known.into_iter().flat_map(|(low, high)| [low, high])
}
