//! A plan for people.

use std::fmt::Write as _;

use super::capacity::Capacity;
use super::judge::Judged;
use super::price::{cost, mixture};
use super::search::{Answer, Fleet};
use super::slo::{Slo, shown};
use crate::compare::measures;
use crate::compare::text::number;

/// What a plan rests on.
#[derive(Clone, PartialEq, Debug)]
pub struct Basis {
    /// The scenario's name.
    pub scenario: String,
    /// What was to be met.
    pub slos: Vec<Slo>,
    /// How sure that is, in percent.
    pub confidence: f64,
    /// What the replicates are, in words.
    pub replicates: String,
}

impl Basis {
    /// What is asked of a fleet, in a line.
    #[must_use]
    pub fn asked(&self) -> String {
        let slos: Vec<String> = self.slos.iter().map(ToString::to_string).collect();
        format!(
            "{}: {}; each with {} % confidence over {}",
            self.scenario,
            slos.join(" and "),
            self.confidence,
            self.replicates
        )
    }

    fn table(&self, rows: &[(String, String, String, &Judged)], text: &mut String) {
        let mut head = ["", "hosts", "cost/h", "power [W]"].map(str::to_owned).to_vec();
        let shown = shown(&self.slos);
        head.extend(shown.iter().map(|at| measures::ALL[*at].label()));
        head.push("at worst".to_owned());
        let mut lines = vec![head];
        for (name, hosts, cost, judged) in rows {
            let mut line = vec![name.clone(), hosts.clone(), cost.clone(), watts(judged.watts())];
            line.extend(shown.iter().map(|at| judged.told(*at)));
            let worst = judged.standings.iter().zip(&self.slos).map(|(standing, slo)| {
                standing.worst.map_or("no bound".to_owned(), |worst| number(worst, slo.measure().unit))
            });
            let worst: Vec<String> = worst.collect();
            line.push(format!("{}{}", worst.join(", "), if judged.meets { "" } else { "  not met" }));
            lines.push(line);
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
        for line in &lines {
            let mut told = format!("  {:<width$}", line[0], width = widths[0]);
            for at in 1..line.len() - 1 {
                let _ = write!(told, "  {:>width$}", line[at], width = widths[at]);
            }
            let _ = writeln!(text, "{}  {}", told, line[line.len() - 1]);
        }
    }
}

/// What is told of a load: its fleets, and more or fewer hosts.
#[must_use]
pub fn answer(basis: &Basis, answer: &Answer) -> String {
    let mut text = format!("{}\n{}\n\n", basis.asked(), answer.load);
    let Some(cheapest) = answer.fleets.first() else {
        let _ = writeln!(text, "No fleet meets this.");
        left(&mut text, answer);
        return text;
    };
    let row = |name: String, fleet: &'_ Fleet| (name, fleet.hosts.to_string(), cost(fleet.cents_per_hour));
    let mut rows = Vec::new();
    for (at, fleet) in answer.fleets.iter().enumerate() {
        let place = if at == 0 { answer.rank.best() } else { "then" };
        let (name, hosts, cost) = row(format!("{place}: {}", fleet.candidate), fleet);
        rows.push((name, hosts, cost, &fleet.judged));
    }
    if let Some(fresh) = &answer.fresh {
        rows.insert(1, ("  on fresh seeds".to_owned(), String::new(), String::new(), fresh));
    }
    basis.table(&rows, &mut text);
    for fleet in &answer.fleets {
        if let Some(mixture) = mixture(&fleet.made_of) {
            let _ = writeln!(text, "  {}, {} hosts: {mixture}", fleet.candidate, fleet.hosts);
        }
    }
    match (&answer.fresh, answer.corrected) {
        (None, _) => {
            let _ = writeln!(
                text,
                "\nNot confirmed: the parts of a trace are all that there is. What was found holds for that trace."
            );
        }
        (Some(_), 0) => {}
        (Some(_), hosts) => {
            let _ = writeln!(
                text,
                "\nFresh seeds did not confirm what was found first: {hosts} steps to more hosts were needed."
            );
        }
    }
    let _ = writeln!(text, "\nMore or fewer hosts ({}):", cheapest.candidate);
    let rows: Vec<_> = answer
        .curve
        .iter()
        .map(|fleet| {
            let is_knee = answer.knee == Some(fleet.hosts);
            let (name, hosts, cost) = row(if is_knee { "the knee" } else { "" }.to_owned(), fleet);
            (name, hosts, cost, &fleet.judged)
        })
        .collect();
    basis.table(&rows, &mut text);
    let _ = match answer.knee {
        Some(knee) if knee < cheapest.hosts => writeln!(
            text,
            "\nThe curve's knee is at {knee} hosts: with fewer it rises steeply. What is asked for lies beyond it, where each host more brings less."
        ),
        Some(knee) => writeln!(
            text,
            "\nThe curve's knee is at {knee} hosts: with fewer it rises steeply, with more each host brings less."
        ),
        None => writeln!(text, "\nThe curve has no knee within these numbers of hosts."),
    };
    left(&mut text, answer);
    text
}

fn left(text: &mut String, answer: &Answer) {
    if !answer.left.is_empty() {
        let _ = writeln!(text, "\nLeft out:");
    }
    for left in &answer.left {
        let _ = writeln!(text, "  {}: {}", left.candidate, left.why);
    }
}

/// The greatest load of a fleet.
#[must_use]
pub fn capacity(basis: &Basis, found: &Capacity) -> String {
    let mut text = format!("{}\n{}, {} hosts\n\n", basis.asked(), found.candidate, found.hosts);
    let (Some(load), Some(judged)) = (found.load, &found.judged) else {
        let least = found.too_much.map_or(String::new(), |load| format!(": even {load} is too much"));
        let _ = writeln!(text, "This fleet does not meet this{least}.");
        return text;
    };
    let mut rows = vec![(format!("takes {load}"), String::new(), String::new(), judged)];
    rows.extend(
        found
            .fresh
            .as_ref()
            .map(|fresh| ("  on fresh seeds".to_owned(), String::new(), String::new(), fresh)),
    );
    basis.table(&rows, &mut text);
    let _ = match found.too_much {
        Some(load) => writeln!(text, "\n{load} is too much."),
        None => writeln!(text, "\nNo load that was tried is too much."),
    };
    text
}

/// What a fleet draws, in whole watts.
#[must_use]
pub fn watts(watts: Option<f64>) -> String {
    watts.map_or("–".to_owned(), |watts| format!("{watts:.0}"))
}
