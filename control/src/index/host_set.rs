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

    /// Adds a host, or takes it out; whether that changed anything.
    pub fn set(&mut self, host: HostId, member: bool) -> bool {
        if self.contains(host) == member {
            return false;
        }
        let word = host.index() / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] ^= 1 << (host.index() % 64);
        true
    }

    /// How many hosts are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// Its hosts, by id.
    pub fn iter(&self) -> impl Iterator<Item = HostId> + '_ {
        self.common(&[])
    }

    /// Keeps the hosts that are in `other` too.
    pub fn and(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    /// Takes out the hosts that are in `other`.
    pub fn and_not(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// Adds the hosts of `other`.
    pub fn or(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Keeps the hosts for which `keep` holds; asks for each that is in it, by id.
    pub fn retain(&mut self, mut keep: impl FnMut(HostId) -> bool) {
        for (at, word) in self.words.iter_mut().enumerate() {
            let (mut left, mut kept) = (*word, 0);
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                kept |= u64::from(keep(HostId(at as u32 * 64 + bit))) << bit;
            }
            *word = kept;
        }
    }
}

/// Equal where the same hosts are in both, whatever was taken out before.
impl PartialEq for HostSet {
    fn eq(&self, other: &Self) -> bool {
        let shared = self.words.len().min(other.words.len());
        self.words[..shared] == other.words[..shared]
            && self.words[shared..].iter().chain(&other.words[shared..]).all(|&word| word == 0)
    }
}

impl Eq for HostSet {}

impl FromIterator<HostId> for HostSet {
    fn from_iter<I: IntoIterator<Item = HostId>>(hosts: I) -> Self {
        let mut set = Self::default();
        for host in hosts {
            set.set(host, true);
        }
        set
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
            prop_assert_eq!(&held, &plain.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len(), plain.len());
            prop_assert_eq!(set.is_empty(), plain.is_empty());
            prop_assert_eq!(set, held.into_iter().map(HostId).collect());
        }

        #[test]
        fn combines_as_plain_sets_do(
            one in prop::collection::btree_set(0u32..200, 0..60),
            other in prop::collection::btree_set(0u32..70, 0..60),
        ) {
            let set = |of: &BTreeSet<u32>| of.iter().copied().map(HostId).collect::<HostSet>();
            for (one, other) in [(&one, &other), (&other, &one)] {
                let (mut both, mut either, mut without, mut odd) = (set(one), set(one), set(one), set(one));
                both.and(&set(other));
                either.or(&set(other));
                without.and_not(&set(other));
                odd.retain(|host| host.0 % 2 == 1);
                prop_assert_eq!(both, set(&(one & other)));
                prop_assert_eq!(either, set(&(one | other)));
                prop_assert_eq!(without, set(&(one - other)));
                prop_assert_eq!(odd, set(&one.iter().copied().filter(|host| host % 2 == 1).collect()));
            }
            prop_assert_eq!(set(&one) == set(&other), one == other);
            prop_assert_eq!(set(&one).iter().map(|host| host.0).collect::<BTreeSet<_>>(), one);
        }
    }
}
