//! ServeGen: clients that are described, not traced. A folder holds a pair of files for each client: `chunk-N-trace.csv`
//! tells its rate and how bursty it is, window by window of ten minutes, `chunk-N-dataset.json` how long its prompts and
//! answers are. Rows are drawn from that, keyed by (seed, client, window): the same for a seed on every machine, and
//! none of them is a request that there was.
//!
//! In each window a client's requests are a stationary renewal process at the window's rate whose gaps have the file's
//! family and shape (the file's scale is not used: where the fit and the counted rate differ, the rate holds). So the
//! expected number of requests is rate × length in each window, however bursty. Prompt and answer are drawn apart from
//! each other, as the file tells nothing of both together. Times count from the first window's start, so that a day's
//! profile stays where it is. `reason_ratio` is not read. Source: the README and the data of alibaba/ServeGen, and its paper
//! (Xiang et al., NSDI 2026).
//!
//! Memory is that of the descriptions, bounded by the limits in [`crate::limits`]; clients are merged as they go.

mod client;
mod gaps;
mod lengths;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

use control::units::Instant;

use crate::error::{BadRow, TraceError};
use crate::limits::CLIENTS_MAX;
use crate::row::TraceRow;
use client::{Client, Requests};

/// Ends of the files' names.
const TRACE_END: &str = "-trace.csv";
const DATASET_ENDS: [&str; 3] = ["-dataset.json", "-dataset.json.gz", "-dataset.json.zst"];

/// The rows that a folder and a seed give.
pub(crate) struct Drawn {
    folder: PathBuf,
    clients: Vec<(Client, Requests)>,
    /// When each client's next request comes, the earliest first; of several at once the one of the lowest client.
    next: BinaryHeap<Reverse<(Instant, usize)>>,
    rows: u64,
}

impl Drawn {
    /// Whether a folder holds descriptions of clients.
    pub(crate) fn is_folder(path: &Path) -> bool {
        numbers(path).is_ok_and(|numbers| !numbers.is_empty())
    }

    /// Reads a folder.
    pub(crate) fn open(folder: &Path, seed: u64) -> Result<Self, TraceError> {
        let numbers = numbers(folder).map_err(|source| TraceError::Io { file: folder.to_owned(), source })?;
        let wrong = |found: String, expected: String| {
            let file = folder.display().to_string();
            TraceError::Bad(Box::new(BadRow { file, line: 1, column: 1, found, expected }))
        };
        if numbers.is_empty() || numbers.len() > CLIENTS_MAX {
            let expected = format!("1 to {CLIENTS_MAX} files chunk-N{TRACE_END}, one a client");
            return Err(wrong(format!("{} of them", numbers.len()), expected));
        }
        let mut clients = Vec::with_capacity(numbers.len());
        for number in numbers {
            let stem = format!("chunk-{number}");
            let dataset = DATASET_ENDS.iter().map(|end| folder.join(format!("{stem}{end}")));
            let dataset = dataset.into_iter().find(|path| path.is_file()).ok_or_else(|| {
                wrong(format!("{stem}{TRACE_END} alone"), format!("{stem}{} beside it", DATASET_ENDS[0]))
            })?;
            clients.push(Client::open(number, &folder.join(format!("{stem}{TRACE_END}")), &dataset)?);
        }
        let first = clients.iter().filter_map(Client::starts).min().unwrap_or_default();
        let clients: Vec<_> = clients
            .into_iter()
            .map(|client| {
                let requests = Requests::new(seed, first);
                (client, requests)
            })
            .collect();
        let mut drawn = Self { folder: folder.to_owned(), clients, next: BinaryHeap::new(), rows: 0 };
        for index in 0..drawn.clients.len() {
            drawn.advance(index);
        }
        Ok(drawn)
    }

    /// The folder.
    pub(crate) fn file(&self) -> &Path {
        &self.folder
    }

    /// Finds a client's next request.
    fn advance(&mut self, index: usize) {
        let (client, requests) = &mut self.clients[index];
        if let Some(at) = requests.advance(client) {
            self.next.push(Reverse((at, index)));
        }
    }
}

impl Iterator for Drawn {
    type Item = TraceRow;

    fn next(&mut self) -> Option<TraceRow> {
        let Reverse((at, index)) = self.next.pop()?;
        let (client, requests) = &mut self.clients[index];
        let (prompt_tokens, output_tokens) = requests.lengths(client);
        self.advance(index);
        self.rows += 1;
        Some(TraceRow {
            line: self.rows,
            at,
            model: None,
            session: None,
            prompt_tokens,
            output_tokens,
            blocks: None,
            asked: None,
        })
    }
}

/// Numbers of the clients that a folder describes, in order.
fn numbers(folder: &Path) -> std::io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("chunk-")?.strip_suffix(TRACE_END));
        // A number that is written another way (007) is not the name of a file that is looked for.
        numbers.extend(
            number.and_then(|text| text.parse().ok().filter(|number: &u64| number.to_string() == text)),
        );
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests;
