//! Tables of text with aligned columns. Widths are counted in characters: no wide ones are expected.

/// Where a cell stands in its column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows of equally many cells; the first may be a header.
#[derive(Debug)]
pub(crate) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
    header: bool,
}

impl Table {
    pub(crate) fn new(aligns: impl IntoIterator<Item = Align>) -> Self {
        Self { aligns: aligns.into_iter().collect(), rows: Vec::new(), header: false }
    }

    /// Two columns, both to the left.
    pub(crate) fn pairs() -> Self {
        Self::new([Align::Left, Align::Left])
    }

    pub(crate) const fn has_header(&self) -> bool {
        self.header
    }

    pub(crate) fn aligns(&self) -> &[Align] {
        &self.aligns
    }

    /// All rows, the header first where there is one.
    pub(crate) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Sets the first row.
    pub(crate) fn header<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.header = true;
        self.row(cells);
    }

    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| cell.as_ref().to_owned()).collect());
    }

    /// A line for each row, without blanks at its end.
    pub(crate) fn lines(&self) -> Vec<String> {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.aligns.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row
                .iter()
                .zip(self.aligns.iter().zip(&widths))
                .map(|(cell, (align, width))| match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}
