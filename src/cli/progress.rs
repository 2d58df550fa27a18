//! Progress of what takes long, on standard error, only where that is a terminal and it takes longer than two seconds.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sim::simulation::Progress as Point;

use reports::machine::Stopwatch;

/// Shorter runs show nothing.
const SHOW_AFTER: Duration = Duration::from_secs(2);

/// The line that tells how far a run is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    watch: Stopwatch,
    shown: bool,
}

impl Progress {
    /// Nothing is shown yet.
    pub(super) fn new() -> Self {
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()));
        Self { bar, watch: Stopwatch::start(), shown: false }
    }

    /// Shows how far a run is; call it every few thousand events.
    pub(super) fn update(&mut self, point: &Point) {
        self.show(point.ended, point.expected, |elapsed| line(point, elapsed));
    }

    /// Shows how much of a whole is done, with a message made of the time that has passed.
    pub(super) fn show(&mut self, done: u64, of: Option<u64>, message: impl FnOnce(Duration) -> String) {
        let Some(bar) = &self.bar else { return };
        let elapsed = self.watch.wall();
        if elapsed < SHOW_AFTER {
            return;
        }
        if !self.shown {
            self.shown = true;
            let (pattern, len) = match of {
                Some(len) => ("{bar:30} {percent:>3} %  {msg}", len),
                None => ("{spinner} {msg}", 0),
            };
            bar.set_length(len);
            bar.set_style(
                ProgressStyle::with_template(pattern).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        }
        bar.set_position(done);
        bar.set_message(message(elapsed));
    }

    /// Does something that prints, with the line out of its way.
    pub(super) fn above<T>(&self, prints: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(prints),
            None => prints(),
        }
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The same line for several threads, of things that are counted.
pub(super) struct Counted {
    line: Mutex<Progress>,
    what: &'static str,
}

impl Counted {
    /// Nothing is shown yet; `what` is what is counted.
    pub(super) fn new(what: &'static str) -> Self {
        Self { line: Mutex::new(Progress::new()), what }
    }

    /// So many were there before, so many are done since; of how many, where that is known.
    pub(super) fn show(&self, before: u64, since: u64, of: Option<u64>) {
        let (done, what) = (before + since, self.what);
        let told = |elapsed: Duration| match of {
            None => format!("{done} {what} in {}", span(elapsed.as_secs())),
            Some(of) => {
                let each = elapsed.as_secs_f64() / since.max(1) as f64;
                format!(
                    "{done} of {of} {what}, {} left",
                    span((each * of.saturating_sub(done) as f64) as u64)
                )
            }
        };
        // Where another thread broke off, its error is what matters.
        if let Ok(mut line) = self.line.lock() {
            line.show(done, of, told);
        }
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        if let Ok(line) = self.line.lock() {
            line.finish();
        }
    }
}

fn line(point: &Point, elapsed: Duration) -> String {
    let millis = elapsed.as_millis().max(1);
    let per_second = u128::from(point.ended) * 1_000 / millis;
    let mut line = format!(
        "simulated {}  {} arrived, {} ended, {per_second} requests/s",
        span(point.now.0 / 1_000_000_000),
        point.arrived,
        point.ended
    );
    if let Some(left) =
        point.expected.map(|requests| requests.saturating_sub(point.ended)).filter(|_| per_second > 0)
    {
        line.push_str(&format!(", {} left", span((u128::from(left) / per_second) as u64)));
    }
    line
}

/// A span of time as a person says it: `1 h 02 min`, `3 min 20 s`, `45 s`.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use control::units::Instant;

    use super::*;

    #[test]
    fn line_tells_time_rate_and_rest() {
        let at = |expected| Point { now: Instant(3_720_000_000_000), arrived: 1_200, ended: 1_000, expected };
        assert_eq!(
            line(&at(Some(2_000)), Duration::from_secs(4)),
            "simulated 1 h 02 min  1200 arrived, 1000 ended, 250 requests/s, 4 s left"
        );
        assert_eq!(
            line(&at(None), Duration::from_secs(4)),
            "simulated 1 h 02 min  1200 arrived, 1000 ended, 250 requests/s"
        );
    }
}
