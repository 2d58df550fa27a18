//! The log lines of a program that serves: text on a terminal, JSON elsewhere, on standard error. They are handed to a
//! thread of their own and dropped where nobody reads them, so that a full pipe holds up no request.

use std::io::{self, BufWriter, IsTerminal};
use std::sync::Arc;

use anyhow::{Context, Result};
use live::{LogFormat, SetLogLevel};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, reload};

/// Lines that wait to be written; beyond them some are lost.
const LINES_MAX: usize = 16_384;

/// The variable that holds the filter.
const VARIABLE: &str = "HERDER_LOG";

/// Starts logging; what is returned sets the filter later, and writes what is left when it is dropped.
pub(super) fn start(format: LogFormat) -> Result<(SetLogLevel, WorkerGuard)> {
    let told = std::env::var(VARIABLE).ok().filter(|told| !told.is_empty());
    let filter = told.unwrap_or_else(|| "info".into());
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

/// What lines come under: those of the program, and of the one library that writes some. A target is one of these, or begins with it and `::`.
const TARGETS: [&str; 3] = ["herder", "live", "hyper_util"];

/// A level, or levels by target (`info,herder::request=off`). A word that is neither would be taken for a target of which
/// there are no lines, and nothing would be said any more.
fn read(filter: &str) -> Result<Targets, String> {
    let wrong = |found: &str| {
        format!(
            "found {found:?}, expected error, warn, info, debug, trace or off, or such by target \
             (info,herder::request=off); targets begin with one of {}",
            TARGETS.join(", ")
        )
    };
    for part in filter.split(',') {
        let level = match part.split_once('=') {
            None => part,
            Some((target, level)) => {
                let root = target.split("::").next().unwrap_or(target);
                if !TARGETS.contains(&root) {
                    return Err(wrong(part));
                }
                level
            }
        };
        // Nothing at all would be taken for `error`.
        if level.is_empty() || level.parse::<LevelFilter>().is_err() {
            return Err(wrong(part));
        }
    }
    filter.parse().map_err(|_| wrong(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_level_is_refused_and_silences_nothing() {
        for good in ["warn", "OFF", "info,herder::request=off", "live::gateway::poll=debug,herder=info"] {
            read(good).expect(good);
        }
        for (bad, found) in [
            ("wran", "wran"),
            ("", ""),
            ("info,herder::request", "herder::request"),
            ("herder=wran", "herder=wran"),
            ("info,hreder::request=off", "hreder::request=off"),
        ] {
            let error = read(bad).expect_err(bad);
            assert!(error.starts_with(&format!("found {found:?}, expected error, warn")), "{error}");
        }
    }
}
