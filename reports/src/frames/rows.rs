//! From rows of text to columns, a group of rows at a time.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use csv::StringRecord;
use polars::prelude::{
    BatchedWriter, BooleanChunkedBuilder, ChunkedBuilder, Column, DataFrame, DataType, Field, Float64Type,
    Int64Type, IntoColumn, ParquetWriter, PolarsResult, PrimitiveChunkedBuilder, Schema,
    StringChunkedBuilder, UInt64Type,
};
use traces::atomic::AtomicFile;

use super::{FrameError, Holds};

/// Rows of a group: what is held in memory at once.
const GROUP_ROWS: usize = 1 << 17;

/// A column's name and what it holds, settings told by their content.
type Typed = (String, Holds);

pub(super) fn write(
    csv: &Path,
    parquet: &Path,
    holds: impl Fn(&str) -> Option<Holds>,
) -> Result<(), FrameError> {
    let columns = typed(csv, holds)?;
    let cannot_write = |source: Box<dyn std::error::Error + Send + Sync>| FrameError::Write {
        path: parquet.to_owned(),
        source,
    };
    let mut file = AtomicFile::create(parquet).map_err(|error| cannot_write(error.into()))?;
    let schema: Schema =
        columns.iter().map(|(name, holds)| Field::new(name.as_str().into(), data_type(*holds))).collect();
    let writer = ParquetWriter::new(&mut file).set_parallel(false);
    let mut writer = writer.batched(&schema).map_err(|error| cannot_write(error.into()))?;
    let mut group = Group::new(&columns);
    let mut reader = open(csv)?;
    let mut record = StringRecord::new();
    while next(&mut reader, &mut record, csv)? {
        group.push(&record).map_err(|(column, expected)| FrameError::Field {
            path: csv.to_owned(),
            line: record.position().map_or(0, csv::Position::line),
            column: column + 1,
            name: columns[column].0.clone(),
            found: record[column].to_owned(),
            expected,
        })?;
        if group.rows == GROUP_ROWS {
            group.end(&mut writer).map_err(|error| cannot_write(error.into()))?;
            group = Group::new(&columns);
        }
    }
    group.end(&mut writer).and_then(|()| writer.finish()).map_err(|error| cannot_write(error.into()))?;
    drop(writer);
    file.commit().map_err(|error| cannot_write(error.into()))
}

fn open(csv: &Path) -> Result<csv::Reader<File>, FrameError> {
    csv::Reader::from_path(csv)
        .map_err(|error| FrameError::Read { path: csv.to_owned(), source: error.into() })
}

fn next(reader: &mut csv::Reader<File>, record: &mut StringRecord, csv: &Path) -> Result<bool, FrameError> {
    reader
        .read_record(record)
        .map_err(|error| FrameError::Read { path: csv.to_owned(), source: error.into() })
}

/// The columns of the file. Where some are settings, all rows are looked at once.
fn typed(csv: &Path, holds: impl Fn(&str) -> Option<Holds>) -> Result<Vec<Typed>, FrameError> {
    let mut reader = open(csv)?;
    let header = reader
        .headers()
        .map_err(|error| FrameError::Read { path: csv.to_owned(), source: error.into() })?
        .clone();
    let mut columns = Vec::with_capacity(header.len());
    for (column, name) in header.iter().enumerate() {
        let Some(holds) = holds(name) else {
            return Err(FrameError::Field {
                path: csv.to_owned(),
                line: 1,
                column: column + 1,
                name: name.to_owned(),
                found: name.to_owned(),
                expected: "the name of a column that herder writes there",
            });
        };
        columns.push((name.to_owned(), holds));
    }
    let settings: Vec<usize> =
        (0..columns.len()).filter(|column| columns[*column].1 == Holds::Setting).collect();
    settings.iter().for_each(|column| columns[*column].1 = Holds::Signed);
    let mut record = StringRecord::new();
    while !settings.is_empty() && next(&mut reader, &mut record, csv)? {
        for column in &settings {
            let holds = &mut columns[*column].1;
            *holds = (*holds).max(holds_text(&record[*column]));
        }
    }
    Ok(columns)
}

