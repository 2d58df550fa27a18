//! A report as one HTML file that needs nothing else: no network, no other file. It reads on a phone and in print, in light and
//! dark; charts are drawn by a script of its own, and what they show stands in tables, too, so that it reads without the script.
//!
//! [`Page`] is the vocabulary from which pages are made; [`run_page`] is the page of a run. The same page gives the same bytes.

use std::fmt::Write as _;
use std::path::Path;

pub use chart::{Axis, Chart, Unit};
pub use kind::{Band, Bars, Dot, Heat, Interval, Kind, Layer, Mark, Series};
pub use run::{RunPage, run_page};
pub use table::{Align, Cell, Column, Table, Tone};

use crate::files::{WriteError, write_whole};

mod chart;
mod charts_of_run;
mod escape;
mod kind;
mod run;
mod table;
mod theme;
mod thin;

const STYLE: &str = include_str!("html/page.css");
/// Parts of one script.
const SCRIPTS: [&str; 3] =
    [include_str!("html/scale.js"), include_str!("html/chart.js"), include_str!("html/page.js")];

/// The browser is told to fetch nothing, whatever the page contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; form-action 'none'";

/// A page.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    /// What it is about.
    pub title: String,
    /// Under what it was made.
    pub under: String,
    /// What a reader must not miss; empty for nothing.
    pub warning: String,
    /// The figures that matter most.
    pub cards: Vec<Card>,
    /// The rest, in order.
    pub sections: Vec<Section>,
    /// The command that gives the same again; empty where there is none.
    pub command: String,
}

/// A figure that matters.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Card {
    /// What it is.
    pub name: String,
    /// Its value with its unit.
    pub value: String,
    /// What to hold it against; empty for nothing.
    pub note: String,
}

impl Card {
    /// A figure with what to hold it against.
    #[must_use]
    pub fn new(name: &str, value: impl Into<String>, note: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.into(), note: note.into() }
    }
}

/// A part of a page: sentences, then charts, then tables, then what may be skipped.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Section {
    /// Its heading; also its entry in the list at the top.
    pub heading: String,
    /// Paragraphs; one that begins with `- ` is an item of a list.
    pub text: Vec<String>,
    /// Charts.
    pub charts: Vec<Chart>,
    /// Tables.
    pub tables: Vec<Table>,
    /// What a reader may skip, a paragraph each.
    pub notes: Vec<String>,
}

impl Section {
    /// A section with nothing in it yet.
    #[must_use]
    pub fn new(heading: &str) -> Self {
        Self { heading: heading.to_owned(), ..Self::default() }
    }
}

/// The page as HTML.
#[must_use]
pub fn render(page: &Page) -> String {
    let title = escape::text(&page.title);
    let under = escape::text(&page.under);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{}{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">To the content</a>\n<header>\n<div><h1>{title}</h1>\n<p class=\"under\">{under}</p></div>\n\
         <button type=\"button\" id=\"theme\" hidden>Auto</button>\n</header>\n",
        theme::css()
    );
    if page.sections.len() > 1 {
        html.push_str("<nav aria-label=\"Sections\"><ul>\n");
        for (index, section) in page.sections.iter().enumerate() {
            let _ = writeln!(
                html,
                "<li><a href=\"#section-{index}\">{}</a></li>",
                escape::text(&section.heading)
            );
        }
        html.push_str("</ul></nav>\n");
    }
    html.push_str("<main id=\"content\">\n");
    if !page.warning.is_empty() {
        let _ = writeln!(html, "<p class=\"warning\">{}</p>", escape::text(&page.warning));
    }
    if !page.cards.is_empty() {
        html.push_str("<dl class=\"cards\" aria-label=\"Key figures\">\n");
        page.cards.iter().for_each(|card| card.write(&mut html));
        html.push_str("</dl>\n");
    }
    html.push_str("<noscript><p class=\"note\">Charts are drawn by a script, which does not run here; tables have their figures.</p></noscript>\n");
    let mut charts = 0;
    for (index, section) in page.sections.iter().enumerate() {
        section.write(index, &mut charts, &mut html);
    }
    if !page.command.is_empty() {
        let command = escape::text(&page.command);
        let _ = writeln!(
            html,
            "<section><h2>To have it again</h2>\n<pre tabindex=\"0\"><code>{command}</code></pre></section>"
        );
    }
    let script = SCRIPTS.join("\n");
    let _ = write!(
        html,
        "</main>\n<script>\n\"use strict\";\n(() => {{\n{script}}})();\n</script>\n</body>\n</html>\n"
    );
    html
}

/// Writes the page to a file: all of it or nothing.
///
/// # Errors
/// Where the folder does not exist or cannot be written.
pub fn write(path: &Path, page: &Page) -> Result<(), WriteError> {
    write_whole(path, render(page).as_bytes())
}

impl Card {
    fn write(&self, html: &mut String) {
        let [name, value, note] = [&self.name, &self.value, &self.note].map(|text| escape::text(text));
        // The unit is smaller than the figure.
        let (figure, unit) = value.split_once(' ').unwrap_or((&value, ""));
        let _ = write!(html, "<div><dt>{name}</dt><dd>{figure} <small>{unit}</small></dd>");
        if !note.is_empty() {
            let _ = write!(html, "<dd class=\"note\">{note}</dd>");
        }
        html.push_str("</div>\n");
    }
}

impl Section {
    fn write(&self, index: usize, charts: &mut usize, html: &mut String) {
        let heading = escape::text(&self.heading);
        let _ = writeln!(html, "<section id=\"section-{index}\"><h2>{heading}</h2>");
        for items in self.text.chunk_by(|a, b| a.starts_with("- ") && b.starts_with("- ")) {
            if items[0].starts_with("- ") {
                html.push_str("<ul class=\"list\">\n");
                for item in items {
                    let _ = writeln!(html, "<li>{}</li>", escape::text(&item[2..]));
                }
                html.push_str("</ul>\n");
            } else {
                items.iter().for_each(|line| {
                    let _ = writeln!(html, "<p>{}</p>", escape::text(line));
                });
            }
        }
        if !self.charts.is_empty() {
            html.push_str("<div class=\"charts\">\n");
            for chart in &self.charts {
                chart.write(*charts, html);
                *charts += 1;
            }
            html.push_str("</div>\n");
        }
        self.tables.iter().for_each(|table| table.write(&self.heading, html));
        for note in &self.notes {
            let _ = writeln!(html, "<p class=\"note\">{}</p>", escape::text(note));
        }
        html.push_str("</section>\n");
    }
}

#[cfg(test)]
mod tests;
