//! A radix tree of names (Morrison, PATRICIA, 1968), at each of which stands an ordered map of its versions.
//!
//! A node without versions has two children or more, so there are at most twice as many nodes as names. To find a name costs
//! its length, whatever else there is; a version among v of it O(log v). The tree is as deep as names are prefixes of each
//! other, which the length of a name bounds.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Bound, RangeBounds};

use crate::digest::Digest;

/// Names with versions in a tree.
#[derive(Clone, Debug)]
pub struct Radix<K> {
    root: Node<K>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Node<K> {
    /// What its names have after those of its parent; only the root's is empty.
    label: Box<str>,
    /// Of the name that ends here; empty where none does.
    versions: BTreeMap<K, Digest>,
    /// By the first character of their labels, which all differ.
    children: Vec<Node<K>>,
}

impl<K> Node<K> {
    fn new(label: &str) -> Self {
        Self { label: label.into(), versions: BTreeMap::new(), children: Vec::new() }
    }

    /// Where the child is, or would be, whose names go on so.
    fn place(&self, rest: &str) -> Result<usize, usize> {
        let first = rest.chars().next();
        self.children.binary_search_by_key(&first, |child| child.label.chars().next())
    }

    /// The child that stands for the first part of a text, and what is left of it.
    fn child<'a>(&self, rest: &'a str) -> Option<(usize, &'a str)> {
        let at = self.place(rest).ok()?;
        Some((at, rest.strip_prefix(&*self.children[at].label)?))
    }

    /// Splits the label after so many bytes: what follows it goes to a child.
    fn split(&mut self, bytes: usize) {
        let (label, rest) = self.label.split_at(bytes);
        let (label, rest) = (label.into(), rest.into());
        let below = Self {
            label: rest,
            versions: core::mem::take(&mut self.versions),
            children: core::mem::take(&mut self.children),
        };
        (self.label, self.children) = (label, alloc::vec![below]);
    }

    /// Joins with its only child where no name ends here.
    fn join(&mut self) {
        if self.versions.is_empty()
            && self.children.len() == 1
            && let Some(child) = self.children.pop()
        {
            let label = [&*self.label, &*child.label].concat().into();
            *self = Self { label, ..child };
        }
    }
}

impl<K> Default for Radix<K> {
    fn default() -> Self {
        Self { root: Node::new(""), len: 0 }
    }
}

impl<K: Ord> Radix<K> {
    /// How many versions of all names it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes the digest of a version; returns the one that was there.
    pub fn insert(&mut self, name: &str, version: K, digest: Digest) -> Option<Digest> {
        let before = self.node_mut(name).versions.insert(version, digest);
        self.len += usize::from(before.is_none());
        before
    }

    /// Takes a version out.
    pub fn remove(&mut self, name: &str, version: &K) -> Option<Digest> {
        let removed = remove(&mut self.root, name, version);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// The digest of a version.
    #[must_use]
    pub fn get(&self, name: &str, version: &K) -> Option<Digest> {
        self.node(name)?.versions.get(version).copied()
    }

    /// The greatest version of a name.
    #[must_use]
    pub fn latest(&self, name: &str) -> Option<(&K, Digest)> {
        self.node(name)?.versions.last_key_value().map(|(version, digest)| (version, *digest))
    }

    /// The versions of a name within bounds, the least first.
    #[must_use]
    pub fn range(&self, name: &str, bounds: impl RangeBounds<K>) -> Vec<(&K, Digest)> {
        let Some(node) = self.node(name).filter(|_| is_range(&bounds)) else { return Vec::new() };
        node.versions.range(bounds).map(|(version, digest)| (version, *digest)).collect()
    }

    /// The names that begin so, in order.
    #[must_use]
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let (mut node, mut rest, mut name) = (&self.root, prefix, String::new());
        while !rest.is_empty() {
            // The prefix may end within a label.
            let Ok(at) = node.place(rest) else { return Vec::new() };
            node = &node.children[at];
            name.push_str(&node.label);
            rest = match rest.strip_prefix(&*node.label) {
                Some(rest) => rest,
                None if node.label.starts_with(rest) => "",
                None => return Vec::new(),
            };
        }
        let mut names = Vec::new();
        collect(node, &mut name, &mut names);
        names
    }

    fn node(&self, name: &str) -> Option<&Node<K>> {
        let (mut node, mut rest) = (&self.root, name);
        while !rest.is_empty() {
            let (at, left) = node.child(rest)?;
            (node, rest) = (&node.children[at], left);
        }
        Some(node)
    }

    /// The node of a name, which is made where there is none.
    fn node_mut(&mut self, name: &str) -> &mut Node<K> {
        let (mut node, mut rest) = (&mut self.root, name);
        while !rest.is_empty() {
            let at = match node.place(rest) {
                Ok(at) => at,
                Err(at) => {
                    node.children.insert(at, Node::new(rest));
                    at
                }
            };
            node = &mut node.children[at];
            let common = common_bytes(&node.label, rest);
            if common < node.label.len() {
                node.split(common);
            }
            rest = &rest[common..];
        }
        node
    }
}

/// Whether the bounds leave something between them; a map does not take others.
fn is_range<K: Ord>(bounds: &impl RangeBounds<K>) -> bool {
    match (bounds.start_bound(), bounds.end_bound()) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(start), Bound::Included(end)) => start <= end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
            start < end
        }
    }
}

/// How many bytes two texts share at their beginning, whole characters only.
fn common_bytes(ours: &str, theirs: &str) -> usize {
    let pairs = ours.chars().zip(theirs.chars());
    pairs.take_while(|(our, their)| our == their).map(|(our, _)| our.len_utf8()).sum()
}

/// Takes out a version of the name that lies so far below a node, and the nodes that this leaves without use.
fn remove<K: Ord>(node: &mut Node<K>, rest: &str, version: &K) -> Option<Digest> {
    if rest.is_empty() {
        return node.versions.remove(version);
    }
    let (at, rest) = node.child(rest)?;
    let child = &mut node.children[at];
    let removed = remove(child, rest, version)?;
    if child.versions.is_empty() && child.children.is_empty() {
        node.children.remove(at);
    } else {
        child.join();
    }
    Some(removed)
}

/// The names at a node and below, whose own name `name` is.
fn collect<K>(node: &Node<K>, name: &mut String, into: &mut Vec<String>) {
    if !node.versions.is_empty() {
        into.push(name.clone());
    }
    for child in &node.children {
        name.push_str(&child.label);
        collect(child, name, into);
        name.truncate(name.len() - child.label.len());
    }
}

#[cfg(test)]
impl<K> Radix<K> {
    /// Checks what holds of every node, and counts them.
    pub(super) fn checked_nodes(&self) -> usize {
        fn check<K>(node: &Node<K>) -> usize {
            for child in &node.children {
                assert!(!child.label.is_empty(), "a child has a label");
                assert!(!child.versions.is_empty() || child.children.len() >= 2, "a node that is of no use");
            }
            1 + node.children.iter().map(check).sum::<usize>()
        }
        check(&self.root)
    }
}
