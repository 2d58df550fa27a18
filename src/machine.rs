//! What a run cost the machine: the figures of `machine.json`, the only results that differ between two runs.

use std::time::{Duration, Instant};

/// Measures from its creation on.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
}

/// What was used so far by the whole process, all threads together.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Usage {
    /// Time on the wall since the stopwatch was made.
    pub wall: Duration,
    /// Processor time since the process began, of the user and the system; `None` where the system does not tell.
    pub cpu: Option<Duration>,
    /// Most memory resident at once, in bytes; `None` where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
}

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a run reads the wall clock, for machine.json"
    )]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// What was used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage { wall: self.elapsed(), cpu: cpu(), peak_memory_bytes: peak_memory_bytes() }
    }

    /// Time on the wall so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(unix)]
fn cpu() -> Option<Duration> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;

    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    u64::try_from(micros).ok().map(Duration::from_micros)
}

#[cfg(not(unix))]
fn cpu() -> Option<Duration> {
    None
}

/// Linux tells it in `/proc`. (Its `getrusage` would count the program that started this one as well.)
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn using_memory_and_time_shows() {
        let watch = Stopwatch::start();
        let before = watch.usage();
        let block: Vec<u64> = (0..8_000_000).collect();
        let sum: u64 = std::hint::black_box(&block).iter().sum();
        assert_eq!(sum, 8_000_000 * 7_999_999 / 2);
        let after = watch.usage();
        assert!(after.wall > before.wall);
        assert!(after.cpu > before.cpu);
        assert!(after.peak_memory_bytes >= Some(64_000_000));
    }
}
