//! What the system says of this process, where it says it in `/proc`.

use std::fs;

/// Memory and open files of this process; `None` where the system has no `/proc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::gateway) struct ProcessFacts {
    pub(in crate::gateway) resident_bytes: u64,
    pub(in crate::gateway) open_descriptors: u64,
}

impl ProcessFacts {
    pub(in crate::gateway) fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
        // One of them is the listing's own.
        let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
        Some(Self { resident_bytes: kibibytes * 1_024, open_descriptors: open as u64 })
    }
}
