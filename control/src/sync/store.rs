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
use serde::{Deserialize, Serialize, Serializer};

use super::version::Version;
use crate::digest::Digest;
use crate::index::Implementation;

/// Names with their versions. Either twin answers alike, in the order of names and versions, serialises as what it holds, and
/// comes back optimised.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<(String, K, Digest)>", bound(deserialize = "K: Ord + Deserialize<'de>"))]
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

    /// Everything, by name and version.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, &K, Digest)> {
        let of = |name: String| {
            let versions = self.range(&name, ..).into_iter();
            versions.map(move |(version, digest)| (name.clone(), version, digest))
        };
        self.names("").into_iter().flat_map(of).collect()
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

/// Stores are equal where what they hold is.
impl<K: Ord> PartialEq for Store<K> {
    fn eq(&self, other: &Self) -> bool {
        self.entries() == other.entries()
    }
}

impl<K: Ord + Serialize> Serialize for Store<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries().serialize(serializer)
    }
}

impl<K: Ord> TryFrom<Vec<(String, K, Digest)>> for Store<K> {
    type Error = &'static str;

    fn try_from(entries: Vec<(String, K, Digest)>) -> Result<Self, Self::Error> {
        let mut store = Self::new(Implementation::Optimised);
        for (name, version, digest) in entries {
            if store.insert(&name, version, digest).is_some() {
                return Err("a store has a version of a name twice");
            }
        }
        Ok(store)
    }
}

#[cfg(test)]
mod tests;
