//! Comma-separated values on one line, their columns found by name.
//!
//! A field may be quoted; a line's end within quotes is not supported, as no trace format here has free text.

use crate::decimal::{self, DecimalError};
use crate::error::{Fault, shown};
use crate::limits::TOKENS_MAX;

/// Where the wanted columns are.
#[derive(Debug)]
pub(crate) struct Columns<const N: usize> {
    /// Position of each wanted column among the fields; `None` for an optional one that is absent.
    positions: [Option<usize>; N],
    names: [&'static str; N],
    /// Columns of the header.
    len: usize,
    fields: Vec<(usize, usize)>,
}

/// A field of a line.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) text: &'a [u8],
    /// Column in bytes, from 1.
    pub(crate) column: usize,
    /// The column's name.
    pub(crate) name: &'static str,
}

impl<const N: usize> Columns<N> {
    /// Finds columns by name in a header; upper and lower case are one. The first `required` must be there.
    pub(crate) fn find(header: &[u8], names: [&'static str; N], required: usize) -> Result<Self, Fault> {
        let mut fields = Vec::new();
        split(header, &mut fields)?;
        let mut positions = [None; N];
        for (position, name) in positions.iter_mut().zip(names) {
            let mut found = fields.iter().enumerate().filter(|&(_, &(start, end))| {
                header[start..end].trim_ascii().eq_ignore_ascii_case(name.as_bytes())
            });
            *position = found.next().map(|(index, _)| index);
            if let Some((_, &(start, _))) = found.next() {
                let found = format!("a second column {name}");
                return Err(Fault::new(start + 1, found, "each column once"));
            }
        }
        if let Some(missing) = positions.iter().take(required).position(Option::is_none) {
            let expected = format!("a header with the column {}", names[missing]);
            return Err(Fault::new(1, shown(header), expected));
        }
        let len = fields.len();
        Ok(Self { positions, names, len, fields })
    }

    /// The wanted fields of a line, in the order in which they were named.
    pub(crate) fn fields<'a>(&mut self, line: &'a [u8]) -> Result<[Option<Field<'a>>; N], Fault> {
        self.fields.clear();
        split(line, &mut self.fields)?;
        if self.fields.len() != self.len {
            let column = self.fields.get(self.len).map_or(line.len(), |&(start, _)| start) + 1;
            let (found, expected) = (self.fields.len(), self.len);
            return Err(Fault::new(
                column,
                format!("{found} fields"),
                format!("{expected}, as in the header"),
            ));
        }
        let mut wanted = [None; N];
        for ((field, position), name) in wanted.iter_mut().zip(self.positions).zip(self.names) {
            *field = position.map(|position| {
                let (start, end) = self.fields[position];
                Field { text: &line[start..end], column: start + 1, name }
            });
        }
        Ok(wanted)
    }
}

impl Field<'_> {
    /// A fault of this field.
    pub(crate) fn fault(&self, expected: &str) -> Fault {
        Fault::new(self.column, format!("{} in {}", shown(self.text), self.name), expected)
    }

    /// The field as a number of tokens.
    pub(crate) fn tokens(&self) -> Result<u32, Fault> {
        match decimal::whole(self.text.trim_ascii()) {
            Ok(value) => u32::try_from(value).ok().filter(|&tokens| tokens <= TOKENS_MAX),
            Err(DecimalError::NotANumber | DecimalError::OutOfRange) => None,
        }
        .ok_or_else(|| self.fault(&format!("a whole number of tokens, at most {TOKENS_MAX}")))
    }

    /// The field as seconds, in nanoseconds.
    pub(crate) fn seconds(&self) -> Result<i128, Fault> {
        decimal::scaled(self.text.trim_ascii(), 9).map_err(|_| self.fault("a number of seconds"))
    }
}

/// Start and end of each field, quotes left out.
fn split(line: &[u8], fields: &mut Vec<(usize, usize)>) -> Result<(), Fault> {
    let mut start = 0;
    loop {
        if line.get(start) == Some(&b'"') {
            let end = closing_quote(line, start + 1)
                .ok_or_else(|| Fault::new(start + 1, "a quote that is never closed", "a closing quote"))?;
            fields.push((start + 1, end));
            match line.get(end + 1) {
                None => return Ok(()),
                Some(b',') => start = end + 2,
                Some(_) => {
                    return Err(Fault::new(
                        end + 2,
                        shown(&line[end + 1..]),
                        "a comma after the closing quote",
                    ));
                }
            }
        } else {
            match line[start..].iter().position(|&b| b == b',') {
                Some(len) => {
                    fields.push((start, start + len));
                    start += len + 1;
                }
                None => {
                    fields.push((start, line.len()));
                    return Ok(());
                }
            }
        }
    }
}

/// The next quote that is not doubled.
fn closing_quote(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += line.get(at..)?.iter().position(|&b| b == b'"')?;
        if line.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(line: &str) -> Vec<&str> {
        let mut fields = Vec::new();
        split(line.as_bytes(), &mut fields).expect("the line is well formed");
        fields.into_iter().map(|(start, end)| &line[start..end]).collect()
    }

    #[test]
    fn quotes_hide_commas() {
        assert_eq!(parts("a,\"b,c\",d"), ["a", "b,c", "d"]);
        assert_eq!(parts("\"a\"\"b\",\"\""), ["a\"\"b", ""]);
        assert_eq!(parts(",,"), ["", "", ""]);
        assert_eq!(parts(""), [""]);
    }

    #[test]
    fn columns_are_found_wherever_they_stand() {
        let mut columns = Columns::find(b"x, B ,a", ["A", "b", "c"], 2).expect("both are there");
        let [a, b, c] = columns.fields(b"1,2,3").expect("three fields");
        assert_eq!(
            (a.map(|f| f.text), b.map(|f| f.text), c.is_none()),
            (Some(&b"3"[..]), Some(&b"2"[..]), true)
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_splitting(line in "[a,\"]{0,12}") {
            let mut fields = Vec::new();
            let _ = split(line.as_bytes(), &mut fields);
            for (start, end) in fields {
                prop_assert!(start <= end && end <= line.len());
            }
        }
    }
}
