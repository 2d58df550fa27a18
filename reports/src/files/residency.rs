//! `residency.csv`: which models came into the memory of which hosts and went, and how many hosts had each then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use control::ids::ModelId;
use control::units::Bytes;
use traces::record::Sample;

use super::{RowFile, WriteError};
use crate::metrics::MetricsSpec;
use crate::tables::RESIDENCY;

/// Writes `residency.csv`: a row for each model on each host whose memory is another than at the sample before, in order of time and
/// host. `memory_bytes` is 0 where the model has gone; `replicas` are the hosts that have it after this row.
#[derive(Debug)]
pub struct ResidencyCsv {
    file: RowFile,
    names: MetricsSpec,
    /// What was in memory at the last sample, by host.
    loaded: Vec<Vec<(ModelId, Bytes)>>,
    replicas: BTreeMap<ModelId, u32>,
}

impl ResidencyCsv {
    /// Begins `residency.csv` in the folder `dir`, which must exist.
    ///
    /// # Errors
    /// Where no file can be created there.
    pub fn create(dir: &Path, spec: &MetricsSpec) -> Result<Self, WriteError> {
        Ok(Self {
            file: RowFile::create(dir, &RESIDENCY)?,
            names: spec.clone(),
            loaded: vec![Vec::new(); spec.hosts.len()],
            replicas: BTreeMap::new(),
        })
    }

    /// Appends what is another than at the sample before.
    ///
    /// # Errors
    /// Where the disk takes no more; the file then ends after its last whole row.
    pub fn write(&mut self, sample: &Sample) -> Result<(), WriteError> {
        let Self { file, names, loaded, replicas } = self;
        for host in &sample.hosts {
            if host.host.index() >= loaded.len() {
                loaded.resize(host.host.index() + 1, Vec::new());
            }
            let before = &mut loaded[host.host.index()];
            for (model, bytes) in changes(before, &host.loaded) {
                let had = before.iter().any(|(other, bytes)| *other == model && *bytes > Bytes::ZERO);
                let count = replicas.entry(model).or_default();
                *count = *count + u32::from(bytes > Bytes::ZERO) - u32::from(had);
                file.row(|row| {
                    row.seconds(sample.at.0).text(&names.host_name(host.host));
                    row.text(&names.model_name(model)).integer(bytes.0).integer(*count);
                })?;
            }
            before.clone_from(&host.loaded);
        }
        Ok(())
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

/// Models that went, with no bytes, then those that came or take other memory; each list is in order of model.
fn changes(before: &[(ModelId, Bytes)], after: &[(ModelId, Bytes)]) -> Vec<(ModelId, Bytes)> {
    let stays = |model: ModelId| after.iter().any(|(other, _)| *other == model);
    let gone = before.iter().filter(|(model, _)| !stays(*model)).map(|(model, _)| (*model, Bytes::ZERO));
    let came = after.iter().filter(|entry| !before.contains(entry)).copied();
    gone.chain(came).collect()
}
