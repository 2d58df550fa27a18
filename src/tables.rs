//! What stands in the files of rows that several runs leave, and the description of all of them.

use std::fmt::Write;
use std::path::Path;

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
const OF_RUNS: [Table; 3] = [
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
];

/// Makes Parquet of a file of several runs; see [`frames::write`].
///
/// # Errors
/// As there.
pub fn write_parquet(csv: &Path) -> Result<(), FrameError> {
    frames::write(csv, |name| Some(holds(name)))
}

/// What a column of such a file holds: what is no measure and has no meaning of its own is a key that varies.
fn holds(name: &str) -> Holds {
    let measure = name.strip_suffix("_low").or_else(|| name.strip_suffix("_high")).unwrap_or(name);
    if measures::find(measure).is_some() {
        return Holds::Number;
    }
    OF_RUNS.iter().find_map(|table| table.holds(name)).unwrap_or(Holds::Setting)
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
        assert_eq!(holds("ttft_p99_ms_high"), Holds::Number);
        assert_eq!(holds("cell"), Holds::Count);
        assert_eq!(holds("error"), Holds::Text);
        assert_eq!(holds("fleet.hosts"), Holds::Setting);
    }
}
