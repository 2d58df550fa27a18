//! What a cell leaves: a line of comma-separated values.

use anyhow::Result;

use super::manifest::Sweep;
use crate::compare::cells::Values;
use crate::compare::measures::{self, number_text};

/// What came of a cell.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell {
    /// Its measures, in the order of [`measures::ALL`].
    Measured(Values),
    /// Why it could not run.
    Failed(String),
}

/// Columns before the values of keys.
pub(crate) const LEADING: [&str; 3] = ["cell", "point", "replicate"];

/// The names of the columns.
///
/// # Errors
/// Where they cannot be written as a line.
pub fn header(sweep: &Sweep) -> Result<Vec<u8>> {
    let keys = sweep.manifest.space.axes.iter().map(|axis| axis.key.as_str());
    let names = measures::ALL.iter().map(|measure| measure.key);
    line(LEADING.into_iter().chain(keys).chain(["error"]).chain(names).map(str::to_owned))
}

/// A cell as a line with its end.
///
/// # Errors
/// Where it cannot be written.
pub fn write(sweep: &Sweep, number: u64, cell: &Cell) -> Result<Vec<u8>> {
    let (point, replicate) = sweep.place(number);
    let leading = [number.to_string(), point.to_string(), sweep.manifest.replicates.name(replicate)];
    let values = sweep.points.at(point).into_iter().map(|(_, value)| value);
    let (error, measured): (String, Values) = match cell {
        Cell::Measured(values) => (String::new(), values.clone()),
        // A line stays a line.
        Cell::Failed(reason) => {
            (reason.split_whitespace().collect::<Vec<_>>().join(" "), vec![None; measures::ALL.len()])
        }
    };
    let measured = measured.into_iter().map(number_text);
    line(leading.into_iter().chain(values).chain([error]).chain(measured))
}

pub(crate) fn line(fields: impl Iterator<Item = String>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}
