//! CPU time of the process: machines are shared, so wall time says little.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process so far, in nanoseconds.
#[must_use]
pub fn process_nanos() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
