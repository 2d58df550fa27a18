//! The log lines of a program that serves: text on a terminal, JSON elsewhere, on standard error. They are handed to a
//! thread of their own and dropped where nobody reads them, so that a full pipe holds up no request.

use std::io::{self, BufWriter, IsTerminal};
use std::sync::Arc;

use anyhow::{Context, Result};
use live::{LogFormat, SetLogLevel};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, reload};

/// Lines that wait to be written; beyond them some are lost.
const LINES_MAX: usize = 16_384;

/// The variable that holds the filter.
const VARIABLE: &str = "HERDER_LOG";

/// Starts logging; what is returned sets the filter later, and writes what is left when it is dropped.
pub(super) fn start(format: LogFormat) -> Result<(SetLogLevel, WorkerGuard)> {
    let filter = std::env::var(VARIABLE).unwrap_or_else(|_| "info".into());
    let filter = read(&filter).map_err(anyhow::Error::msg).context(VARIABLE)?;
    // The thread flushes whenever nothing more waits.
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_MAX)
        .finish(BufWriter::new(io::stderr()));
    let json = match format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let lines = if json { lines.json().flatten_event(true).boxed() } else { lines.boxed() };
    let (filter, handle) = reload::Layer::new(filter);
    tracing_subscriber::registry().with(filter).with(lines).try_init().context("logging is set up twice")?;
    let set: SetLogLevel = Arc::new(move |filter| {
        let filter = read(filter)?;
        handle.reload(filter).map_err(|error| error.to_string())
    });
    Ok((set, guard))
}

/// A level, or levels by target (`info,herder::request=off`).
fn read(filter: &str) -> Result<Targets, String> {
    filter.parse().map_err(|error| {
        format!("expected error, warn, info, debug, trace or off, or such by target (info,herder::request=off): {error}")
    })
}
