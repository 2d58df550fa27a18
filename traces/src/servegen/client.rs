//! One client: what its two files say, and its requests in order of time.

use std::io::Read;
use std::path::Path;

use control::units::Instant;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::gaps::{Family, Gaps};
use super::lengths::Lengths;
use crate::columns::{Columns, Field};
use crate::decimal;
use crate::error::{BadRow, Fault, TraceError};
use crate::input::Input;
use crate::keyed::{Purpose, bits, bits2};
use crate::limits::{DATASET_BYTES_MAX, WINDOWS_MAX};
use crate::lines::Lines;

/// Columns of a client's rates; the files have no header.
const NAMES: [&str; 6] = ["start", "rate", "cv", "family", "parameter 1", "parameter 2"];
const HEADER: &[u8] = b"start,rate,cv,family,parameter 1,parameter 2";

/// Length of a window where nothing follows that tells it.
const WINDOW_NANOS: u64 = 600_000_000_000;

/// Latest start of a window: a hundred years.
const START_NANOS_MAX: i128 = 100 * 366 * 86_400 * 1_000_000_000;

/// Largest rate, per second.
const RATE_MAX: f64 = 1e6;

/// What is known of a client.
pub(super) struct Client {
    number: u64,
    windows: Vec<Window>,
    /// Lengths from a time on, those without any left out.
    lengths: Vec<(u64, Lengths)>,
}

/// One window: from `start` to the next one's start.
struct Window {
    start: u64,
    nanos: u64,
    rate: f64,
    family: Family,
}

/// What a dataset tells of one window.
#[derive(Deserialize)]
struct Dataset {
    input_tokens: String,
    output_tokens: String,
}

impl Client {
    pub(super) fn open(number: u64, trace: &Path, dataset: &Path) -> Result<Self, TraceError> {
        let windows = windows(trace)?;
        let lengths = lengths(dataset)?;
        if lengths.is_empty() && windows.iter().any(|window| window.rate > 0.0) {
            let fault = Fault::new(
                1,
                "no lengths in any window",
                "input_tokens and output_tokens of a client that sends",
            );
            return Err(TraceError::Bad(Box::new(fault.at(dataset, 1))));
        }
        Ok(Self { number, windows, lengths })
    }

    /// When its first window starts, in nanoseconds.
    pub(super) fn starts(&self) -> Option<u64> {
        self.windows.first().map(|window| window.start)
    }

    /// The lengths that hold at a time: the last ones told until then, else the first ones.
    fn lengths_at(&self, at: u64) -> &Lengths {
        let later = self.lengths.partition_point(|&(start, _)| start <= at);
        &self.lengths[later.saturating_sub(1)].1
    }
}

/// The requests of a client, one after the other.
pub(super) struct Requests {
    seed: u64,
    /// Start of the first window of all clients: time 0.
    base: u64,
    /// Windows begun, and the process of the last of them.
    begun: usize,
    gaps: Option<Gaps>,
    lengths_state: u64,
    /// Requests of this window whose lengths were drawn.
    drawn: u64,
}

impl Requests {
    pub(super) const fn new(seed: u64, base: u64) -> Self {
        Self { seed, base, begun: 0, gaps: None, lengths_state: 0, drawn: 0 }
    }

    /// The next request's time; `None` at the end.
    pub(super) fn advance(&mut self, client: &Client) -> Option<Instant> {
        loop {
            if let (Some(gaps), Some(window)) = (&mut self.gaps, self.begun.checked_sub(1)) {
                let window = &client.windows[window];
                // Float to integer saturates; what is beyond the window's end is not used.
                let nanos = (gaps.next_seconds() * 1e9) as u64;
                if nanos < window.nanos {
                    return Some(Instant(window.start - self.base + nanos));
                }
                self.gaps = None;
            }
            let window = client.windows.get(self.begun)?;
            let key = self.begun as u64;
            self.begun += 1;
            if window.rate > 0.0 {
                let state = bits2(self.seed, Purpose::Gap, client.number, key);
                self.gaps = Some(Gaps::new(window.family, window.rate, state));
                self.lengths_state = bits2(self.seed, Purpose::Length, client.number, key);
                self.drawn = 0;
            }
        }
    }

    /// Tokens of prompt and answer of the request that [`Requests::advance`] told last.
    pub(super) fn lengths(&mut self, client: &Client) -> (u32, u32) {
        let start = client.windows[self.begun - 1].start;
        let [prompt, output] = [2 * self.drawn, 2 * self.drawn + 1]
            .map(|index| bits(self.lengths_state, Purpose::Length, index));
        self.drawn += 1;
        client.lengths_at(start).pick(prompt, output)
    }
}

