//! A tree of hashes over the paths of keys. An update hashes one node a level, O(log v) of them; a comparison descends only
//! where hashes differ.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Change, Compared, Difference, FAN_OUT, branch, inner_hash, leaf_hash, path};
use crate::digest::Digest;
use crate::index::bloom::{Bloom, Design};
use crate::index::hash;
use crate::index::vocabulary::FilterCounters;

/// Keys before the filter is made anew, twice as large.
const KEYS_AT_FIRST: u32 = 64;
/// Ten bits of the filter for each key.
const FALSE_POSITIVES_PER_MILLE: u32 = 10;

/// A tree of hashes with a filter over its leaves.
///
/// The filter spares [`holds`](Self::holds) the hash of a key and the way down to it, where the answer is no: it helps one who
/// is told mostly of what it does not have, such as a new host that hears of others' catalogues. Where most is held, it costs
/// a little at each question. Within [`diff`](super::diff) it would help nothing, since where to go on is known from the
/// hashes.
#[derive(Clone, Debug)]
pub struct Merkle {
    root: Option<Node>,
    len: usize,
    filter: Bloom,
    counters: FilterCounters,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Box<Leaf>),
    Inner(Box<Inner>),
}

#[derive(Clone, Debug)]
struct Leaf {
    key: Box<str>,
    path: [u8; 32],
    digest: Digest,
    hash: [u8; 32],
}

/// Two leaves or more are below it.
#[derive(Clone, Debug)]
struct Inner {
    hash: [u8; 32],
    children: [Option<Node>; FAN_OUT],
}

impl Leaf {
    fn new(key: &str, digest: Digest) -> Self {
        let path = path(key);
        Self { key: key.into(), path, digest, hash: leaf_hash(&path, digest) }
    }
}

impl Inner {
    fn rehash(&mut self) {
        self.hash = inner_hash(self.children.iter().map(|child| child.as_ref().map(Node::hash)));
    }

    /// The one child, where it is the only one and a leaf.
    fn only_leaf(&mut self) -> Option<Node> {
        let mut there = self.children.iter_mut().filter(|child| child.is_some());
        let (only, none) = (there.next()?, there.next());
        if none.is_none() && matches!(only, Some(Node::Leaf(_))) { only.take() } else { None }
    }
}

impl Node {
    fn hash(&self) -> &[u8; 32] {
        match self {
            Self::Leaf(leaf) => &leaf.hash,
            Self::Inner(inner) => &inner.hash,
        }
    }

    /// What stands in a child's place where a leaf is taken for an inner node with that leaf alone.
    fn child(&self, at: usize, depth: usize) -> Option<&Self> {
        match self {
            Self::Inner(inner) => inner.children[at].as_ref(),
            Self::Leaf(leaf) => (branch(&leaf.path, depth) == at).then_some(self),
        }
    }
}

impl Default for Merkle {
    fn default() -> Self {
        let design = Design { items: KEYS_AT_FIRST, false_positives_per_mille: FALSE_POSITIVES_PER_MILLE };
        Self { root: None, len: 0, filter: Bloom::new(design, 0), counters: FilterCounters::default() }
    }
}

impl Merkle {
    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes the digest of a key; returns the one that was there.
    pub fn set(&mut self, key: &str, digest: Digest) -> Option<Digest> {
        let before = set(&mut self.root, 0, Box::new(Leaf::new(key, digest)));
        self.len += usize::from(before.is_none());
        if before != Some(digest) {
            self.filter_in(key, digest);
        }
        before
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Digest> {
        let removed = remove(&mut self.root, 0, &path(key));
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// The digest of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Digest> {
        let (path, mut node) = (path(key), self.root.as_ref());
        for depth in 0.. {
            node = match node? {
                Node::Leaf(leaf) => return (leaf.path == path).then_some(leaf.digest),
                Node::Inner(inner) => inner.children[branch(&path, depth)].as_ref(),
            };
        }
        None
    }

    /// Whether a key has exactly this digest; counted.
    pub fn holds(&mut self, key: &str, digest: Digest) -> bool {
        self.counters.asked += 1;
        if !self.filter.may_contain(filter_hash(key, digest)) {
            self.counters.turned_away += 1;
            return false;
        }
        let holds = self.get(key) == Some(digest);
        self.counters.false_positives += u64::from(!holds);
        holds
    }

    /// What it was asked, and what the filter spared it.
    #[must_use]
    pub fn counters(&self) -> FilterCounters {
        self.counters
    }

    /// The hash of all.
    #[must_use]
    pub fn root(&self) -> Digest {
        Digest(self.root.as_ref().map_or_else(|| inner_hash([].into_iter()), |node| *node.hash()))
    }

    /// All keys with their digests, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Digest)> {
        let mut todo: Vec<&Node> = self.root.iter().collect();
        core::iter::from_fn(move || {
            loop {
                match todo.pop()? {
                    Node::Leaf(leaf) => return Some((&*leaf.key, leaf.digest)),
                    Node::Inner(inner) => todo.extend(inner.children.iter().rev().flatten()),
                }
            }
        })
    }

