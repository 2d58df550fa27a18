//! Figures of all rounds as one table: the median, and what the rounds spread over.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

/// What one target did in one round, by the key of its [`Row`].
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Figures(BTreeMap<&'static str, f64>);

impl Figures {
    pub(crate) fn set(&mut self, key: &'static str, value: f64) {
        self.0.insert(key, value);
    }

    /// CPU time for each of so many; nothing where either is missing.
    pub(crate) fn set_cost(&mut self, key: &'static str, cpu: Option<Duration>, count: u64) {
        if let (Some(cpu), 1..) = (cpu, count) {
            self.set(key, 1e6 * cpu.as_secs_f64() / count as f64);
        }
    }

    pub(crate) fn add_errors(&mut self, count: u64) {
        *self.0.entry("errors").or_default() += count as f64;
    }
}

/// What the machine did meanwhile.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) seconds: f64,
    /// Of all cores: proxies, stub and load.
    pub(crate) ours_percent: f64,
    /// Of all cores: everything else.
    pub(crate) others_percent: f64,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
}

/// A line of the table.
struct Row {
    key: &'static str,
    name: &'static str,
    /// What herder is held to.
    target: &'static str,
}

const ROWS: &[Row] = &[
    Row { key: "micros_per_request", name: "CPU per request, µs", target: "≤ 60" },
    Row { key: "micros_per_paced_token", name: "CPU per token, paced, µs", target: "" },
    Row { key: "micros_per_rushed_token", name: "CPU per token, full speed, µs", target: "≤ 2" },
    Row { key: "requests_per_second", name: "requests/s, 64 connections", target: "≥ half of nginx" },
    Row { key: "tokens_per_second", name: "tokens/s, 256 streams, full speed", target: "" },
    Row { key: "p50_millis", name: "latency p50, ms", target: "" },
    Row { key: "p99_millis", name: "latency p99, ms", target: "" },
    Row { key: "added_p50_millis", name: "added p50, ms", target: "< 0.4" },
    Row { key: "added_p99_millis", name: "added p99, ms", target: "< 1" },
    Row { key: "slower_clients", name: "clients of 256 slower than direct by over 5 %", target: "0" },
    Row { key: "slowest_client_percent", name: "slowest client of 256, % of direct's", target: "" },
    Row { key: "resident_mib", name: "memory with 1,000 open streams, MiB", target: "≤ 50" },
    Row { key: "errors", name: "errors", target: "0" },
];

/// The table, and a line on the machine. `rounds` holds the figures of the targets in the order of `names`.
pub(crate) fn markdown(names: &[&str], rounds: &[Vec<Figures>], machine: &Machine) -> String {
    let mut text = format!("| | {} | target |\n|---|{}---|\n", names.join(" | "), "--:|".repeat(names.len()));
    for row in ROWS {
        let cells = (0..names.len()).map(|index| {
            let values = rounds.iter().filter_map(|round| round[index].0.get(row.key).copied());
            cell(values.collect())
        });
        let cells: Vec<String> = cells.collect();
        writeln!(text, "| {} | {} | {} |", row.name, cells.join(" | "), row.target)
            .expect("a string takes all that is written");
    }
    writeln!(
        text,
        "\nMedians of {} rounds (least to most) in {:.0} s on {} cores; of these, proxies, stub and load took {:.0} %, \
         everything else on the machine {:.0} %. Load average {} before, {} after.",
        rounds.len(),
        machine.seconds,
        machine.cores,
        machine.ours_percent,
        machine.others_percent,
        machine.load_before,
        machine.load_after
    )
    .expect("a string takes all that is written");
    text
}

fn cell(mut values: Vec<f64>) -> String {
    values.sort_unstable_by(f64::total_cmp);
    match (values.first(), values.last()) {
        (Some(&least), Some(&most)) if least < most => {
            format!("{} ({} to {})", short(median(&values)), short(least), short(most))
        }
        (Some(&one), _) => short(one),
        _ => "–".into(),
    }
}

/// Of values in ascending order, at least one.
fn median(ascending: &[f64]) -> f64 {
    let half = ascending.len() / 2;
    if ascending.len() % 2 == 1 { ascending[half] } else { (ascending[half - 1] + ascending[half]) / 2.0 }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        whole if whole.fract() == 0.0 && whole < 1e6 => format!("{value:.0}"),
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_median_with_its_spread() {
        assert_eq!(cell(vec![3.24159, 12.34, 1_234.5]), "12.3 (3.24 to 1234)");
        assert_eq!(cell(vec![1.0, 2.0]), "1.50 (1 to 2)");
        assert_eq!(cell(vec![0.0, 0.0]), "0");
        assert_eq!(cell(Vec::new()), "–");
    }

    #[test]
    fn costs_are_per_piece_and_none_without_pieces() {
        let mut figures = Figures::default();
        figures.set_cost("micros_per_request", Some(Duration::from_millis(3)), 100);
        figures.set_cost("micros_per_paced_token", Some(Duration::from_millis(3)), 0);
        figures.add_errors(2);
        let machine = Machine {
            cores: 2,
            seconds: 1.0,
            ours_percent: 50.0,
            others_percent: 25.0,
            load_before: "1 1 1".into(),
            load_after: "2 2 2".into(),
        };
        let table = markdown(&["x"], &[vec![figures]], &machine);
        assert!(table.contains("| CPU per request, µs | 30 | ≤ 60 |"), "{table}");
        assert!(table.contains("| CPU per token, paced, µs | – |  |"), "{table}");
        assert!(table.contains("| CPU per token, full speed, µs | – | ≤ 2 |"), "{table}");
        assert!(table.contains("| errors | 2 | 0 |"), "{table}");
    }
}
