//! The indexed heap with four children a node: push, pop and remove in O(log n), peek in O(1).

use alloc::vec::Vec;

use super::{NOWHERE, Positions};

const CHILDREN: usize = 4;

/// A min-heap over keys; equal keys leave in no stated order, so keys should carry a tie-break.
#[derive(Clone, Debug)]
pub struct Heap<K> {
    nodes: Vec<(K, u32)>,
}

impl<K> Default for Heap<K> {
    fn default() -> Self {
        Self { nodes: Vec::new() }
    }
}

impl<K: Ord + Copy> Heap<K> {
    /// How many slots are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The least key and its slot.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Option<(K, u32)> {
        self.nodes.first().copied()
    }

    /// All keys with their slots, in no order.
    #[must_use]
    pub fn items(&self) -> &[(K, u32)] {
        &self.nodes
    }

    /// Adds a slot that is in no heap of these positions.
    pub fn push(&mut self, positions: &mut Positions, key: K, slot: u32) {
        positions.make_room(slot);
        debug_assert!(!positions.contains(slot), "a slot stands in one heap at most");
        self.nodes.push((key, slot));
        self.rise(positions, self.nodes.len() - 1);
    }

    /// Takes the least key out.
    pub fn pop(&mut self, positions: &mut Positions) -> Option<(K, u32)> {
        let first = self.peek()?;
        self.take(positions, 0);
        Some(first)
    }

    /// Takes a slot out; false where it is in no heap.
    pub fn remove(&mut self, positions: &mut Positions, slot: u32) -> bool {
        if !positions.contains(slot) {
            return false;
        }
        let position = positions.by_slot[slot as usize] as usize;
        self.take(positions, position);
        true
    }

    fn take(&mut self, positions: &mut Positions, position: usize) {
        let (_, slot) = self.nodes.swap_remove(position);
        positions.set(slot, NOWHERE);
        if position < self.nodes.len() {
            self.settle(positions, position);
        }
    }

    fn rise(&mut self, positions: &mut Positions, mut position: usize) {
        let node = self.nodes[position];
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            if self.nodes[parent].0 <= node.0 {
                break;
            }
            self.nodes[position] = self.nodes[parent];
            positions.set(self.nodes[position].1, position as u32);
            position = parent;
        }
        self.nodes[position] = node;
        positions.set(node.1, position as u32);
    }

    /// Finds the place of the node that was moved to `position` from the end: up where it is less than its parent,
    /// else down.
    fn settle(&mut self, positions: &mut Positions, mut position: usize) {
        let node = self.nodes[position];
        if position > 0 && node.0 < self.nodes[(position - 1) / CHILDREN].0 {
            return self.rise(positions, position);
        }
        loop {
            let first = position * CHILDREN + 1;
            let Some(least) = self.least_child(first) else { break };
            let child = self.nodes[least];
            if node.0 <= child.0 {
                break;
            }
            self.nodes[position] = child;
            positions.set(child.1, position as u32);
            position = least;
        }
        self.nodes[position] = node;
        positions.set(node.1, position as u32);
    }

    /// Where the least of the children that begin at `first` stands.
    #[inline]
    fn least_child(&self, first: usize) -> Option<usize> {
        if let Some([a, b, c, d]) = self.nodes.get(first..first + CHILDREN) {
            // Two independent comparisons, then one: a whole family in two steps.
            let left = if b.0 < a.0 { (1, b.0) } else { (0, a.0) };
            let right = if d.0 < c.0 { (3, d.0) } else { (2, c.0) };
            return Some(first + if right.1 < left.1 { right.0 } else { left.0 });
        }
        let children = self.nodes.get(first..)?;
        (0..children.len()).min_by_key(|child| children[*child].0).map(|child| first + child)
    }
}