    /// What was changed or removed stays in the filter until it is full: a false positive, never a missing key.
    fn filter_in(&mut self, key: &str, digest: Digest) {
        if !self.filter.is_full() {
            return self.filter.insert(filter_hash(key, digest));
        }
        let items = u32::try_from(self.len).unwrap_or(u32::MAX).max(KEYS_AT_FIRST / 2).saturating_mul(2);
        let hashes: Vec<u64> = self.iter().map(|(key, digest)| filter_hash(key, digest)).collect();
        self.filter.rebuild(items, hashes);
    }
}

/// A key with its digest, whose bits are as good as any hash's.
fn filter_hash(key: &str, digest: Digest) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = digest.0;
    hash::of_bytes(key.as_bytes(), u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}

fn set(place: &mut Option<Node>, depth: usize, leaf: Box<Leaf>) -> Option<Digest> {
    match place {
        Some(Node::Inner(inner)) => {
            let before = set(&mut inner.children[branch(&leaf.path, depth)], depth + 1, leaf);
            inner.rehash();
            before
        }
        Some(Node::Leaf(before)) if before.path != leaf.path => {
            // Two paths differ somewhere: keys with one path would be a collision of BLAKE3.
            let mut inner = Box::new(Inner { hash: [0; 32], children: [const { None }; FAN_OUT] });
            let above = branch(&before.path, depth);
            inner.children[above] = place.take();
            *place = Some(Node::Inner(inner));
            set(place, depth, leaf)
        }
        _ => match place.replace(Node::Leaf(leaf)) {
            Some(Node::Leaf(before)) => Some(before.digest),
            _ => None,
        },
    }
}

fn remove(place: &mut Option<Node>, depth: usize, path: &[u8; 32]) -> Option<Digest> {
    match place {
        Some(Node::Inner(inner)) => {
            let removed = remove(&mut inner.children[branch(path, depth)], depth + 1, path)?;
            if let Some(leaf) = inner.only_leaf() {
                *place = Some(leaf);
            } else {
                inner.rehash();
            }
            Some(removed)
        }
        Some(Node::Leaf(leaf)) if leaf.path == *path => {
            let digest = leaf.digest;
            *place = None;
            Some(digest)
        }
        _ => None,
    }
}

/// All keys that differ, in order.
pub(super) fn diff(before: &Merkle, after: &Merkle) -> (Vec<Difference>, Compared) {
    let mut found = Found::default();
    found.descend(before.root.as_ref(), after.root.as_ref(), 0);
    found.differences.sort_unstable_by(|ours, theirs| ours.key.cmp(&theirs.key));
    (found.differences, found.compared)
}

#[derive(Default)]
struct Found {
    differences: Vec<Difference>,
    compared: Compared,
}

impl Found {
    fn descend(&mut self, before: Option<&Node>, after: Option<&Node>, depth: usize) {
        if before.is_none() && after.is_none() {
            return;
        }
        self.compared.hashes += 1;
        if before.map(Node::hash) == after.map(Node::hash) {
            return;
        }
        match (before, after) {
            (Some(Node::Leaf(before)), Some(Node::Leaf(after))) if before.path == after.path => {
                self.push(after, Change::Changed);
            }
            (None | Some(Node::Leaf(_)), None | Some(Node::Leaf(_))) => {
                if let Some(Node::Leaf(leaf)) = before {
                    self.push(leaf, Change::Removed);
                }
                if let Some(Node::Leaf(leaf)) = after {
                    self.push(leaf, Change::Added);
                }
            }
            _ => {
                for at in 0..FAN_OUT {
                    let [before, after] = [before, after].map(|node| node?.child(at, depth));
                    self.descend(before, after, depth + 1);
                }
            }
        }
    }

    fn push(&mut self, leaf: &Leaf, change: Change) {
        self.differences.push(Difference { key: leaf.key.clone(), change });
    }
}
