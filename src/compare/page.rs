//! A comparison as a page.

use reports::html::{
    Align, Axis, Band, Bars, Card, Cell, Chart, Column, Dot, Interval, Kind, Page, Section, Table, Tone, Unit,
};
use reports::plots::Said;
use reports::plots::palette::{Look, looks};

use super::analysis::{Comparison, Front, Measured, Row, Verdict};
use super::text::{self, number};

/// What a page tells besides what was found.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// What the replicates are, in words.
    pub conditional: &'a str,
    /// The command that gives the same again.
    pub command: &'a str,
}

/// The page.
#[must_use]
pub fn page(comparison: &Comparison, about: About<'_>) -> Page {
    let arms: Vec<&str> = comparison
        .measures
        .first()
        .map_or(Vec::new(), |measured| measured.arms.iter().map(|row| row.arm.as_str()).collect());
    let looks = looks(&arms);
    let (same, told): (Vec<&Measured>, Vec<&Measured>) =
        comparison.measures.iter().partition(|measured| measured.is_same());
    let mut sections: Vec<Section> = vec![winners(comparison, &told)];
    sections.extend(told.iter().map(|measured| section(measured, comparison)));
    if !comparison.fronts.is_empty() {
        let charts = comparison.fronts.iter().filter_map(|front| pareto(comparison, front, &looks)).collect();
        sections.push(Section {
            text: vec!["Arms in front are beaten by no other in both measures: between them it is a matter of what counts.".into()],
            charts,
            ..Section::new("Trade-offs")
        });
    }
    sections.push(reading(comparison, &same));
    Page {
        title: format!("Comparison in {}", about.scenario),
        under: format!("{} arms, {}", arms.len(), about.conditional),
        cards: cards(comparison, &arms, about),
        sections,
        command: about.command.to_owned(),
        ..Page::default()
    }
}

fn cards(comparison: &Comparison, arms: &[&str], about: About<'_>) -> Vec<Card> {
    let verdicts = |wanted: Verdict| {
        let all = comparison.measures.iter().flat_map(|measured| &measured.arms);
        all.filter_map(|row| row.difference.as_ref())
            .filter(|difference| difference.verdict == wanted)
            .count()
    };
    vec![
        Card::new("Arms", arms.len().to_string(), format!("baseline: {}", comparison.baseline)),
        Card::new("Replicates of each", comparison.replicates.to_string(), about.conditional),
        Card::new(
            "Better than the baseline",
            verdicts(Verdict::Better).to_string(),
            format!("of {} differences", comparison.differences),
        ),
        Card::new("Worse", verdicts(Verdict::Worse).to_string(), "surely"),
        Card::new(
            "No evidence",
            verdicts(Verdict::NoEvidence).to_string(),
            "of a difference, which is not “the same”",
        ),
    ]
}

/// Who is best at what.
fn winners(comparison: &Comparison, told: &[&Measured]) -> Section {
    let row = |measured: &&Measured| {
        let best = measured.arms.iter().max_by(|one, other| one.best_share.total_cmp(&other.best_share))?;
        let share = format!("{:.0} %", best.best_share * 100.0);
        let said = best.difference.as_ref().map_or("baseline".to_owned(), text::said);
        let mean = best.mean.map_or("no bound".to_owned(), |mean| number(mean.mean, measured.unit));
        let name = Cell::from(measured.label());
        Some(vec![name, Cell::toned(best.arm.clone(), Tone::Strong), mean.into(), share.into(), said.into()])
    };
    let table = Table {
        caption: "Who is best at what".into(),
        columns: vec![
            Column::words("measure"),
            Column::words("most often the best"),
            Column::figures("its mean", ""),
            Column::figures("best in", "of samples"),
            Column::words(&format!("against {}", comparison.baseline)),
        ],
        rows: told.iter().filter_map(row).collect(),
        note: "Samples are drawn again from the replicates: 55 % against 45 % is no ranking.".into(),
    };
    Section { tables: vec![table], ..Section::new("Who is best at what") }
}

