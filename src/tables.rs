//! What stands in the files of rows that several runs leave, and the description of all of them.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use reports::files::write_whole;
use reports::frames::{self, FrameError};
use reports::tables::{Column, Holds, RUN, Table};

use crate::compare::measures;

const fn column(name: &'static str, holds: Holds, about: &'static str) -> Column {
    Column { name, holds, about }
}

// These two stand for several columns.
const KEYS: Column =
    column("KEY …", Holds::Setting, "The value of a key that varies: a column for each, called as the key.");
const MEASURES: Column = column("MEASURE …", Holds::Number, "A measure: a column for each, see below.");
const REPLICATE: Column = column("replicate", Holds::Setting, "The seed, or the window of the trace.");
const POINT: Column = column("point", Holds::Count, "The number of the combination of values, from 0.");

/// Files of several runs.
const OF_RUNS: [Table; 5] = [
    Table {
        file: "compare.csv",
        about: "A run: an arm on a replicate.",
        columns: &[KEYS, REPLICATE, MEASURES],
    },
    Table {
        file: "sweep.csv",
        about: "A cell: a point on a replicate.",
        columns: &[
            column("cell", Holds::Count, "Its number, from 0."),
            POINT,
            REPLICATE,
            KEYS,
            column("error", Holds::Text, "Why it could not run."),
            MEASURES,
        ],
    },
    Table {
        file: "points.csv",
        about: "A point: the means over its replicates. Each measure has `_low` and `_high` beside it, the ends of its interval.",
        columns: &[POINT, column("replicates", Holds::Count, "Replicates that ran."), KEYS, MEASURES],
    },
    Table {
        file: "plan.csv",
        about: "A fleet that was run for a load. Each measure with an objective has `_mean`, `_at_worst` (the end of its one-sided interval) and `_limit`.",
        columns: &[
            column("load", Holds::Number, "The load."),
            column("load_unit", Holds::Text, "users, or per_second."),
            column("candidate", Holds::Text, "What the fleet is made of, in words."),
            column("hosts", Holds::Count, "How many hosts it has."),
            column("seeds", Holds::Text, "searched, or fresh for replicates on which no choice rests."),
            column("replicates", Holds::Count, "Replicates that ran."),
            MEASURES,
            column("met", Holds::Truth, "Whether all objectives are met."),
            column(
                "cents_per_hour",
                Holds::Number,
                "What an hour costs, hosts and electricity, in hundredths of a currency.",
            ),
            column("watts_mean", Holds::Number, "What it draws, in watts, mean over the time of a run."),
        ],
    },
    Table {
        file: "tune.csv",
        about: "A candidate in a round of tuning; the last round is that of the fresh seeds.",
        columns: &[
            column("round", Holds::Count, "The round, from 1."),
            column("seeds", Holds::Text, "searched, or fresh."),
            column("replicates", Holds::Count, "Replicates that ran."),
            column("place", Holds::Count, "Its place in the round, from 1."),
            column("candidate", Holds::Text, "What was tried, in words."),
            column("mean", Holds::Number, "The mean of the objective, in its unit."),
            column("low", Holds::Number, "The lower end of its interval, on fresh seeds."),
            column("high", Holds::Number, "The upper end."),
            column("kept", Holds::Truth, "Whether it went on to the next round."),
        ],
    },
];

/// Writes a whole file of several runs, and Parquet of it.
///
/// # Errors
/// Where one of them cannot be written.
pub fn write_rows(csv: &Path, rows: &[u8]) -> Result<()> {
    write_whole(csv, rows)?;
    Ok(write_parquet(csv)?)
}

/// Makes Parquet of a file of several runs; see [`frames::write()`].
///
/// # Errors
/// As there, and where a column has no place in such a file.
pub fn write_parquet(csv: &Path) -> Result<(), FrameError> {
    let table = OF_RUNS.iter().find(|table| csv.file_name().is_some_and(|name| name == table.file));
    frames::write(csv, |name| holds(table?, name))
}

/// What a column of such a file holds. What has no meaning of its own is a measure, or an end of its interval; else a key that varies.
fn holds(table: &Table, name: &str) -> Option<Holds> {
    let ends = ["_low", "_high", "_mean", "_at_worst", "_limit"];
    let of_measure = ends.iter().filter_map(|end| name.strip_suffix(end)).chain([name]);
    let measure = of_measure.filter_map(measures::find).next().map(|_| Holds::Number);
    table.holds(name).or(measure).or_else(|| table.holds(KEYS.name))
}

/// A description of the columns of all files, as Markdown.
#[must_use]
pub fn describe() -> String {
    let mut text = String::new();
    for table in RUN.iter().chain(&OF_RUNS) {
        let parquet = table.file.replace(".csv", ".parquet");
        let _ = writeln!(
            text,
            "### {}, {parquet}\n\n{}\n\n| column | type | |\n|---|---|---|",
            table.file, table.about
        );
        for column in table.columns {
            let _ = writeln!(text, "| `{}` | {} | {} |", column.name, column.holds.parquet(), column.about);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "### Measures\n\n| column | | unit | better |\n|---|---|---|---|");
    for measure in measures::ALL {
        let better = if measure.more_is_better { "more" } else { "less" };
        let _ = writeln!(text, "| `{}` | {} | {} | {better} |", measure.key, measure.name, measure.unit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_what_the_program_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/files.md");
        let written = std::fs::read_to_string(path).unwrap();
        let (_, columns) = written.split_once("<!-- herder report --columns -->\n\n").unwrap();
        assert!(columns == describe(), "docs/files.md is of another version: run docs/files.sh");
    }

    #[test]
    fn what_is_no_measure_is_a_key() {
        let [compare, sweep, points, plan, _] = OF_RUNS;
        assert_eq!(holds(&points, "ttft_p99_ms_high"), Some(Holds::Number));
        assert_eq!(holds(&sweep, "cell"), Some(Holds::Count));
        assert_eq!(holds(&sweep, "error"), Some(Holds::Text));
        assert_eq!(holds(&compare, "fleet.hosts"), Some(Holds::Setting));
        assert_eq!(holds(&plan, "watts_mean_at_worst"), Some(Holds::Number));
        assert_eq!(holds(&plan, "fleet.hosts"), None);
    }
}
