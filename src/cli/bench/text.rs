//! What `herder bench` prints of a component: what was compared, how each form grew, a row for each scale.

use crate::bench::Component;
use crate::bench::fit::Crossover;
use crate::bench::record::Record;

/// A component's block. Records come in pairs: at each scale the baseline, then the optimised form.
pub(super) fn block(component: &Component, records: &[Record]) -> String {
    let mut text = format!("{}: {}\n", component.name, component.operation);
    let [.., baseline, optimised] = records else { return text };
    for record in [baseline, optimised] {
        text.push_str(&format!("  {}\n", growth(record)));
    }
    let headings = [
        component.scale,
        "baseline",
        "optimised",
        "factor",
        "±",
        "",
        "p99 base",
        "p99 opt",
        "memory base",
        "memory opt",
        "allocs base",
        "allocs opt",
    ];
    let mut rows = vec![headings.map(str::to_owned)];
    for pair in records.chunks_exact(2) {
        rows.push(row(&pair[0], &pair[1]));
    }
    text.push_str(&aligned(&rows));
    text.push_str(&match optimised.crossover {
        Crossover::Always => "  the optimised form wins at every scale\n".to_owned(),
        Crossover::Never => "  the optimised form does not win at the largest scale: no gain\n".to_owned(),
        Crossover::At(scale) => {
            format!("  the optimised form wins from about {scale} {}\n", component.scale)
        }
    });
    if let [Some(before), Some(after)] = [baseline, optimised].map(|record| record.live_bytes_per_unit) {
        let (scale, of) = (optimised.scale, component.scale);
        text.push_str(&format!(
            "  live after building, for each of {scale} {of}: {} baseline, {} optimised\n",
            bytes(before),
            bytes(after)
        ));
    }
    text.push_str(&format!(
        "  {}; noise floor {:.1} % (one form against itself): a gain is {:.1} % or more\n\n",
        optimised.time_of, optimised.noise_percent, optimised.gain_least_percent
    ));
    text
}

/// `optimised: an indexed heap`, and below it `claimed log n, measured log n by comparisons of keys; time ~ n^0.12 …`.
fn growth(record: &Record) -> String {
    let name = record.name.rsplit('/').nth(1).unwrap_or_default();
    let mut text = format!("{name}: {}\n    claimed {}", record.form, record.complexity_claimed.name());
    if let Some(measured) = record.complexity_measured {
        text.push_str(&format!(", measured {} by {}", measured.name(), record.complexity_basis));
    }
    if let (Some(value), Some(low), Some(high)) =
        (record.time_exponent, record.time_exponent_low, record.time_exponent_high)
    {
        text.push_str(&format!("; time ~ n^{value:.2} ({low:.2} to {high:.2})"));
    }
    text
}

fn row(baseline: &Record, optimised: &Record) -> [String; 12] {
    let memory = |record: &Record| record.memory_bytes.map_or("–".to_owned(), |count| bytes(count as f64));
    let allocations = |record: &Record| {
        record.allocations_per_operation.map_or("–".to_owned(), |count| format!("{count:.1}"))
    };
    [
        optimised.scale.to_string(),
        nanos(baseline.time_nanos),
        nanos(optimised.time_nanos),
        format!("{:.2}", optimised.improvement_factor),
        format!("{:.0} %", baseline.tolerance.max(optimised.tolerance) * 100.0),
        optimised.verdict.name().to_owned(),
        nanos(baseline.p99_nanos),
        nanos(optimised.p99_nanos),
        memory(baseline),
        memory(optimised),
        allocations(baseline),
        allocations(optimised),
    ]
}

/// Columns to the right, two blanks before each.
fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        text.push('\n');
    }
    text
}

/// Three digits that count, at least.
fn short(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn nanos(value: f64) -> String {
    match value {
        ..999.5 => format!("{} ns", short(value)),
        ..999_500.0 => format!("{} µs", short(value / 1e3)),
        ..999_500_000.0 => format!("{} ms", short(value / 1e6)),
        _ => format!("{} s", short(value / 1e9)),
    }
}

fn bytes(value: f64) -> String {
    match value {
        ..1_000.0 => format!("{value:.0} B"),
        ..1_000_000.0 => format!("{} kB", short(value / 1e3)),
        _ => format!("{} MB", short(value / 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::measure::Measured;
    use crate::bench::record::{AtScale, Noise, records};
    use crate::bench::{Clock, SCALES, select};

    fn measured(each: f64) -> Measured {
        Measured {
            samples: vec![each; 10],
            batch: 4,
            cpu_nanos: vec![each, each * 1.01, each, each * 0.99, each],
            wall_nanos: vec![each; 5],
            clock: Clock::Cpu,
            operations: 40,
            checked: 9,
            wall: Duration::from_nanos((each * 40.0) as u64),
            cpu: Duration::from_nanos((each * 39.0) as u64),
            allocations: Some(60),
            live_bytes: Some((each * 456.0) as u64),
            memory_bytes: Some((each * 123_456.0) as u64),
            counted: vec![each; 5],
        }
    }

    #[test]
    fn every_block_fits_140_columns_and_says_who_wins() {
        for component in select(&[]).unwrap() {
            for (factor, said) in [(500.0, "wins at every scale"), (1.0, "no gain")] {
                let scales = SCALES.map(|scale| AtScale {
                    scale,
                    timestamp: "2026-01-31T12:00:00Z".into(),
                    forms: [measured(scale as f64 * factor), measured(scale as f64)],
                });
                let text = block(&component, &records(&component, &scales, Noise::NONE));
                assert!(text.contains(said) && text.contains("1.5"), "{text}");
                assert!(text.contains("456 B optimised") && text.contains("noise floor 0.0 %"), "{text}");
                for line in text.lines() {
                    assert!(line.chars().count() <= 140, "{}: {line}", line.chars().count());
                }
            }
        }
    }

    #[test]
    fn figures_take_the_unit_that_suits_them() {
        let times = [0.5, 12.34, 999.4, 1_234.0, 45_600_000.0, 2e9].map(nanos);
        assert_eq!(times, ["0.50 ns", "12.3 ns", "999 ns", "1.23 µs", "45.6 ms", "2.00 s"]);
        assert_eq!([12.0, 2_500.0, 3e6].map(bytes), ["12 B", "2.50 kB", "3.00 MB"]);
    }
}
