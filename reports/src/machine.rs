//! What depends on the machine and the way of running: the only file of a run that differs from run to run.

use std::time::Duration;

use serde::Serialize;

use crate::number::ratio;
use crate::stages::StageRow;
use crate::summary::Summary;

/// Facts about one execution.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Machine {
    /// Version of the program.
    pub version: String,
    /// How the batch loop was run: `coalesced` or `stepwise`.
    pub engine: String,
    /// Threads allowed.
    pub threads: u32,
    /// Real time, in seconds.
    pub wall_seconds: f64,
    /// Processor time of the process from its start, all threads, in seconds.
    pub cpu_seconds: f64,
    /// Largest resident memory of the process; `None` where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Events that the engine handled.
    pub events: u64,
    /// Steps of all hosts' batch loops; the same for both engines.
    pub steps: u64,
    /// Events of batch loops: steps, or jumps over several.
    pub boundaries: u64,
    /// Times of control's stages, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageRow>,
}

/// What the caller of a run knows of how it ran; the fields are those of [`Machine`].
#[derive(Clone, PartialEq, Debug, Default)]
#[expect(missing_docs, reason = "the same names as in `Machine`")]
pub struct Execution {
    pub version: String,
    pub engine: String,
    pub threads: u32,
    pub events: u64,
    pub steps: u64,
    pub boundaries: u64,
    pub stages: Vec<StageRow>,
}

/// Marks the start of what a [`Machine`] measures.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    wall: std::time::Instant,
}

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "wall time belongs to machine.json, and this is where it comes from"
    )]
    pub fn start() -> Self {
        Self { wall: std::time::Instant::now() }
    }

    /// Real time since the start.
    #[must_use]
    pub fn wall(&self) -> Duration {
        self.wall.elapsed()
    }

    /// What it took from the start until now, with the process's peak memory.
    #[must_use]
    pub fn stop(&self, execution: Execution) -> Machine {
        let seconds = |span: Duration| ratio(span.as_nanos(), 1_000_000_000, 6).unwrap_or(0.0);
        Machine {
            version: execution.version,
            engine: execution.engine,
            threads: execution.threads,
            wall_seconds: seconds(self.wall()),
            cpu_seconds: seconds(cpu_time()),
            peak_memory_bytes: peak_memory_bytes(),
            events: execution.events,
            steps: execution.steps,
            boundaries: execution.boundaries,
            stages: execution.stages,
        }
    }
}

/// Processor time of the process from its start, all threads.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// The process's largest resident memory (`VmHWM` of `/proc/self/status`); `None` where there is no such file.
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    parse_peak(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

#[derive(Serialize)]
struct Joined<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    #[serde(flatten)]
    machine: &'a Machine,
}

/// Summary and machine as the one object that `--json` prints, on several lines, with a line feed at the end.
#[must_use]
pub fn joined_json(summary: &Summary, machine: &Machine) -> String {
    pretty_json(&Joined { summary, machine })
}

/// JSON on several lines with a line feed at the end, for values that cannot fail to serialise.
#[must_use]
pub fn pretty_json<T: Serialize>(value: &T) -> String {
    let mut text =
        serde_json::to_string_pretty(value).expect("keys are strings and no serialiser of ours fails");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_in_kibibytes() {
        assert_eq!(parse_peak("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"), Some(1_263_616));
        assert_eq!(parse_peak("Name:\tx\n"), None);
    }

    #[test]
    fn processor_time_passes_while_it_computes() {
        let (watch, before) = (Stopwatch::start(), cpu_time());
        let mut value = 1_u64;
        while cpu_time() == before {
            value = std::hint::black_box(value.wrapping_mul(3));
        }
        assert!(watch.stop(Execution { events: 2, ..Execution::default() }).events == 2 && value != 0);
    }
}
