//! Reading a trace: the whole file in memory and then its rows, or a row at a time.

use std::io::{Cursor, Read};
use std::path::Path;

use control::draw::Draw;
use traces::input::Input;
use traces::reader::{ReadOptions, Reader};
use traces::row::TraceRow;

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "trace-reading".into(),
        forms: ["the whole file, then all rows, in memory", "a row at a time"],
        operation: "read a trace and sum its tokens",
        scale: "rows",
        claimed: [Complexity::Linear; 2],
        clock: Clock::Cpu,
        counted: None,
        build: Box::new(|case| Box::new(Trace { case })),
    }]
}

struct Trace {
    case: Case,
}

impl Trace {
    /// The same text each time, made as it is read: it takes no memory that would hide what reading takes.
    fn text(&self) -> Text {
        let header = b"TIMESTAMP,ContextTokens,GeneratedTokens\n".to_vec();
        Text { line: Cursor::new(header), draw: self.case.draw(), rows: self.case.scale as u64, row: 0 }
    }
}

impl Subject for Trace {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            if self.case.is_baseline() {
                let mut bytes = Vec::new();
                self.text().read_to_end(&mut bytes).expect("text has no error");
                let rows: Vec<TraceRow> = rows(Box::new(Cursor::new(bytes))).collect();
                sum = rows.iter().fold(sum, add);
            } else {
                sum = rows(Box::new(self.text())).fold(sum, |sum, row| add(sum, &row));
            }
        }
        sum
    }
}

fn rows(text: Box<dyn Read + Send>) -> impl Iterator<Item = TraceRow> {
    let input = Input::new(Path::new("made up"), text).expect("text has no error");
    let reader = Reader::new(input, ReadOptions::default()).expect("it begins as a trace does");
    reader.map(|row| row.expect("every row is one"))
}

fn add(sum: u64, row: &TraceRow) -> u64 {
    sum.wrapping_add(u64::from(row.prompt_tokens) << 20 ^ u64::from(row.output_tokens) ^ row.at.0)
}

/// A trace in the format of Azure's of 2023, ten rows a second.
struct Text {
    line: Cursor<Vec<u8>>,
    draw: Draw,
    rows: u64,
    row: u64,
}

impl Read for Text {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut len = 0;
        while len < into.len() {
            let more = self.line.read(&mut into[len..])?;
            len += more;
            if more > 0 {
                continue;
            }
            if self.row == self.rows {
                break;
            }
            self.next_line()?;
        }
        Ok(len)
    }
}

impl Text {
    fn next_line(&mut self) -> std::io::Result<()> {
        use std::io::Write;
        let tenths = self.row;
        let (day, hour) = (16 + tenths / 864_000, tenths / 36_000 % 24);
        let (minute, second, tenth) = (tenths / 600 % 60, tenths / 10 % 60, tenths % 10);
        let (prompt, output) = (1 + self.draw.below(4_000), 1 + self.draw.below(800));
        let line = self.line.get_mut();
        line.clear();
        writeln!(line, "2023-11-{day:02} {hour:02}:{minute:02}:{second:02}.{tenth}000000,{prompt},{output}")?;
        self.line.set_position(0);
        self.row += 1;
        Ok(())
    }
}
