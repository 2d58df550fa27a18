//! When requests, or sessions, start: sequences of instants in whole nanoseconds, drawn from streams of their own.

use control::units::{Instant, Nanos};

use crate::check::{RATE_PER_SECOND_MAX, SECONDS_MAX, WorkloadError, nanos, positive, range};
use crate::config::ArrivalsFile;
use crate::sample::{Stream, exponential, gamma, open_unit};

/// A checked arrival process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arrivals {
    Poisson { gap_seconds: f64 },
    Gamma { gap_seconds: f64, shape: f64 },
    OnOff { on: Phase, off: Phase },
    Daily { rate: f64, amplitude: f64, period_seconds: f64, peak_seconds: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Phase {
    rate: f64,
    mean_seconds: f64,
}

impl Arrivals {
    /// Checks what is written. A closed loop and a trace are no sequences of their own.
    pub(crate) fn check(file: &ArrivalsFile) -> Result<Self, WorkloadError> {
        let rate = |key: &str, value| positive(&path(key), value, RATE_PER_SECOND_MAX);
        match file {
            ArrivalsFile::Poisson(file) => {
                let rate = rate("poisson.rate_per_second", file.rate_per_second)?;
                Ok(Self::Poisson { gap_seconds: 1.0 / rate })
            }
            ArrivalsFile::Gamma(file) => {
                let rate = rate("gamma.rate_per_second", file.rate_per_second)?;
                let cv = range(&path("gamma.cv"), file.cv, 0.01, 100.0)?;
                Ok(Self::Gamma { gap_seconds: 1.0 / rate, shape: 1.0 / (cv * cv) })
            }
            ArrivalsFile::OnOff(file) => {
                let on = rate("on_off.on_rate_per_second", file.on_rate_per_second)?;
                let key = path("on_off.off_rate_per_second");
                let off = range(&key, file.off_rate_per_second, 0.0, RATE_PER_SECOND_MAX)?;
                let on_seconds =
                    range(&path("on_off.on_mean_seconds"), file.on_mean_seconds, 1e-6, SECONDS_MAX)?;
                let off_seconds =
                    range(&path("on_off.off_mean_seconds"), file.off_mean_seconds, 1e-6, SECONDS_MAX)?;
                if on * on_seconds + off * off_seconds < 1e-6 {
                    let found = format!(
                        "{} requests in a mean on and off phase",
                        on * on_seconds + off * off_seconds
                    );
                    return Err(WorkloadError::value(path("on_off"), found, "at least 0.000001"));
                }
                Ok(Self::OnOff {
                    on: Phase { rate: on, mean_seconds: on_seconds },
                    off: Phase { rate: off, mean_seconds: off_seconds },
                })
            }
            ArrivalsFile::Daily(file) => {
                let period_seconds =
                    range(&path("daily.period_seconds"), file.period_seconds, 1e-3, SECONDS_MAX)?;
                Ok(Self::Daily {
                    rate: rate("daily.mean_rate_per_second", file.mean_rate_per_second)?,
                    amplitude: range(&path("daily.amplitude_percent"), file.amplitude_percent, 0.0, 100.0)?
                        / 100.0,
                    period_seconds,
                    peak_seconds: range(&path("daily.peak_seconds"), file.peak_seconds, 0.0, period_seconds)?,
                })
            }
            ArrivalsFile::ClosedLoop(_) | ArrivalsFile::Trace(_) => {
                unreachable!("closed loops and traces are checked apart")
            }
        }
    }

    /// Checks that `requests` of them come within a hundred years.
    pub(crate) fn check_span(&self, requests: u64) -> Result<(), WorkloadError> {
        let seconds = requests as f64 / self.mean_rate();
        if seconds <= SECONDS_MAX {
            return Ok(());
        }
        let found = format!("{requests} requests in about {:.0} years", seconds / 31_557_600.0);
        Err(WorkloadError::value("workload.arrivals", found, "at most a hundred years"))
    }

    /// Mean rate over a long time, per second.
    pub(crate) fn mean_rate(&self) -> f64 {
        match *self {
            Self::Poisson { gap_seconds } | Self::Gamma { gap_seconds, .. } => 1.0 / gap_seconds,
            Self::OnOff { on, off } => {
                (on.rate * on.mean_seconds + off.rate * off.mean_seconds)
                    / (on.mean_seconds + off.mean_seconds)
            }
            Self::Daily { rate, .. } => rate,
        }
    }
}

fn path(key: &str) -> String {
    format!("workload.arrivals.{key}")
}

/// The instants of a process, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    process: Process,
    now: Instant,
    gaps: Stream,
}

