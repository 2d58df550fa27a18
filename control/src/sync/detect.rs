//! What differs between two sets of keys with digests: two hosts' catalogues, or one host's before and after.
//!
//! Sets are compared by hashes of their parts (Merkle, A digital signature based on a conventional encryption function, 1987),
//! so that equal parts cost one comparison and, between hosts, the bytes of one hash. [`diff`] finds every change and nothing
//! else; no filter has a say in it. A filter stands only before [`Contents::holds`], and only there can it help: see
//! [`Merkle`].
//!
//! Hashes are BLAKE3 over a first byte that says what is hashed, so that no leaf can stand for an inner node:
//! - the path of a key: 0, the key. It decides where in the tree the key is, 4 bits a level;
//! - a leaf: 1, the path, the digest;
//! - an inner node: 2, which of its 16 children there are (bits, little-endian), the hashes of those, in order.
//!
//! A node is inner where two keys or more are below it, so the shape depends on the keys alone and not on how they came.

mod fast;
mod naive;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use fast::Merkle;
pub use naive::Listed;
use serde::{Deserialize, Serialize, Serializer};

use crate::digest::Digest;
use crate::index::Implementation;
use crate::index::twin::Twin;
use crate::index::vocabulary::FilterCounters;

/// How many children a node may have: one for each value of four bits.
const FAN_OUT: usize = 16;

/// Keys with their digests. Either twin serialises as what it holds, and comes back optimised; counters begin anew.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<(Box<str>, Digest)>")]
pub enum Contents {
    /// [`Merkle`].
    Optimised(Merkle),
    /// [`Listed`].
    Baseline(Listed),
}

/// How a key differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Only after.
    Added,
    /// Only before.
    Removed,
    /// Both, with other digests.
    Changed,
}

/// A key that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The key.
    pub key: Box<str>,
    /// How it differs.
    pub change: Change,
}

/// What a comparison cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compared {
    /// Pairs of hashes that were compared, or digests where there is no tree. A hash that stands alone counts, too.
    pub hashes: u64,
}

impl Compared {
    /// What two hosts must exchange for it where one of them sends its hashes: 32 bytes for each. Keys come on top.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.hashes.saturating_mul(32)
    }
}

impl Contents {
    /// An empty set.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Merkle::default()),
            Implementation::Baseline => Self::Baseline(Listed::default()),
        }
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Optimised(merkle) => merkle.len(),
            Self::Baseline(listed) => listed.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the digest of a key; returns the one that was there.
    pub fn set(&mut self, key: &str, digest: Digest) -> Option<Digest> {
        match self {
            Self::Optimised(merkle) => merkle.set(key, digest),
            Self::Baseline(listed) => listed.set(key, digest),
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Digest> {
        match self {
            Self::Optimised(merkle) => merkle.remove(key),
            Self::Baseline(listed) => listed.remove(key),
        }
    }

    /// The digest of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Digest> {
        match self {
            Self::Optimised(merkle) => merkle.get(key),
            Self::Baseline(listed) => listed.get(key),
        }
    }

    /// Whether a key has exactly this digest; counted.
    pub fn holds(&mut self, key: &str, digest: Digest) -> bool {
        match self {
            Self::Optimised(merkle) => merkle.holds(key, digest),
            Self::Baseline(listed) => listed.holds(key, digest),
        }
    }

    /// What [`holds`](Self::holds) was asked, and what the filter spared it.
    #[must_use]
    pub fn counters(&self) -> FilterCounters {
        match self {
            Self::Optimised(merkle) => merkle.counters(),
            Self::Baseline(listed) => listed.counters(),
        }
    }

    /// The hash of all, equal where the sets are.
    #[must_use]
    pub fn root(&self) -> Digest {
        match self {
            Self::Optimised(merkle) => merkle.root(),
            Self::Baseline(listed) => listed.root(),
        }
    }

    /// All keys with their digests, by key. A tree sorts them for it.
    pub fn in_order(&self) -> impl Iterator<Item = (&str, Digest)> {
        match self {
            Self::Optimised(merkle) => {
                let mut all: Vec<_> = merkle.iter().collect();
                all.sort_unstable();
                Twin::Optimised(all.into_iter())
            }
            Self::Baseline(listed) => Twin::Baseline(listed.iter()),
        }
    }
}

/// Sets are equal where their roots are.
impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        self.root() == other.root()
    }
}

impl Serialize for Contents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.in_order().collect::<Vec<_>>())
    }
}

impl TryFrom<Vec<(Box<str>, Digest)>> for Contents {
    type Error = &'static str;

    fn try_from(entries: Vec<(Box<str>, Digest)>) -> Result<Self, Self::Error> {
        let mut merkle = Merkle::default();
        for (key, digest) in entries {
            if merkle.set(&key, digest).is_some() {
                return Err("a set has a key twice");
            }
        }
        Ok(Self::Optimised(merkle))
    }
}

/// All keys that differ, in order, and what it cost to find them: with v keys and d that differ O(d log v) where both have
/// trees, O(v) where neither has.
#[must_use]
pub fn diff(before: &Contents, after: &Contents) -> (Vec<Difference>, Compared) {
    match (before, after) {
        (Contents::Optimised(before), Contents::Optimised(after)) => fast::diff(before, after),
        _ => naive::diff(before.in_order(), after.in_order()),
    }
}

/// Where in the tree a key is.
fn path(key: &str) -> [u8; 32] {
    *blake3::Hasher::new().update(&[0]).update(key.as_bytes()).finalize().as_bytes()
}

/// The four bits of a path that choose among the children of a node at this depth, below 64.
fn branch(path: &[u8; 32], depth: usize) -> usize {
    let byte = path[depth / 2];
    usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
}

fn leaf_hash(path: &[u8; 32], digest: Digest) -> [u8; 32] {
    *blake3::Hasher::new().update(&[1]).update(path).update(&digest.0).finalize().as_bytes()
}

/// The hash of a node whose children have these.
fn inner_hash<'a>(children: impl Iterator<Item = Option<&'a [u8; 32]>> + Clone) -> [u8; 32] {
    let there =
        children.clone().zip(0..).fold(0_u16, |bits, (child, at)| bits | u16::from(child.is_some()) << at);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[2]).update(&there.to_le_bytes());
    children.flatten().for_each(|hash| {
        hasher.update(hash);
    });
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