fn section(measured: &Measured, comparison: &Comparison) -> Section {
    let unit = unit(measured.unit);
    let names: Vec<String> = measured.arms.iter().map(|row| row.arm.clone()).collect();
    let band = |row: &Row| row.mean.map(|mean| Band { low: mean.low, high: mean.high });
    let means = Bars {
        name: "mean".into(),
        // Not that of any arm: all of them are here.
        look: Look::REST,
        values: measured.arms.iter().map(|row| row.mean.map(|mean| mean.mean)).collect(),
        bands: measured.arms.iter().map(band).collect(),
    };
    let percent = comparison.confidence * 100.0;
    let mut charts = vec![Chart {
        title: measured.name.to_owned(),
        about: format!(
            "{}; means over {} replicates with {percent} % intervals",
            measured.direction(),
            comparison.replicates
        ),
        x: Axis::default(),
        y: Axis::counts(measured.name, unit),
        kind: Kind::Bars(names, vec![means]),
    }];
    let differs = |row: &Row| row.difference.as_ref().is_some_and(|difference| difference.percent.is_some());
    if measured.arms.iter().any(differs) {
        charts.push(Chart {
            title: format!("Against {}", comparison.baseline),
            about: format!("mean of the differences on the same replicates, with {percent} % intervals"),
            x: Axis::default(),
            y: Axis::values("difference", Unit::Percent),
            kind: Kind::Intervals(
                measured.arms.iter().filter(|row| row.arm != comparison.baseline).map(interval).collect(),
            ),
        });
    }
    let rows = measured.arms.iter().map(|row| {
        let cells = text::cells(row, measured.unit, comparison);
        let tone = |at: usize| match (at, row.difference.as_ref().map(|difference| difference.verdict)) {
            (4, Some(Verdict::Better)) => Tone::Good,
            (4, Some(Verdict::Worse)) => Tone::Bad,
            _ => Tone::Plain,
        };
        cells.into_iter().enumerate().map(|(at, cell)| Cell::toned(cell, tone(at))).collect()
    });
    let table = Table {
        caption: measured.label(),
        columns: vec![
            Column::words("arm"),
            Column::figures("mean", measured.unit),
            Column { align: Align::Left, ..Column::figures("interval", measured.unit) },
            Column::words(&format!("against {}", comparison.baseline)),
            Column::words("verdict"),
            Column::figures("best", ""),
        ],
        rows: rows.collect(),
        note: String::new(),
    };
    Section { charts, tables: vec![table], ..Section::new(&measured.label()) }
}

fn interval(row: &Row) -> Interval {
    let percent = row.difference.as_ref().and_then(|difference| difference.percent);
    Interval {
        name: row.arm.clone(),
        value: percent.map(|[mean, low, high]| (mean, Band { low, high })),
        said: row.difference.as_ref().map_or(Said::Unclear, |difference| difference.verdict.shown()),
    }
}

fn pareto(comparison: &Comparison, front: &Front, looks: &[Look]) -> Option<Chart> {
    let find = |name: &str| comparison.measures.iter().find(|measured| measured.name == name);
    let (y, x) = (find(front.of)?, find(front.against)?);
    let dots = x.arms.iter().zip(&y.arms).zip(looks).filter_map(|((right, up), look)| {
        let at = (right.mean?.mean, up.mean?.mean);
        Some(Dot { name: right.arm.clone(), look: *look, at, in_front: front.arms.contains(&right.arm) })
    });
    Some(Chart {
        title: format!("{} against {}", front.of, front.against),
        about: format!("{}: {}; {}: {}", x.name, x.direction(), y.name, y.direction()),
        x: Axis::values(x.name, unit(x.unit)),
        y: Axis::values(y.name, unit(y.unit)),
        kind: Kind::Scatter(dots.collect()),
    })
}

/// The unit of an axis.
#[must_use]
pub fn unit(word: &str) -> Unit {
    match word {
        "ms" => Unit::Millis,
        "%" => Unit::Percent,
        word => Unit::Number(word.to_owned()),
    }
}

fn reading(comparison: &Comparison, same: &[&Measured]) -> Section {
    let percent = comparison.confidence * 100.0;
    let mut text = vec![
        format!(
            "Each interval holds the true value with {percent} % confidence by itself: by Student’s t below 30 replicates, else by a bootstrap of the studentised mean."
        ),
        format!(
            "“Better” and “worse” are corrected for all {} differences (Holm), so that none of them is by chance with {percent} % confidence; p is the corrected one. d is the difference in deviations of a pair.",
            comparison.differences
        ),
        "All arms ran on the same replicates; differences are taken pair by pair.".to_owned(),
    ];
    if !same.is_empty() {
        let names: Vec<&str> = same.iter().map(|measured| measured.name).collect();
        text.push(format!("The same in every replicate: {}.", names.join(", ")));
    }
    Section { text, ..Section::new("How to read this") }
}
