//! `timeline.csv`: a row for each sample of the fleet. Counters run from the start of the run.

use std::path::{Path, PathBuf};

use traces::record::{HostSample, Sample};

use super::{RowFile, WriteError};
use crate::tables::TIMELINE;

/// Writes `timeline.csv`: sums over the hosts; `busy_s` adds up host-seconds, `replicas` are models loaded or loading.
#[derive(Debug)]
pub struct TimelineCsv {
    file: RowFile,
}

impl TimelineCsv {
    /// Begins `timeline.csv` in the folder `dir`, which must exist.
    ///
    /// # Errors
    /// Where no file can be created there.
    pub fn create(dir: &Path) -> Result<Self, WriteError> {
        Ok(Self { file: RowFile::create(dir, &TIMELINE)? })
    }

    /// Appends a sample.
    ///
    /// # Errors
    /// Where the disk takes no more; the file then ends after its last whole row.
    pub fn write(&mut self, sample: &Sample) -> Result<(), WriteError> {
        let sum = |of: fn(&HostSample) -> u64| sample.hosts.iter().map(of).sum::<u64>();
        self.file.row(|row| {
            row.seconds(sample.at.0).integer(sample.queued).integer(sample.in_flight);
            row.integer(sample.arrived).integer(sample.finished);
            row.integer(sum(|host| host.requests.into())).integer(sum(|host| host.running.into()));
            row.seconds(sum(|host| host.busy_nanos)).integer(sum(|host| host.loaded.len() as u64));
            row.integer(sum(|host| host.loaded.iter().map(|(_, bytes)| bytes.0).sum()));
            row.integer(sum(|host| host.output_tokens)).integer(sum(|host| host.prompt_tokens));
            row.integer(sum(|host| host.cached_tokens)).integer(sum(|host| host.loads));
            row.integer(sum(|host| host.evictions));
            for tier in 0..4 {
                row.integer(sample.hosts.iter().map(|host| host.tier_hits[tier]).sum::<u64>());
            }
            row.integer(sample.hosts_on);
        })
    }

    /// Writes what is buffered and gives the file its name, which is returned. Dropping does the same, without a word
    /// where it fails.
    ///
    /// # Errors
    /// Where the disk takes no more; whole rows are kept.
    pub fn finish(self) -> Result<PathBuf, WriteError> {
        self.file.finish()
    }
}
