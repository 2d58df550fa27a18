//! Charts of a page, as data: the page's script draws them. A chart leaves out no value that shows: points are
//! thinned so that peaks stay, numbers are rounded beyond what a screen can tell.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::kind::Kind;
use super::{escape, table::Table};
use crate::text::format;

/// A chart.
#[derive(Clone, PartialEq, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// How to read it, in a sentence; empty for nothing.
    pub about: String,
    /// To the right.
    pub x: Axis,
    /// Upwards; of charts with a row for each thing (bars, intervals, heat) the values that stand in cells or rows.
    pub y: Axis,
    /// What is drawn.
    pub kind: Kind,
}

/// An axis.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Axis {
    /// What it measures.
    pub label: String,
    /// In which unit.
    pub unit: Unit,
    /// Whether it is logarithmic; values of 0 or less are not drawn then.
    pub log: bool,
    /// Whether 0 is always on it. Nothing on a logarithmic one.
    pub zero: bool,
}

/// Units of an axis: how its values are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A number with a word after it, which may be empty.
    Number(String),
    /// Seconds of simulated time: told in seconds, minutes, hours or days.
    Seconds,
    /// Milliseconds: told in µs, ms or s.
    Millis,
    /// Percent.
    Percent,
}

impl Default for Unit {
    fn default() -> Self {
        Self::Number(String::new())
    }
}

impl Unit {
    fn key(&self) -> &str {
        match self {
            Self::Number(word) => word,
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Percent => "%",
        }
    }

    /// A value with its unit, for a person: the same digits as in the report as text.
    pub(super) fn text(&self, value: f64) -> String {
        let sign = if value < 0.0 { "−" } else { "" };
        let size = value.abs();
        let text = match self {
            Self::Number(word) => {
                // What is whole is a count: 6 hosts, not 6.00.
                let whole = size.fract() == 0.0 && size < 1e15;
                let figure = if whole { format::count(size as u64) } else { format::rate(size) };
                if word.is_empty() { figure } else { format!("{figure} {word}") }
            }
            Self::Seconds => format::seconds(size),
            Self::Millis => format::millis(Some(size)),
            Self::Percent => format!("{size:.1} %"),
        };
        format!("{sign}{text}")
    }
}

impl Axis {
    /// Linear, with 0 on it.
    #[must_use]
    pub fn counts(label: &str, unit: Unit) -> Self {
        Self { label: label.to_owned(), unit, log: false, zero: true }
    }

    /// Linear, as far as values go.
    #[must_use]
    pub fn values(label: &str, unit: Unit) -> Self {
        Self { zero: false, ..Self::counts(label, unit) }
    }

    /// Logarithmic.
    #[must_use]
    pub fn log(label: &str, unit: Unit) -> Self {
        Self { log: true, ..Self::values(label, unit) }
    }

    /// Simulated time.
    #[must_use]
    pub fn time() -> Self {
        Self::values("simulated time", Unit::Seconds)
    }

    fn json(&self) -> Value {
        let number = matches!(self.unit, Unit::Number(_));
        json!({ "label": self.label, "unit": self.unit.key(), "number": number, "log": self.log, "zero": self.zero })
    }
}

impl Chart {
    /// What the script draws.
    pub(super) fn json(&self) -> Value {
        let mut value = self.kind.json();
        value["title"] = self.title.clone().into();
        value["x"] = self.x.json();
        value["y"] = self.y.json();
        value
    }

    /// The figures of the chart, for whoever reads and does not look.
    pub(super) fn figures(&self) -> Option<Table> {
        self.kind.figures(self).filter(|table| !table.rows.is_empty())
    }

    pub(super) fn write(&self, id: usize, page: &mut String) {
        let title = escape::text(&self.title);
        let _ = write!(
            page,
            "<figure class=\"chart\" aria-labelledby=\"chart-{id}\"><figcaption><h3 id=\"chart-{id}\">{title}</h3>"
        );
        if !self.about.is_empty() {
            let _ = write!(page, "<p class=\"note\">{}</p>", escape::text(&self.about));
        }
        page.push_str("</figcaption>\n");
        let _ = writeln!(
            page,
            "<div class=\"plot\"></div>\n<script type=\"application/json\">{}</script>",
            escape::data(&self.json())
        );
        if let Some(table) = self.figures() {
            page.push_str("<details><summary>Figures</summary>\n");
            table.write(&self.title, page);
            page.push_str("</details>\n");
        }
        page.push_str("</figure>\n");
    }
}
