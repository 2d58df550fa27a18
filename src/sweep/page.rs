//! A sweep as a page.

use reports::html::{
    Axis, Band, Bars, Card, Cell, Chart, Column, Kind, Page, Section, Series, Table, Tone, Unit,
};
use reports::plots::palette::Look;

use super::merge::{Effect, Found};
use super::plots::numbers;
use crate::compare::measures;
use crate::compare::page::unit;
use crate::compare::text::bounded;

/// The page.
#[must_use]
pub fn page(found: &Found) -> Page {
    let measure = measures::find(found.by).map(|at| measures::ALL[at]).expect("it was found by its key");
    let percent = found.confidence * 100.0;
    let best = found.best.first();
    let told = |value: f64| bounded(value, measure.unit);
    let mut columns = vec![Column::figures("point", "")];
    columns.extend(found.effects.iter().map(|effect| Column::words(&effect.key)));
    columns.push(Column::figures(measure.name, measure.unit));
    columns.push(Column::words(&format!("{percent} % interval")));
    let rows = found.best.iter().enumerate().map(|(at, best)| {
        let tone = if at == 0 { Tone::Strong } else { Tone::Plain };
        let mut cells = vec![Cell::toned(best.point.to_string(), tone)];
        cells.extend(best.values.iter().map(|(_, value)| Cell::toned(value.clone(), tone)));
        cells.push(Cell::toned(told(best.mean), tone));
        let interval = best
            .estimate
            .map_or(String::new(), |estimate| format!("{} to {}", told(estimate.low), told(estimate.high)));
        cells.push(interval.into());
        cells
    });
    let table = Table {
        caption: format!("The best points by {}, {}", measure.name, measure.direction()),
        columns,
        rows: rows.collect(),
        note: "The best of many is best by chance, too: confirm it on other seeds (herder compare, herder tune).".into(),
    };
    let charts = found.effects.iter().map(|effect| chart(effect, measure.name, unit(measure.unit))).collect();
    let effects = Section {
        text: vec!["For each value of a key, the mean over all points that have it, whatever their other values are; a range is cut into fifths.".into()],
        charts,
        ..Section::new("What each key does")
    };
    Page {
        title: format!("Sweep of {}", found.scenario),
        under: format!("{} points, {} replicates each", found.points, found.replicates),
        warning: match found.failed {
            0 => String::new(),
            failed => format!("{failed} cells could not run: the column “error” of sweep.csv says why."),
        },
        cards: vec![
            Card::new("Points", found.points.to_string(), format!("{} replicates each", found.replicates)),
            Card::new(
                "Best",
                best.map_or("–".to_owned(), |best| format!("{} {}", told(best.mean), measure.unit)),
                format!("{}, {}", measure.name, measure.direction()),
            ),
            Card::new("Cells that could not run", found.failed.to_string(), ""),
        ],
        sections: vec![Section { tables: vec![table], ..Section::new("The best points") }, effects],
        // In the folder of the page, wherever it lies.
        command: format!("herder sweep run . && herder sweep merge . --by {}", found.by),
    }
}

fn chart(effect: &Effect, measure: &str, unit: Unit) -> Chart {
    let about = format!("means of {} points", effect.levels.iter().map(|level| level.points).sum::<u64>());
    match numbers(effect) {
        // Numbers stand where they are.
        Some(numbers) => {
            let points = numbers
                .into_iter()
                .zip(&effect.levels)
                .filter_map(|(x, level)| Some((x, level.mean?)))
                .collect();
            let series = Series {
                name: measure.to_owned(),
                look: Look::at(0),
                points,
                band: Vec::new(),
                steps: false,
            };
            Chart {
                title: effect.key.clone(),
                about,
                x: Axis::values(&effect.key, Unit::default()),
                y: Axis::values(measure, unit),
                kind: Kind::Lines(vec![series], Vec::new()),
            }
        }
        None => Chart {
            title: effect.key.clone(),
            about,
            x: Axis::default(),
            y: Axis::counts(measure, unit),
            kind: Kind::Bars(
                effect.levels.iter().map(|level| level.value.clone()).collect(),
                vec![Bars {
                    name: measure.to_owned(),
                    // Not that of any strategy: all of them are here.
                    look: Look::REST,
                    values: effect.levels.iter().map(|level| level.mean).collect(),
                    bands: vec![None::<Band>; effect.levels.len()],
                }],
            ),
        },
    }
}
