//! Tables of a page: each with its caption, units in its header, and the first cell of a row naming the row.

use std::fmt::Write as _;

use super::escape;
use crate::text::table::{Align as TextAlign, Table as TextTable};

/// A table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    /// What it tells; also what a screen reader announces.
    pub caption: String,
    /// Its columns. Where no column has a name there is no header.
    pub columns: Vec<Column>,
    /// Rows of as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// What a reader must know to read it; empty for nothing.
    pub note: String,
}

/// A column.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Unit of its figures where cells do not say it; empty for none.
    pub unit: String,
    /// Where its cells stand.
    pub align: Align,
}

/// Where cells of a column stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Align {
    /// Words.
    #[default]
    Left,
    /// Figures.
    Right,
}

/// A cell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// How it is set.
    pub tone: Tone,
}

/// How a cell is set. Colour never tells anything alone: the text says it, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tone {
    /// As others.
    #[default]
    Plain,
    /// Heavier than others.
    Strong,
    /// Less than others.
    Quiet,
    /// Something good.
    Good,
    /// Something bad.
    Bad,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "strong",
            Self::Quiet => "quiet",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

impl Column {
    /// Words under a name.
    #[must_use]
    pub fn words(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Figures under a name, in a unit; empty where cells have their own.
    #[must_use]
    pub fn figures(name: &str, unit: &str) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), align: Align::Right }
    }
}

impl Cell {
    /// Text in a tone.
    #[must_use]
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

impl Table {
    /// The same table that the report as text has.
    pub(super) fn of_text(caption: &str, table: &TextTable) -> Self {
        let (header, rows) = match table.rows() {
            [header, rows @ ..] if table.has_header() => (header.as_slice(), rows),
            rows => (&[][..], rows),
        };
        let column = |(index, align): (usize, &TextAlign)| Column {
            name: header.get(index).cloned().unwrap_or_default(),
            unit: String::new(),
            align: match align {
                TextAlign::Left => Align::Left,
                TextAlign::Right => Align::Right,
            },
        };
        Self {
            caption: caption.to_owned(),
            columns: table.aligns().iter().enumerate().map(column).collect(),
            rows: rows.iter().map(|row| row.iter().map(|cell| Cell::from(cell.as_str())).collect()).collect(),
            note: String::new(),
        }
    }

    /// Under a heading; a caption that only repeats that is heard, not seen.
    pub(super) fn write(&self, heading: &str, page: &mut String) {
        let heard = if self.caption == heading { " class=\"heard\"" } else { "" };
        let caption = escape::text(&self.caption);
        let figures = self.columns.iter().any(|column| column.align == Align::Right);
        let class = if figures { "figures" } else { "words" };
        let _ = writeln!(
            page,
            "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table class=\"{class}\">\
             <caption{heard}>{caption}</caption>"
        );
        if self.columns.iter().any(|column| !column.name.is_empty()) {
            page.push_str("<thead><tr>");
            for column in &self.columns {
                column.write(page);
            }
            page.push_str("</tr></thead>\n");
        }
        page.push_str("<tbody>\n");
        for row in &self.rows {
            page.push_str("<tr>");
            for (index, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                cell.write(page, index == 0, column.align);
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table></div>\n");
        if !self.note.is_empty() {
            let _ = writeln!(page, "<p class=\"note\">{}</p>", escape::text(&self.note));
        }
    }
}

impl Column {
    fn write(&self, page: &mut String) {
        let class = if self.align == Align::Right { " class=\"r\"" } else { "" };
        let tag = if self.name.is_empty() { "td" } else { "th" };
        let scope = if self.name.is_empty() { "" } else { " scope=\"col\"" };
        let _ = write!(page, "<{tag}{scope}{class}>{}", escape::text(&self.name));
        if !self.unit.is_empty() {
            let _ = write!(page, " <span class=\"unit\">{}</span>", escape::text(&self.unit));
        }
        let _ = write!(page, "</{tag}>");
    }
}

impl Cell {
    fn write(&self, page: &mut String, names_row: bool, align: Align) {
        let right = if align == Align::Right { "r" } else { "" };
        let class = [right, self.tone.class()].into_iter().filter(|class| !class.is_empty());
        let class = class.collect::<Vec<_>>().join(" ");
        let class = if class.is_empty() { class } else { format!(" class=\"{class}\"") };
        let text = escape::text(&self.text);
        let _ = if names_row {
            write!(page, "<th scope=\"row\"{class}>{text}</th>")
        } else {
            write!(page, "<td{class}>{text}</td>")
        };
    }
}