/// The narrowest of whole number, number and text that a value is; the order of [`Holds`] is that of their width.
fn holds_text(value: &str) -> Holds {
    if value.is_empty() || value.parse::<i64>().is_ok() {
        Holds::Signed
    } else if value.parse::<f64>().is_ok_and(f64::is_finite) {
        Holds::Number
    } else {
        Holds::Text
    }
}

const fn data_type(holds: Holds) -> DataType {
    match holds {
        Holds::Count => DataType::UInt64,
        Holds::Signed => DataType::Int64,
        Holds::Number => DataType::Float64,
        Holds::Truth => DataType::Boolean,
        Holds::Text | Holds::Setting => DataType::String,
    }
}

enum Builder {
    Count(PrimitiveChunkedBuilder<UInt64Type>),
    Signed(PrimitiveChunkedBuilder<Int64Type>),
    Number(PrimitiveChunkedBuilder<Float64Type>),
    Truth(BooleanChunkedBuilder),
    Text(StringChunkedBuilder),
}

impl Builder {
    fn new((name, holds): &Typed) -> Self {
        let name = name.as_str().into();
        match holds {
            Holds::Count => Self::Count(PrimitiveChunkedBuilder::new(name, 0)),
            Holds::Signed => Self::Signed(PrimitiveChunkedBuilder::new(name, 0)),
            Holds::Number => Self::Number(PrimitiveChunkedBuilder::new(name, 0)),
            Holds::Truth => Self::Truth(BooleanChunkedBuilder::new(name, 0)),
            Holds::Text | Holds::Setting => Self::Text(StringChunkedBuilder::new(name, 0)),
        }
    }

    /// Takes a field, or says what it expected.
    fn push(&mut self, field: &str) -> Result<(), &'static str> {
        let there = Some(field).filter(|field| !field.is_empty());
        match self {
            Self::Count(builder) => {
                let value = there.map(str::parse).transpose();
                builder.append_option(value.map_err(|_| "a whole number, 0 or more")?);
            }
            Self::Signed(builder) => {
                builder.append_option(there.map(str::parse).transpose().map_err(|_| "a whole number")?);
            }
            Self::Number(builder) => {
                builder.append_option(there.map(str::parse).transpose().map_err(|_| "a number")?);
            }
            Self::Truth(builder) => {
                builder.append_option(there.map(str::parse).transpose().map_err(|_| "true or false")?);
            }
            Self::Text(builder) => builder.append_option(there),
        }
        Ok(())
    }

    fn column(self) -> Column {
        match self {
            Self::Count(builder) => builder.finish().into_column(),
            Self::Signed(builder) => builder.finish().into_column(),
            Self::Number(builder) => builder.finish().into_column(),
            Self::Truth(builder) => builder.finish().into_column(),
            Self::Text(builder) => builder.finish().into_column(),
        }
    }
}

struct Group {
    builders: Vec<Builder>,
    rows: usize,
}

impl Group {
    fn new(columns: &[Typed]) -> Self {
        Self { builders: columns.iter().map(Builder::new).collect(), rows: 0 }
    }

    fn push(&mut self, record: &StringRecord) -> Result<(), (usize, &'static str)> {
        for (column, (builder, field)) in self.builders.iter_mut().zip(record).enumerate() {
            builder.push(field).map_err(|expected| (column, expected))?;
        }
        self.rows += 1;
        Ok(())
    }

    fn end<W: Write>(self, writer: &mut BatchedWriter<W>) -> PolarsResult<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let columns = self.builders.into_iter().map(Builder::column).collect();
        writer.write_batch(&DataFrame::new(self.rows, columns)?)
    }
}
