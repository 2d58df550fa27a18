//! The plain twin: all digests in a map, all compared; its root is the definition, worked out anew.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::{Change, Compared, Difference, FAN_OUT, branch, inner_hash, leaf_hash, path};
use crate::digest::Digest;
use crate::index::vocabulary::FilterCounters;

/// Keys with digests in a map.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    digests: BTreeMap<String, Digest>,
    asked: u64,
}

impl Listed {
    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Writes the digest of a key; returns the one that was there.
    pub fn set(&mut self, key: &str, digest: Digest) -> Option<Digest> {
        self.digests.insert(key.into(), digest)
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Digest> {
        self.digests.remove(key)
    }

    /// The digest of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Digest> {
        self.digests.get(key).copied()
    }

    /// Whether a key has exactly this digest; counted.
    pub fn holds(&mut self, key: &str, digest: Digest) -> bool {
        self.asked += 1;
        self.get(key) == Some(digest)
    }

    /// What it was asked.
    #[must_use]
    pub fn counters(&self) -> FilterCounters {
        FilterCounters { asked: self.asked, ..FilterCounters::default() }
    }

    /// The hash of all.
    #[must_use]
    pub fn root(&self) -> Digest {
        let leaves: Vec<_> = self.digests.iter().map(|(key, digest)| (path(key), *digest)).collect();
        Digest(hash(&leaves, 0).unwrap_or_else(|| inner_hash([].into_iter())))
    }

    /// All keys with their digests.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.digests.iter().map(|(key, digest)| (&**key, *digest))
    }
}

/// The hash of the node at this depth below which these leaves are; none where there are none.
fn hash(leaves: &[([u8; 32], Digest)], depth: usize) -> Option<[u8; 32]> {
    match leaves {
        [] => None,
        [(path, digest)] => Some(leaf_hash(path, *digest)),
        _ => {
            let below = |child: usize| -> Vec<_> {
                leaves.iter().filter(|(path, _)| branch(path, depth) == child).copied().collect()
            };
            let hashes: Vec<_> = (0..FAN_OUT).map(|child| hash(&below(child), depth + 1)).collect();
            Some(inner_hash(hashes.iter().map(Option::as_ref)))
        }
    }
}

/// All keys that differ, in order, by looking at each of them.
pub(super) fn diff<'a>(
    before: impl Iterator<Item = (&'a str, Digest)>,
    after: impl Iterator<Item = (&'a str, Digest)>,
) -> (Vec<Difference>, Compared) {
    let (before, after): (BTreeMap<&str, Digest>, BTreeMap<&str, Digest>) =
        (before.collect(), after.collect());
    let keys: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let changed = |key: &&str| {
        let change = match (before.get(key), after.get(key)) {
            (Some(before), Some(after)) if before == after => return None,
            (Some(_), Some(_)) => Change::Changed,
            (Some(_), None) => Change::Removed,
            _ => Change::Added,
        };
        Some(Difference { key: (*key).into(), change })
    };
    (keys.iter().filter_map(changed).collect(), Compared { hashes: keys.len() as u64 })
}
