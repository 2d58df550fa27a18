//! What lies on an emulated host's disk: names of models, and blobs that clients sent.
//!
//! A name stands for a profile of the host model. Names come and go (pull, create, copy, delete); the profiles are those
//! that the host was started with, on its disk or in its registry. Of a blob only its digest is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// Models that lie on the disk from the start were changed then: 2026-01-01.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);
/// Most names, and most blobs.
const NAMES_MAX: usize = 10_000;

/// A model on the disk.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Stored {
    /// Its index among the models of the host, which is its id.
    pub(super) profile: usize,
    /// Digest of its manifest, in hexadecimal.
    pub(super) digest: String,
    /// When it came or was changed.
    pub(super) modified: SystemTime,
    /// The model that it was made from, where it was.
    pub(super) parent: String,
    /// What a Modelfile said beyond that: `system`, `template`, `parameters`, `license`.
    pub(super) said: Map<String, Value>,
}

impl Stored {
    /// A model as its maker wrote it.
    pub(super) fn plain(name: &str, profile: usize, modified: SystemTime) -> Self {
        let (digest, said) = (digest_of(name, &Map::new()), Map::new());
        Self { profile, digest, modified, parent: String::new(), said }
    }

    /// The context window that it asks for, where a request does not.
    pub(super) fn num_ctx(&self) -> Option<u32> {
        let tokens = self.said.get("parameters")?.get("num_ctx")?.as_u64()?;
        u32::try_from(tokens).ok().filter(|&tokens| tokens > 0)
    }
}

/// The digest of a model's manifest: the same for the same model on any host.
pub(super) fn digest_of(name: &str, said: &Map<String, Value>) -> String {
    let text = serde_json::to_string(said).expect("maps of JSON are JSON");
    blake3::hash(format!("{name}\n{text}").as_bytes()).to_hex().to_string()
}

/// The disk is full: it holds as many names or blobs as it can.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no space left on device")]
pub(super) struct DiskFull;

/// The disk of a host.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Disk {
    names: BTreeMap<String, Stored>,
    /// Digests of blobs (`sha256:…`).
    blobs: BTreeSet<String>,
}

impl Disk {
    /// A disk with these models, in the order of their indices.
    pub(super) fn with<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let stored = |(profile, name): (usize, &str)| {
            (name.to_owned(), Stored::plain(name, profile, UNIX_EPOCH + BEGINNING))
        };
        Self { names: names.enumerate().map(stored).collect(), blobs: BTreeSet::new() }
    }

    /// The model of a normalised name.
    pub(super) fn find(&self, name: &str) -> Option<&Stored> {
        self.names.get(name)
    }

    /// All models, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.names.iter().map(|(name, stored)| (name.as_str(), stored))
    }

    /// Writes a model; one of that name is replaced.
    ///
    /// # Errors
    /// Where there are too many already.
    pub(super) fn write(&mut self, name: String, stored: Stored) -> Result<(), DiskFull> {
        if self.names.len() >= NAMES_MAX && !self.names.contains_key(&name) {
            return Err(DiskFull);
        }
        self.names.insert(name, stored);
        Ok(())
    }

    /// Takes a model away; whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.names.remove(name).is_some()
    }

    /// Whether a blob was sent.
    pub(super) fn has_blob(&self, digest: &str) -> bool {
        self.blobs.contains(digest)
    }

    /// Keeps a blob's digest.
    ///
    /// # Errors
    /// Where there are too many already.
    pub(super) fn write_blob(&mut self, digest: String) -> Result<(), DiskFull> {
        if self.blobs.len() >= NAMES_MAX && !self.has_blob(&digest) {
            return Err(DiskFull);
        }
        self.blobs.insert(digest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_takes_no_more_than_its_bound() {
        let mut disk = Disk::default();
        for number in 0..NAMES_MAX {
            let stored = Stored::plain("m", 0, UNIX_EPOCH);
            assert_eq!(disk.write(format!("m{number}:latest"), stored), Ok(()));
            assert_eq!(disk.write_blob(format!("sha256:{number}")), Ok(()));
        }
        let again = Stored::plain("m", 0, UNIX_EPOCH);
        assert_eq!(disk.write("m0:latest".into(), again.clone()), Ok(()), "it is there already");
        assert_eq!(disk.write("other:latest".into(), again), Err(DiskFull));
        assert_eq!(disk.write_blob("sha256:other".into()), Err(DiskFull));
        assert!(disk.remove("m0:latest") && !disk.remove("m0:latest"));
    }

    #[test]
    fn what_a_modelfile_says_makes_another_digest() {
        let mut stored = Stored::plain("m:latest", 0, UNIX_EPOCH);
        assert_eq!(stored.num_ctx(), None);
        stored.said.insert("parameters".into(), serde_json::json!({ "num_ctx": 2_048 }));
        assert_eq!(stored.num_ctx(), Some(2_048));
        assert_ne!(digest_of("m:latest", &stored.said), stored.digest);
        assert_eq!(stored.digest.len(), 64);
    }
}
