//! The rows of a trace of any format: lines of text, a decision log, or drawn rows.

use std::path::Path;
use std::sync::Arc;

use crate::decisions::DecisionRows;
use crate::error::TraceError;
use crate::format::Format;
use crate::input::Input;
use crate::lines::Endings;
use crate::reader::{BadRows, Noticed, ReadOptions, Reader};
use crate::row::TraceRow;
use crate::servegen::Drawn;

/// Rows in order of time, one at a time.
pub struct Rows {
    kind: Kind,
    /// Names of the classes of tasks.
    classes: Vec<Arc<str>>,
    /// Names of tenants, where they are not the kind's to tell.
    tenants: Vec<String>,
}

enum Kind {
    Text(Box<Reader>),
    Decisions(Box<DecisionRows>, BadRows),
    Drawn(Box<Drawn>, BadRows),
}

impl Rows {
    /// Opens a file, or the folder of a decision log or of ServeGen's clients.
    ///
    /// # Errors
    /// Where it cannot be read, is empty, or does not begin as its format should.
    pub fn open(path: &Path, options: ReadOptions) -> Result<Self, TraceError> {
        let format = options.format.or_else(|| match () {
            () if Drawn::is_folder(path) => Some(Format::ServeGen),
            () if DecisionRows::is_log(path) => Some(Format::Decisions),
            () => None,
        });
        let kind = match format {
            Some(Format::ServeGen) => {
                Kind::Drawn(Box::new(Drawn::open(path, options.seed)?), BadRows::default())
            }
            Some(Format::Decisions) => {
                let rows = DecisionRows::open(path)?;
                let classes = rows.classes();
                let kind = Kind::Decisions(Box::new(rows), BadRows::default());
                return Ok(Self { kind, classes, tenants: Vec::new() });
            }
            _ => {
                let rows = Self::new(Input::open(path)?, options)?;
                if rows.format() != Format::Openb {
                    return Ok(rows);
                }
                // What stands in for models must be known before the first row: the file is read once for its names.
                let (classes, tenants) = Reader::open(path, options)?.into_names()?;
                return Ok(Self { classes, tenants, ..rows });
            }
        };
        Ok(Self { kind, classes: Vec::new(), tenants: Vec::new() })
    }

    /// Reads lines of text. The names of tasks' classes and tenants are not known then: they take a pass of their own.
    ///
    /// # Errors
    /// As [`Rows::open`].
    pub fn new(input: Input, options: ReadOptions) -> Result<Self, TraceError> {
        let kind = Kind::Text(Box::new(Reader::new(input, options)?));
        Ok(Self { kind, classes: Vec::new(), tenants: Vec::new() })
    }

    /// Names of the classes of the trace's tasks ([`crate::task`]), which stand where requests name a model; empty where it has none.
    #[must_use]
    pub fn classes(&self) -> &[Arc<str>] {
        &self.classes
    }

    /// The format, given or found.
    #[must_use]
    pub const fn format(&self) -> Format {
        match &self.kind {
            Kind::Text(reader) => reader.format(),
            Kind::Decisions(..) => Format::Decisions,
            Kind::Drawn(..) => Format::ServeGen,
        }
    }

    /// What the trace is called in messages.
    #[must_use]
    pub fn file(&self) -> &Path {
        match &self.kind {
            Kind::Text(reader) => reader.file(),
            Kind::Decisions(rows, _) => rows.file(),
            Kind::Drawn(rows, _) => rows.file(),
        }
    }

    /// Names of tenants; empty where the format knows none.
    #[must_use]
    pub fn tenants(&self) -> &[String] {
        match &self.kind {
            Kind::Text(_) | Kind::Drawn(..) => &self.tenants,
            Kind::Decisions(rows, _) => rows.tenants(),
        }
    }

    /// `gzip` or `zstd`; `None` for plain text, decision logs and drawn rows.
    #[must_use]
    pub const fn compression(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Text(reader) => reader.compression(),
            Kind::Decisions(..) | Kind::Drawn(..) => None,
        }
    }

    /// Bad rows left out so far.
    #[must_use]
    pub const fn bad(&self) -> &BadRows {
        match &self.kind {
            Kind::Text(reader) => reader.bad(),
            Kind::Decisions(_, bad) | Kind::Drawn(_, bad) => bad,
        }
    }

    /// How lines ended so far.
    #[must_use]
    pub fn endings(&self) -> Endings {
        match &self.kind {
            Kind::Text(reader) => reader.endings(),
            Kind::Decisions(..) | Kind::Drawn(..) => Endings::default(),
        }
    }

    /// What was noticed so far.
    #[must_use]
    pub fn noticed(&self) -> Noticed {
        match &self.kind {
            Kind::Text(reader) => reader.noticed(),
            Kind::Decisions(rows, _) => Noticed { answers_estimated: rows.estimated(), ..Noticed::default() },
            Kind::Drawn(..) => Noticed::default(),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<TraceRow, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.kind {
            Kind::Text(reader) => reader.next(),
            Kind::Decisions(rows, _) => rows.next(),
            Kind::Drawn(rows, _) => rows.next().map(Ok),
        }
    }
}