fn windows(path: &Path) -> Result<Vec<Window>, TraceError> {
    let mut lines = Lines::new(Input::open(path)?);
    let mut columns = Columns::find(HEADER, NAMES, NAMES.len())
        .expect("the header is written in this file, with these names");
    let mut windows: Vec<Window> = Vec::new();
    while lines.advance()? {
        let window = window(&mut columns, lines.line()).and_then(|window| {
            if windows.len() == WINDOWS_MAX {
                return Err(Fault::new(1, "one more window", format!("at most {WINDOWS_MAX}")));
            }
            match windows.last_mut() {
                Some(last) if window.start <= last.start => Err(Fault::new(
                    1,
                    "a window that does not start after the one before",
                    "windows in order",
                )),
                Some(last) => {
                    last.nanos = window.start - last.start;
                    Ok(Window { nanos: last.nanos, ..window })
                }
                None => Ok(window),
            }
        });
        match window {
            Ok(window) => windows.push(window),
            Err(fault) => return Err(TraceError::Bad(Box::new(fault.at(path, lines.number())))),
        }
    }
    Ok(windows)
}

fn window(columns: &mut Columns<6>, line: &[u8]) -> Result<Window, Fault> {
    let [start, rate, _, family, first, second] =
        columns.fields(line)?.map(|field| field.expect("the header has all columns"));
    let nanos = start.seconds()?;
    let at = (0..=START_NANOS_MAX).contains(&nanos).then_some(nanos as u64);
    let at = at.ok_or_else(|| start.fault("seconds from 0 to a hundred years"))?;
    let per_second = number(rate).filter(|rate| (0.0..=RATE_MAX).contains(rate));
    let per_second = per_second.ok_or_else(|| rate.fault("requests per second, 0 to 1000000"))?;
    let shape = |field: Field<'_>| {
        let shape = number(field).filter(|shape| (1e-3..=1e6).contains(shape));
        shape.ok_or_else(|| field.fault("the shape of a distribution, 0.001 to 1000000"))
    };
    let kind = match family.text.trim_ascii() {
        _ if per_second == 0.0 => Family::Exponential,
        b"" | b"Exponential" => Family::Exponential,
        b"Gamma" => Family::Gamma { shape: shape(first)? },
        b"Weibull" => Family::Weibull { shape: shape(first)? },
        _ => return Err(family.fault("Gamma, Weibull, Exponential or nothing")),
    };
    // The scale is checked, though the rate decides: a row that has none is damaged.
    if number(second).is_none() {
        return Err(second.fault("a number"));
    }
    Ok(Window { start: at, nanos: WINDOW_NANOS, rate: per_second, family: kind })
}

fn number(field: Field<'_>) -> Option<f64> {
    std::str::from_utf8(field.text.trim_ascii()).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

fn lengths(path: &Path) -> Result<Vec<(u64, Lengths)>, TraceError> {
    let mut input = Input::open(path)?;
    let mut text = Vec::new();
    let read = input.reader().take(DATASET_BYTES_MAX as u64 + 1).read_to_end(&mut text);
    if let Err(source) = read {
        return Err(input.error(source, 0));
    }
    let bad = |line: u64, column: u64, found: String, expected: String| {
        let file = path.display().to_string();
        TraceError::Bad(Box::new(BadRow { file, line, column, found, expected }))
    };
    if text.len() > DATASET_BYTES_MAX {
        let expected = format!("at most {DATASET_BYTES_MAX} bytes for a client");
        return Err(bad(1, 1, "more".to_owned(), expected));
    }
    let windows: BTreeMap<String, Dataset> = serde_json::from_slice(&text).map_err(|error| {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        let expected = "an object of windows, each with input_tokens and output_tokens as text";
        bad(error.line().max(1) as u64, error.column().max(1) as u64, what, expected.to_owned())
    })?;
    let mut lengths = Vec::new();
    for (start, window) in &windows {
        let at = decimal::scaled(start.as_bytes(), 9).ok().and_then(|at| u64::try_from(at).ok());
        let at =
            at.ok_or_else(|| bad(1, 1, format!("{start:?}"), "a window's start in seconds".to_owned()))?;
        let place = |key: &'static str| {
            move |(found, expected): (String, &'static str)| {
                bad(1, 1, format!("{found} in {key} of window {start}"), expected.to_owned())
            }
        };
        let read = Lengths::read(&window.input_tokens, &window.output_tokens)
            .map_err(|(key, found, expected)| place(key)((found, expected)))?;
        lengths.extend(read.map(|read| (at, read)));
    }
    lengths.sort_by_key(|&(start, _)| start);
    Ok(lengths)
}
