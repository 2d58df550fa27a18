//! Rows that share a coarse stamp, spread over the tick that the stamp stands for.
//!
//! Rows at one stamp are held until the next stamp is seen: they are spread over the shorter of the tick and the
//! time until then, so their order never changes.

use std::collections::VecDeque;
use std::path::Path;

use control::units::{Instant, Nanos};

use crate::error::TraceError;
use crate::keyed::{Purpose, bits, scale};
use crate::limits::TICK_ROWS_MAX;
use crate::options::{Spread, SpreadBy};
use crate::row::TraceRow;

/// Rows on their way through.
pub(super) struct Spreader {
    spread: Spread,
    seed: u64,
    /// Rows with one stamp, in order.
    group: Vec<TraceRow>,
    ready: VecDeque<TraceRow>,
}

impl Spreader {
    pub(super) fn new(spread: Spread, seed: u64) -> Result<Self, TraceError> {
        if spread.tick == Nanos::ZERO {
            let expected = "a tick longer than nothing";
            return Err(TraceError::Option { option: "spread_ticks", found: "0".to_owned(), expected });
        }
        Ok(Self { spread, seed, group: Vec::new(), ready: VecDeque::new() })
    }

    pub(super) fn pop(&mut self) -> Option<TraceRow> {
        self.ready.pop_front()
    }

    /// Takes the next row in order of time.
    pub(super) fn push(&mut self, row: TraceRow, file: &Path) -> Result<(), TraceError> {
        if let Some(first) = self.group.first() {
            let gap = row.at.since(first.at);
            if gap > Nanos::ZERO {
                self.release(gap.min(self.spread.tick));
            } else if self.group.len() == TICK_ROWS_MAX {
                let (file, line) = (file.to_owned(), row.line);
                return Err(TraceError::TickTooFull { file, line, limit: TICK_ROWS_MAX });
            }
        }
        self.group.push(row);
        Ok(())
    }

    /// No row follows.
    pub(super) fn end(&mut self) {
        self.release(self.spread.tick);
    }

    fn release(&mut self, span: Nanos) {
        let len = self.group.len() as u64;
        let mut offsets: Vec<u64> = match self.spread.by {
            SpreadBy::Evenly => (0..len)
                .map(|index| (u128::from(index) * u128::from(span.0) / u128::from(len)) as u64)
                .collect(),
            SpreadBy::Chance => self
                .group
                .iter()
                .map(|row| scale(bits(self.seed, Purpose::Spread, row.line), span.0))
                .collect(),
        };
        offsets.sort_unstable();
        for (row, offset) in self.group.drain(..).zip(offsets) {
            self.ready.push_back(TraceRow { at: Instant(row.at.0 + offset), ..row });
        }
    }
}
