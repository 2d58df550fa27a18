//! A report as sections of tables and sentences, before anyone gives it a form: as text here, as a page in [`crate::html`].

use super::table::Table;

/// A heading with what stands below it.
#[derive(Debug)]
pub(crate) struct Section {
    /// The heading.
    pub(crate) heading: String,
    /// What stands below it, in order.
    pub(crate) blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Debug)]
pub(crate) enum Block {
    /// A line by itself.
    Line(String),
    /// What a reader may skip.
    Note(String),
    /// What a reader must not miss.
    Warning(String),
    /// Figures.
    Table(Table),
}

/// Sections in order; what is added goes to the last one.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) sections: Vec<Section>,
    /// Rows of models, hosts and arms, and of events, beyond which the rest is counted only.
    pub(super) limits: Limits,
}

/// How many rows a report shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// Models, hosts and arms.
    pub(crate) rows: usize,
    /// Events.
    pub(crate) events: usize,
}

impl Document {
    pub(super) fn heading(&mut self, heading: &str) {
        self.sections.push(Section { heading: heading.to_owned(), blocks: Vec::new() });
    }

    pub(super) fn line(&mut self, line: &str) {
        self.push(Block::Line(line.to_owned()));
    }

    pub(super) fn note(&mut self, note: &str) {
        self.push(Block::Note(note.to_owned()));
    }

    pub(super) fn warning(&mut self, warning: &str) {
        self.push(Block::Warning(warning.to_owned()));
    }

    pub(super) fn table(&mut self, table: Table) {
        self.push(Block::Table(table));
    }

    /// How many of `len` rows are shown: a line that says "1 more" would take the place of that one.
    pub(super) fn top(&self, len: u64) -> usize {
        let rows = self.limits.rows;
        if len == rows as u64 + 1 { rows + 1 } else { rows }
    }

    fn push(&mut self, block: Block) {
        self.sections.last_mut().expect("a section begins with its heading").blocks.push(block);
    }

    /// As text with a line feed at the end; `colour` adds ANSI escapes.
    pub(super) fn text(&self, colour: bool) -> String {
        let painted = |code: &str, text: &str| {
            if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let mut text = String::new();
        let mut line = |indent: &str, line: &str| {
            text.push_str(indent);
            text.push_str(line);
            text.push('\n');
        };
        for (index, section) in self.sections.iter().enumerate() {
            if index > 0 {
                line("", "");
            }
            line("", &painted("1", &section.heading));
            for block in &section.blocks {
                match block {
                    Block::Line(block) => line("  ", block),
                    Block::Note(block) => line("  ", &painted("2", block)),
                    Block::Warning(block) => line("  ", &painted("1;33", block)),
                    Block::Table(table) => {
                        for (row, cells) in table.lines().into_iter().enumerate() {
                            let header = row == 0 && table.has_header();
                            line("  ", &if header { painted("2", &cells) } else { cells });
                        }
                    }
                }
            }
        }
        text
    }
}
