//! Which versions of which names there are, and the digest of each: the catalogue of a host or of a fleet.
//!
//! Keys are generic so that their comparisons can be counted; everything but the bench uses [`Version`].

mod fast;
mod naive;

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeBounds;

pub use fast::Radix;
pub use naive::Listed;

use super::version::Version;
use crate::digest::Digest;
use crate::index::Implementation;

/// Names with their versions. Either twin answers alike, in the order of names and versions.
#[derive(Clone, Debug)]
pub enum Store<K = Version> {
    /// [`Radix`].
    Optimised(Radix<K>),
    /// [`Listed`].
    Baseline(Listed<K>),
}

impl<K: Ord> Store<K> {
    /// One without names.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Radix::default()),
            Implementation::Baseline => Self::Baseline(Listed::default()),
        }
    }

    /// How many versions of all names it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Optimised(radix) => radix.len(),
            Self::Baseline(listed) => listed.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the digest of a version; returns the one that was there.
    pub fn insert(&mut self, name: &str, version: K, digest: Digest) -> Option<Digest> {
        match self {
            Self::Optimised(radix) => radix.insert(name, version, digest),
            Self::Baseline(listed) => listed.insert(name, version, digest),
        }
    }

    /// Takes a version out. A name without versions is none.
    pub fn remove(&mut self, name: &str, version: &K) -> Option<Digest> {
        match self {
            Self::Optimised(radix) => radix.remove(name, version),
            Self::Baseline(listed) => listed.remove(name, version),
        }
    }

    /// The digest of a version.
    #[must_use]
    pub fn get(&self, name: &str, version: &K) -> Option<Digest> {
        match self {
            Self::Optimised(radix) => radix.get(name, version),
            Self::Baseline(listed) => listed.get(name, version),
        }
    }

    /// The greatest version of a name.
    #[must_use]
    pub fn latest(&self, name: &str) -> Option<(&K, Digest)> {
        match self {
            Self::Optimised(radix) => radix.latest(name),
            Self::Baseline(listed) => listed.latest(name),
        }
    }

    /// The versions of a name within bounds, the least first; all with `..`, none where the bounds exclude each other.
    #[must_use]
    pub fn range(&self, name: &str, bounds: impl RangeBounds<K>) -> Vec<(&K, Digest)> {
        match self {
            Self::Optimised(radix) => radix.range(name, bounds),
            Self::Baseline(listed) => listed.range(name, bounds),
        }
    }

    /// The names that begin so, in order; all with an empty prefix.
    #[must_use]
    pub fn names(&self, prefix: &str) -> Vec<String> {
        match self {
            Self::Optimised(radix) => radix.names(prefix),
            Self::Baseline(listed) => listed.names(prefix),
        }
    }
}

#[cfg(test)]
mod tests;
