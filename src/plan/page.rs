//! A plan as a page.

use anyhow::Result;
use reports::html::{
    Axis, Band, Card, Cell, Chart, Column, Kind, Mark, Page, Section, Series, Table, Tone, Unit,
};
use reports::plots::palette::Look;

use super::capacity::Capacity;
use super::curve::curves;
use super::folder::Plan;
use super::judge::Judged;
use super::price::{cost, mixture};
use super::search::{Answer, Fleet};
use super::slo::{Slo, shown};
use super::text::watts;
use crate::compare::measures;
use crate::compare::page::unit;

/// The page.
///
/// # Errors
/// Where an objective cannot be read.
pub fn page(plan: &Plan) -> Result<Page> {
    let slos = plan.objectives()?;
    let mut sections: Vec<Section> = Vec::new();
    if plan.fleets.len() > 1 {
        sections.push(over_loads(plan));
    }
    for answer in &plan.fleets {
        sections.push(fleets(plan, &slos, answer));
    }
    sections.extend(plan.capacities.iter().map(|found| capacity(&slos, found)));
    sections.push(reading(plan));
    let cards = plan.fleets.iter().map(card).chain(plan.capacities.iter().map(capacity_card)).collect();
    Ok(Page {
        title: format!("Capacity plan for {}", plan.scenario),
        under: format!(
            "{}, with {} % confidence over {}",
            plan.slos.join(" and "),
            plan.confidence,
            plan.replicates
        ),
        warning: match plan.fleets.iter().find(|answer| answer.fleets.is_empty()) {
            Some(answer) => format!("No fleet meets this for {}.", answer.load),
            None => String::new(),
        },
        cards,
        sections,
        command: plan.command.clone(),
    })
}

fn card(answer: &Answer) -> Card {
    let load = answer.load.to_string();
    match answer.fleets.first() {
        None => Card::new(&load, "none", "no fleet meets the objectives"),
        Some(fleet) => {
            let price = fleet
                .cents_per_hour
                .map_or(String::new(), |cents| format!(", {} an hour", cost(Some(cents))));
            let power = fleet.watts.map_or(String::new(), |_| format!(", {} W", watts(fleet.watts)));
            Card::new(&load, format!("{} hosts", fleet.hosts), format!("{}{price}{power}", fleet.candidate))
        }
    }
}

fn capacity_card(found: &Capacity) -> Card {
    let load = found.load.map_or("nothing".to_owned(), |load| load.to_string());
    Card::new(&format!("{}, {} hosts", found.candidate, found.hosts), load, "is the most that it takes")
}

/// What each load needs.
fn over_loads(plan: &Plan) -> Section {
    let row = |answer: &Answer| {
        let fleet = answer.fleets.first();
        vec![
            Cell::from(answer.load.to_string()),
            fleet.map_or(Cell::from("none"), |fleet| Cell::toned(fleet.candidate.clone(), Tone::Strong)),
            fleet.map_or("–".to_owned(), |fleet| fleet.hosts.to_string()).into(),
            cost(fleet.and_then(|fleet| fleet.cents_per_hour)).into(),
            watts(fleet.and_then(|fleet| fleet.watts)).into(),
            if answer.fresh.is_some() { "on fresh seeds" } else { "no" }.into(),
        ]
    };
    let table = Table {
        caption: "The best fleet for each load".into(),
        columns: vec![
            Column::words("load"),
            Column::words("hosts like"),
            Column::figures("hosts", ""),
            Column::figures("cost", "per hour"),
            Column::figures("power", "W"),
            Column::words("confirmed"),
        ],
        rows: plan.fleets.iter().map(row).collect(),
        note: String::new(),
    };
    Section { tables: vec![table], ..Section::new("Loads") }
}

fn fleets(plan: &Plan, slos: &[Slo], answer: &Answer) -> Section {
    let mut section = Section::new(&answer.load.to_string());
    let mut rows: Vec<(String, &Fleet, &Judged)> = Vec::new();
    for (at, fleet) in answer.fleets.iter().enumerate() {
        rows.push((if at == 0 { answer.rank.best() } else { "then" }.to_owned(), fleet, &fleet.judged));
        if let (0, Some(fresh)) = (at, &answer.fresh) {
            rows.push(("the same on fresh seeds".to_owned(), fleet, fresh));
        }
    }
    section.tables.push(table("The best fleets", slos, &rows));
    let made_of = answer.fleets.iter().filter_map(|fleet| {
        Some(format!("- {}, {} hosts: {}", fleet.candidate, fleet.hosts, mixture(&fleet.made_of)?))
    });
    section.text.extend(made_of);
    section.charts = slos.iter().map(|slo| curve(plan, slo, answer)).collect();
    let rows: Vec<(String, &Fleet, &Judged)> = answer
        .curve
        .iter()
        .map(|fleet| {
            let knee = if answer.knee == Some(fleet.hosts) { "the knee" } else { "" };
            (knee.to_owned(), fleet, &fleet.judged)
        })
        .collect();
    if !rows.is_empty() {
        section.tables.push(table("More or fewer hosts", slos, &rows));
    }
    if answer.corrected > 0 {
        section.text.push(format!(
            "Fresh seeds did not confirm what was found first: {} steps to more hosts were needed.",
            answer.corrected
        ));
    }
    section.notes = answer.left.iter().map(|left| format!("{}: {}.", left.candidate, left.why)).collect();
    section
}

