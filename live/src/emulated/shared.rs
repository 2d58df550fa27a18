//! What the requests of an emulated host have in common.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sim_host::spec::{ModelSpec, Version};

use super::disk::{Disk, Stored};
use super::driver::Handle;
use super::faults::Faults;

/// A host as its requests see it.
pub(super) struct Shared {
    /// The way to the host model.
    pub(super) handle: Handle,
    disk: Mutex<Disk>,
    faults: Mutex<Faults>,
    /// Names that can be pulled, with their index among the host's models.
    pub(super) registry: BTreeMap<String, usize>,
    /// How fast they come, by the wall clock.
    pub(super) pull_bytes_per_second: u64,
    /// Whether only requests for a local `Host` are answered, as by an Ollama that listens on loopback.
    pub(super) local_only: bool,
}

impl Shared {
    pub(super) fn new(
        handle: Handle,
        disk: Disk,
        faults: Faults,
        registry: BTreeMap<String, usize>,
        pull_bytes_per_second: u64,
        local_only: bool,
    ) -> Self {
        let (disk, faults) = (Mutex::new(disk), Mutex::new(faults));
        Self { handle, disk, faults, registry, pull_bytes_per_second, local_only }
    }

    /// The disk. Whoever panicked while holding it left it whole: each change is one call.
    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults; the same holds.
    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose rules it follows.
    pub(super) fn version(&self) -> Version {
        self.handle.spec().version
    }

    /// What a model on the disk is.
    pub(super) fn spec(&self, stored: &Stored) -> &ModelSpec {
        &self.handle.spec().models[stored.profile].profile.model
    }
}
