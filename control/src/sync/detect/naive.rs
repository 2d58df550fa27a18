//! The plain twin: all digests in a map, all compared; its root is the definition, worked out anew.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

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

    /// All keys with their digests, by key.
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

/// All keys that differ, in order, by looking at each of them. Both sides come by key.
pub(super) fn diff<'a>(
    before: impl Iterator<Item = (&'a str, Digest)>,
    after: impl Iterator<Item = (&'a str, Digest)>,
) -> (Vec<Difference>, Compared) {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    let (mut differences, mut compared) = (Vec::new(), Compared::default());
    loop {
        let order = match (before.peek(), after.peek()) {
            (Some((ours, _)), Some((theirs, _))) => ours.cmp(theirs),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return (differences, compared),
        };
        let old = before.next_if(|_| order.is_le());
        let new = after.next_if(|_| order.is_ge());
        compared.hashes += 1;
        let change = match (old, new) {
            (Some((_, old)), Some((_, new))) if old == new => continue,
            (Some(_), Some(_)) => Change::Changed,
            (Some(_), None) => Change::Removed,
            (None, _) => Change::Added,
        };
        differences.extend(old.or(new).map(|(key, _)| Difference { key: key.into(), change }));
    }
}