/// An objective's measure by hosts: the fleets of the best candidate that were run, with what is known of them, and of those that come next.
fn curve(plan: &Plan, slo: &Slo, answer: &Answer) -> Chart {
    let measure = slo.measure();
    let series: Vec<Series> = curves(plan, answer, slo)
        .into_iter()
        .enumerate()
        .map(|(at, curve)| {
            let band = curve.points.iter().map(|point| Band { low: point.known.0, high: point.known.1 });
            Series {
                // Areas of several would hide each other.
                band: if at == 0 { band.collect() } else { Vec::new() },
                points: curve.points.iter().map(|point| (f64::from(point.hosts), point.mean)).collect(),
                name: curve.name,
                look: curve.look,
                steps: false,
            }
        })
        .collect();
    let grey = |dash| Look { dash, ..Look::REST };
    let mut marks = vec![Mark { name: "objective".into(), at: slo.limit, on_x: false, look: grey(1) }];
    marks.extend(answer.fleets.first().map(|fleet| Mark {
        name: answer.rank.best().into(),
        at: f64::from(fleet.hosts),
        on_x: true,
        look: grey(2),
    }));
    let heights = || series.iter().flat_map(|series| &series.points).map(|point| point.1);
    let (least, most) = (heights().fold(f64::INFINITY, f64::min), heights().fold(0.0, f64::max));
    let y = if least > 0.0 && most > 20.0 * least {
        Axis::log(measure.name, unit(measure.unit))
    } else {
        Axis::counts(measure.name, unit(measure.unit))
    };
    Chart {
        title: format!("{} by number of hosts", measure.name),
        about: format!(
            "{}; mean over {}, {} % confidence to either side by itself",
            measure.direction(),
            plan.replicates,
            plan.confidence
        ),
        x: Axis::values("hosts", Unit::Number(String::new())),
        y,
        kind: Kind::Lines(series, marks),
    }
}

fn table(caption: &str, slos: &[Slo], rows: &[(String, &Fleet, &Judged)]) -> Table {
    let shown = shown(slos);
    let mut columns = vec![
        Column::words(""),
        Column::words("hosts like"),
        Column::figures("hosts", ""),
        Column::figures("cost", "per hour"),
        Column::figures("power", "W"),
    ];
    columns.extend(shown.iter().map(|at| Column::figures(measures::ALL[*at].name, measures::ALL[*at].unit)));
    columns.push(Column::words("objectives"));
    let row = |(place, fleet, judged): &(String, &Fleet, &Judged)| {
        let mut cells = vec![
            Cell::toned(place.clone(), Tone::Strong),
            fleet.candidate.clone().into(),
            fleet.hosts.to_string().into(),
            cost(fleet.cents_per_hour).into(),
            watts(judged.watts()).into(),
        ];
        cells.extend(shown.iter().map(|at| judged.told(*at).into()));
        cells.push(if judged.meets {
            Cell::toned("met", Tone::Good)
        } else {
            Cell::toned("not met", Tone::Bad)
        });
        cells
    };
    Table { caption: caption.to_owned(), columns, rows: rows.iter().map(row).collect(), note: String::new() }
}

fn capacity(slos: &[Slo], found: &Capacity) -> Section {
    let mut section = Section::new(&format!("{}, {} hosts", found.candidate, found.hosts));
    match (found.load, found.too_much) {
        (None, _) => {
            section.text.push("This fleet does not meet the objectives at any load that was tried.".into())
        }
        (Some(load), None) => {
            section.text.push(format!("It takes {load}; no load that was tried is too much."))
        }
        (Some(load), Some(more)) => section.text.push(format!("It takes {load}; {more} is too much.")),
    }
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let shown = shown(slos);
    for (name, judged) in [("searched", &found.judged), ("on fresh seeds", &found.fresh)] {
        if let Some(judged) = judged {
            rows.push(
                [Cell::from(name), watts(judged.watts()).into()]
                    .into_iter()
                    .chain(shown.iter().map(|at| judged.told(*at).into()))
                    .collect(),
            );
        }
    }
    let columns = [Column::words(""), Column::figures("power", "W")]
        .into_iter()
        .chain(shown.iter().map(|at| Column::figures(measures::ALL[*at].name, measures::ALL[*at].unit)));
    section.tables.push(Table {
        caption: "At that load".into(),
        columns: columns.collect(),
        rows,
        note: String::new(),
    });
    section
}

fn reading(plan: &Plan) -> Section {
    let text = vec![
        format!("A fleet meets an objective where the mean over {} is within it with {} % confidence, one-sided (Student’s t).", plan.replicates, plan.confidence),
        "Measures “of all arrivals” count requests that were not answered as infinitely late; “no bound” is where too many were not.".to_owned(),
        "The fewest hosts were found by doubling and halving; the best fleet was run again on fresh seeds, on which no choice rested.".to_owned(),
        match plan.electricity_cents_per_kwh {
            Some(cents) => format!("Power is what the GPUs of the whole fleet draw, mean over a run. An hour costs the prices of the hosts and that power at {cents} hundredths a kWh."),
            None => "Power is what the GPUs of the whole fleet draw, mean over a run; what it costs is not in the cost.".to_owned(),
        },
        "The knee is the point of the curve that lies farthest below the line between its ends (Satopää et al. 2011).".to_owned(),
        format!("{} runs.", plan.runs),
    ];
    Section { text, ..Section::new("How to read this") }
}
