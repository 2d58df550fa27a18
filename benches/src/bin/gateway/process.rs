//! CPU time and memory of processes that others started, and what the whole machine was busy with.

use std::fs;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};

/// A process with its children as they were found: a proxy may keep a master beside its worker.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Group {
    pids: Vec<u32>,
}

impl Group {
    /// The process and its children.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut pids = vec![pid];
        for entry in fs::read_dir("/proc").context("processes can be watched on Linux only")? {
            let Some(other) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // One that has ended meanwhile is nobody's child.
            let status = fs::read_to_string(format!("/proc/{other}/status")).unwrap_or_default();
            if field(&status, "PPid:") == Some(pid) {
                pids.push(other);
            }
        }
        Ok(Self { pids })
    }

    /// CPU time so far, of all threads, in user and kernel mode.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        self.pids.iter().map(|&pid| process_cpu(pid)).sum()
    }

    /// Resident memory now, in bytes; what processes share counts for each.
    pub(crate) fn resident_bytes(&self) -> io::Result<u64> {
        let mut sum = 0;
        for pid in &self.pids {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            sum += field::<u64>(&status, "VmRSS:").unwrap_or(0) << 10;
        }
        Ok(sum)
    }
}

/// The first number after a name, in a file of lines.
fn field<T: FromStr>(text: &str, name: &str) -> Option<T> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(target_os = "linux")]
fn process_cpu(pid: u32) -> io::Result<Duration> {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    Ok(nix::time::clock_getcpuclockid(pid)?.now()?.into())
}

#[cfg(not(target_os = "linux"))]
fn process_cpu(_: u32) -> io::Result<Duration> {
    Err(io::ErrorKind::Unsupported.into())
}

/// CPU time that the whole machine was busy with, by anyone, since it started; in steps of 10 ms.
pub(crate) fn machine_busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let line =
        text.strip_prefix("cpu ").and_then(|rest| rest.lines().next()).context("/proc/stat: no cpu")?;
    let ticks: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    // user, nice, system, idle, iowait, irq, softirq
    let busy = ticks.iter().take(7).sum::<u64>() - ticks.iter().skip(3).take(2).sum::<u64>();
    Ok(Duration::from_millis(busy * 10))
}

/// Load averages as the system words them.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "Name:\tx\nVmPeak:\t 9 kB\nVmRSS:\t  1234 kB\n";
        assert_eq!(field(status, "VmRSS:"), Some(1_234));
        assert_eq!(field::<u64>(status, "VmSwap:"), None);
    }
}
