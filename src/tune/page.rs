//! What tuning found as a page.

use reports::html::{
    Axis, Band, Bars, Card, Cell, Chart, Column, Interval, Kind, Page, Section, Table, Tone,
};
use reports::plots::Said;
use reports::plots::palette::Look;

use super::folder::Study;
use super::halving::Round;
use super::text::{difference, kept, said, told};
use crate::compare::page::unit;
use crate::compare::text::bounded;

/// Candidates of a round that are told.
const TOLD: usize = 20;

/// The page.
#[must_use]
pub fn page(study: &Study) -> Page {
    let tuned = &study.tuned;
    let measure = tuned.measure();
    let value = |of: Option<f64>| {
        of.map_or("no bound".to_owned(), |of| format!("{} {}", bounded(of, measure.unit), measure.unit))
    };
    let mean = |of: Option<reports::statistics::estimate::Estimate>| value(of.map(|of| of.mean));
    let tried = tuned.rounds.first().map_or(0, |round| round.candidates.len());
    let mut cards = vec![Card::new("As it is", mean(tuned.before), "on fresh replicates")];
    if !tuned.values.is_empty() {
        cards.push(Card::new("The best", mean(tuned.after), tuned.winner.clone()));
    }
    cards.push(Card::new(
        "Verdict",
        if tuned.is_better { "better" } else { "no evidence" },
        difference(tuned).unwrap_or_else(|| "nothing that was tried is better".to_owned()),
    ));
    cards.push(Card::new("Candidates", tried.to_string(), format!("{} runs", tuned.runs)));
    let mut sections = vec![winner(study)];
    sections.extend((0..tuned.rounds.len()).map(|at| round(study, at)));
    sections.push(reading(study));
    Page {
        title: format!("Tuning of {}", study.scenario),
        under: format!("{}, {}", measure.label(), measure.direction()),
        cards,
        sections,
        command: study.command.clone(),
        ..Page::default()
    }
}

fn winner(study: &Study) -> Section {
    let tuned = &study.tuned;
    let measure = tuned.measure();
    let percent = study.confidence * 100.0;
    let fresh = study.fresh();
    let replicates = tuned.before.map_or(0, |before| before.replicates);
    let mut charts = vec![Chart {
        title: measure.name.to_owned(),
        about: format!(
            "{}; means over {replicates} fresh replicates with {percent} % intervals",
            measure.direction()
        ),
        x: Axis::default(),
        y: Axis::counts(measure.name, unit(measure.unit)),
        kind: Kind::Bars(
            fresh.iter().map(|(name, _)| (*name).to_owned()).collect(),
            vec![Bars {
                name: "mean".into(),
                look: Look::REST,
                values: fresh.iter().map(|(_, of)| of.map(|of| of.mean)).collect(),
                bands: fresh.iter().map(|(_, of)| of.map(|of| Band { low: of.low, high: of.high })).collect(),
            }],
        ),
    }];
    if let Some(gain) = tuned.gain {
        charts.push(Chart {
            title: "Against the scenario as it is".into(),
            about: format!("mean of the differences on the same replicates, with its {percent} % interval"),
            x: Axis::default(),
            y: Axis::values("difference", unit(measure.unit)),
            kind: Kind::Intervals(vec![Interval {
                name: tuned.winner.clone(),
                value: Some((gain.mean, Band { low: gain.low, high: gain.high })),
                said: if tuned.is_better { Said::Better } else { Said::Unclear },
            }]),
        });
    }
    let rows =
        fresh.iter().map(|(name, of)| vec![Cell::toned(*name, Tone::Strong), told(*of, measure.unit).into()]);
    let gain = tuned.gain.map(|gain| {
        let tone = if tuned.is_better { Tone::Good } else { Tone::Quiet };
        let text = format!("{}, {}", difference(tuned).unwrap_or_default(), said(tuned, &gain));
        vec![Cell::toned("difference", Tone::Strong), Cell::toned(text, tone)]
    });
    let means = Table {
        caption: "On fresh replicates".into(),
        columns: vec![
            Column::words(""),
            Column::words(&format!("{}, {percent} % interval", measure.label())),
        ],
        rows: rows.chain(gain).collect(),
        note: String::new(),
    };
    let values = Table {
        caption: "What the best lays over the scenario".into(),
        columns: vec![Column::words("key"), Column::words("value")],
        rows: tuned
            .values
            .iter()
            .map(|(key, value)| vec![key.clone().into(), value.clone().into()])
            .collect(),
        note: String::new(),
    };
    let tables = if tuned.values.is_empty() { vec![means] } else { vec![means, values] };
    Section { charts, tables, ..Section::new("The best") }
}

fn round(study: &Study, at: usize) -> Section {
    let Round { replicates, candidates } = &study.tuned.rounds[at];
    let measure = study.tuned.measure();
    let kept = kept(&study.tuned.rounds, at);
    let told = &candidates[..candidates.len().min(TOLD)];
    let chart = Chart {
        title: format!("{} of the first {}", measure.name, told.len()),
        about: format!("{}; means over {replicates} replicates", measure.direction()),
        x: Axis::default(),
        y: Axis::counts(measure.name, unit(measure.unit)),
        kind: Kind::Bars(
            told.iter().map(|tried| tried.candidate.clone()).collect(),
            vec![Bars {
                name: "mean".into(),
                look: Look::REST,
                values: told.iter().map(|tried| tried.mean.filter(|mean| mean.is_finite())).collect(),
                bands: vec![None; told.len()],
            }],
        ),
    };
    let row = |(place, tried): (usize, &super::halving::Tried)| {
        let tone = if place < kept { Tone::Strong } else { Tone::Plain };
        let mean = tried.mean.map_or("–".to_owned(), |mean| bounded(mean, measure.unit));
        vec![
            Cell::toned((place + 1).to_string(), tone),
            Cell::toned(tried.candidate.clone(), tone),
            Cell::toned(mean, tone),
            if place < kept { "kept" } else { "" }.into(),
        ]
    };
    let heading = format!("Round {}: {} candidates on {replicates} replicates", at + 1, candidates.len());
    let table = Table {
        caption: "The first candidates".into(),
        columns: vec![
            Column::figures("place", ""),
            Column::words("candidate"),
            Column::figures(measure.name, measure.unit),
            Column::words(""),
        ],
        rows: told.iter().enumerate().map(row).collect(),
        note: match candidates.len() - told.len() {
            0 => String::new(),
            more => format!("{more} more are in tune.csv."),
        },
    };
    Section { charts: vec![chart], tables: vec![table], ..Section::new(&heading) }
}

fn reading(study: &Study) -> Section {
    let percent = study.confidence * 100.0;
    let text = vec![
        "All candidates run on a few replicates, the better third of them on three times as many, and so on (successive halving, Jamieson & Talwalkar 2016)."
            .to_owned(),
        format!(
            "The best of many is partly the luckiest: what it gains is measured on fresh replicates, on which no choice rested, pair by pair with the scenario as it is. Intervals hold the true value with {percent} % confidence."
        ),
    ];
    Section { text, ..Section::new("How to read this") }
}
