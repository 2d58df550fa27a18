//! What a gateway keeps on the disk, opened before it says that it serves: whatever can be wrong there is told at the start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use control::facts::Facts;

use super::config::ServeConfig;
use super::decision_log::{DecisionLog, Keeping};
use super::folder_lock::FolderLock;
use super::keys::Keys;
use super::operator::{self, Operated};
use super::state::StateFolder;
use super::{ServeError, background, remembered};

/// The files that are locked; one folder may be both.
const STATE_LOCK: &str = "state.lock";
const LOG_LOCK: &str = "log.lock";

/// All of it.
pub(super) struct Kept {
    pub(super) folder: Option<StateFolder>,
    pub(super) operated: Operated,
    pub(super) keys: Arc<Keys>,
    /// What answers had taught before.
    pub(super) learned: Option<Facts>,
    pub(super) log: Option<DecisionLog>,
    /// Held until the gateway has ended.
    pub(super) locks: Vec<FolderLock>,
}

impl Kept {
    /// Opens it; with it goes the config that the run begins with.
    pub(super) fn open(file: ServeConfig) -> Result<(ServeConfig, Self), ServeError> {
        let mut locks = Vec::new();
        if let Some(folder) = &file.state_dir {
            locks.push(FolderLock::take("serve.state_dir", folder, STATE_LOCK)?);
        }
        if let Some(folder) = &file.log_dir {
            locks.push(FolderLock::take("serve.log_dir", folder, LOG_LOCK)?);
        }
        let folder = file.state_dir.as_deref().map(StateFolder::open).transpose()?;
        let (config, operated) = operator::at_start(file, folder.as_ref())?;
        let usage = match &folder {
            Some(folder) => folder.read(background::USAGE_FILE)?.unwrap_or_default(),
            None => BTreeMap::new(),
        };
        let keys = Arc::new(Keys::new(&config.keys, &usage));
        let learned = config.log_dir.as_deref().filter(|_| config.remember).and_then(remembered::read);
        let log = match &config.log_dir {
            Some(folder) => {
                let keeping = Keeping {
                    fsync: Duration::from_millis(config.log_fsync_millis),
                    bytes_max: config.log_gib_max << 30,
                };
                Some(DecisionLog::open(folder, config.log_queue_records, keeping)?)
            }
            None => None,
        };
        Ok((config, Self { folder, operated, keys, learned, log, locks }))
    }
}
