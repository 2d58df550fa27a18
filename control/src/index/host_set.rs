//! A set of hosts as bits: a thousand hosts in sixteen words, so that asking costs no walk through their facts.

use alloc::vec::Vec;

use crate::ids::HostId;

/// A set of hosts.
#[derive(Clone, Debug, Default)]
pub struct HostSet {
    words: Vec<u64>,
}

impl HostSet {
    /// Whether the host is in it.
    #[must_use]
    #[inline]
    pub fn contains(&self, host: HostId) -> bool {
        let word = self.words.get(host.index() / 64).copied().unwrap_or(0);
        word >> (host.index() % 64) & 1 == 1
    }

    /// The hosts that are in this set and in all of `others`, by id.
    pub fn common<'a>(&'a self, others: &'a [&HostSet]) -> impl Iterator<Item = HostId> + 'a {
        self.words.iter().enumerate().flat_map(move |(at, &word)| {
            let mut left =
                others.iter().fold(word, |word, other| word & other.words.get(at).copied().unwrap_or(0));
            core::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(HostId(at as u32 * 64 + bit))
            })
        })
    }

    /// The first host from this id on that is in this set and in the other.
    #[must_use]
    pub fn next_common(&self, other: &HostSet, from: HostId) -> Option<HostId> {
        let first = from.index() / 64;
        let words = self.words.iter().zip(&other.words).enumerate().skip(first);
        words
            .map(|(at, (word, other))| {
                let passed = if at == first { (1 << (from.index() % 64)) - 1 } else { 0 };
                (at, word & other & !passed)
            })
            .find(|(_, word)| *word != 0)
            .map(|(at, word)| HostId(at as u32 * 64 + word.trailing_zeros()))
    }

    /// Adds a host, or takes it out; nothing happens where it already is so.
    pub fn set(&mut self, host: HostId, member: bool) {
        let (word, bit) = (host.index() / 64, 1 << (host.index() % 64));
        if !member {
            if let Some(word) = self.words.get_mut(word) {
                *word &= !bit;
            }
            return;
        }
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= bit;
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holds_what_a_plain_set_holds(changes in prop::collection::vec((0u32..200, any::<bool>()), 0..300)) {
            let (mut set, mut plain) = (HostSet::default(), BTreeSet::new());
            for (host, member) in changes {
                set.set(HostId(host), member);
                if member { plain.insert(host); } else { plain.remove(&host); }
            }
            let held: Vec<u32> = (0..300).filter(|host| set.contains(HostId(*host))).collect();
            prop_assert_eq!(held, plain.into_iter().collect::<Vec<_>>());
        }
    }
}