#[derive(Clone, Debug)]
enum Process {
    Poisson { gap_nanos: f64 },
    Gamma { shape: f64, scale_nanos: f64 },
    OnOff { on: Phase, off: Phase, is_on: bool, until: Instant, phases: Stream },
    Daily { gap_nanos: f64, amplitude: f64, period_nanos: f64, peak_nanos: f64, thinning: Stream },
}

impl Clock {
    pub(crate) fn new(arrivals: &Arrivals, seed: u64) -> Self {
        let process = match *arrivals {
            Arrivals::Poisson { gap_seconds } => Process::Poisson { gap_nanos: gap_seconds * 1e9 },
            Arrivals::Gamma { gap_seconds, shape } => {
                Process::Gamma { shape, scale_nanos: gap_seconds * 1e9 / shape }
            }
            Arrivals::OnOff { on, off } => {
                let mut phases = Stream::new(seed, "arrivals/phases");
                // In the long run, the share of time that is on; so the mean rate holds from the start.
                let is_on = open_unit(&mut phases) < on.mean_seconds / (on.mean_seconds + off.mean_seconds);
                let phase = if is_on { on } else { off };
                let until = Instant::ZERO + nanos(exponential(&mut phases) * phase.mean_seconds);
                Process::OnOff { on, off, is_on, until, phases }
            }
            Arrivals::Daily { rate, amplitude, period_seconds, peak_seconds } => Process::Daily {
                gap_nanos: 1e9 / (rate * (1.0 + amplitude)),
                amplitude,
                period_nanos: period_seconds * 1e9,
                peak_nanos: peak_seconds * 1e9,
                thinning: Stream::new(seed, "arrivals/thinning"),
            },
        };
        Self { process, now: Instant::ZERO, gaps: Stream::new(seed, "arrivals/gaps") }
    }

    /// The next instant; never before the last one.
    #[inline]
    pub(crate) fn tick(&mut self) -> Instant {
        match &mut self.process {
            Process::Poisson { gap_nanos } => {
                self.now = self.now.saturating_add(rounded(exponential(&mut self.gaps) * *gap_nanos));
            }
            Process::Gamma { shape, scale_nanos } => {
                self.now = self.now.saturating_add(rounded(gamma(&mut self.gaps, *shape) * *scale_nanos));
            }
            Process::OnOff { on, off, is_on, until, phases } => loop {
                let phase = if *is_on { *on } else { *off };
                // Without memory, the wait for a request begins anew with each phase.
                let next = if phase.rate > 0.0 {
                    self.now.saturating_add(rounded(exponential(&mut self.gaps) * (1e9 / phase.rate)))
                } else {
                    Instant::MAX
                };
                if next < *until || *until == Instant::MAX {
                    self.now = next;
                    break;
                }
                self.now = *until;
                *is_on = !*is_on;
                let phase = if *is_on { *on } else { *off };
                *until = self.now.saturating_add(rounded(exponential(phases) * phase.mean_seconds * 1e9));
            },
            Process::Daily { gap_nanos, amplitude, period_nanos, peak_nanos, thinning } => loop {
                // Thinning: Lewis and Shedler, "Simulation of nonhomogeneous Poisson processes by thinning" (1979).
                self.now = self.now.saturating_add(rounded(exponential(&mut self.gaps) * *gap_nanos));
                let turn = (self.now.0 as f64 - *peak_nanos) / *period_nanos;
                let rate = 1.0 + *amplitude * libm::cos(core::f64::consts::TAU * turn);
                if open_unit(thinning) * (1.0 + *amplitude) < rate || self.now == Instant::MAX {
                    break;
                }
            },
        }
        self.now
    }
}

/// Nanoseconds, at least 0, to the nearest whole one.
#[inline]
fn rounded(nanos: f64) -> Nanos {
    Nanos((nanos + 0.5) as u64)
}

#[cfg(test)]
mod tests;
