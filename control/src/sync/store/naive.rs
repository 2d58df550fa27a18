//! The plain twin: a list, walked through for every question.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeBounds;

use crate::digest::Digest;

/// Names with versions in a list, in no order.
#[derive(Clone, Debug)]
pub struct Listed<K> {
    entries: Vec<(String, K, Digest)>,
}

impl<K> Default for Listed<K> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: Ord> Listed<K> {
    /// How many versions of all names it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes the digest of a version; returns the one that was there.
    pub fn insert(&mut self, name: &str, version: K, digest: Digest) -> Option<Digest> {
        let before = self.remove(name, &version);
        self.entries.push((name.into(), version, digest));
        before
    }

    /// Takes a version out.
    pub fn remove(&mut self, name: &str, version: &K) -> Option<Digest> {
        self.find(name, version).map(|at| self.entries.swap_remove(at).2)
    }

    /// The digest of a version.
    #[must_use]
    pub fn get(&self, name: &str, version: &K) -> Option<Digest> {
        self.find(name, version).map(|at| self.entries[at].2)
    }

    /// The greatest version of a name.
    #[must_use]
    pub fn latest(&self, name: &str) -> Option<(&K, Digest)> {
        self.of(name).max_by(|ours, theirs| ours.0.cmp(theirs.0))
    }

    /// The versions of a name within bounds, the least first.
    #[must_use]
    pub fn range(&self, name: &str, bounds: impl RangeBounds<K>) -> Vec<(&K, Digest)> {
        let mut found: Vec<_> = self.of(name).filter(|(version, _)| bounds.contains(version)).collect();
        found.sort_by(|ours, theirs| ours.0.cmp(theirs.0));
        found
    }

    /// The names that begin so, in order.
    #[must_use]
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let names = self.entries.iter().map(|(name, ..)| name);
        let mut found: Vec<String> = names.filter(|name| name.starts_with(prefix)).cloned().collect();
        found.sort();
        found.dedup();
        found
    }

    fn of(&self, name: &str) -> impl Iterator<Item = (&K, Digest)> {
        self.entries
            .iter()
            .filter(move |(other, ..)| other == name)
            .map(|(_, version, digest)| (version, *digest))
    }

    fn find(&self, name: &str, version: &K) -> Option<usize> {
        self.entries
            .iter()
            .position(|(other_name, other, _)| other_name == name && other.cmp(version).is_eq())
    }
}
