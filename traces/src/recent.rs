//! A bounded map that forgets what was not asked for longest.

use std::collections::{BTreeMap, HashMap};

use crate::keyed::MixState;

/// Values by `u64`, at most a given number of them.
pub(crate) struct Recent<V> {
    values: HashMap<u64, (u64, V), MixState>,
    /// Keys by when they were last used.
    order: BTreeMap<u64, u64>,
    uses: u64,
    limit: usize,
}

impl<V> Recent<V> {
    /// An empty map of at most `limit` values, at least 1.
    pub(crate) fn new(limit: usize) -> Self {
        assert!(limit > 0, "a map that may hold nothing is of no use");
        Self { values: HashMap::with_hasher(MixState::default()), order: BTreeMap::new(), uses: 0, limit }
    }

    /// The value of `key`, made by `fresh` where there is none; it is now the one used last.
    pub(crate) fn get_or(&mut self, key: u64, fresh: impl FnOnce() -> V) -> &mut V {
        self.uses += 1;
        let now = self.uses;
        if let Some((used, _)) = self.values.get_mut(&key) {
            self.order.remove(used);
            *used = now;
        } else if self.values.len() == self.limit
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.values.remove(&oldest);
        }
        self.order.insert(now, key);
        &mut self.values.entry(key).or_insert_with(|| (now, fresh())).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_value_unused_for_longest_is_forgotten() {
        let mut recent = Recent::new(2);
        *recent.get_or(1, || 0) = 10;
        *recent.get_or(2, || 0) = 20;
        assert_eq!(*recent.get_or(1, || 0), 10);
        *recent.get_or(3, || 0) = 30;
        assert_eq!(*recent.get_or(1, || 0), 10);
        assert_eq!(*recent.get_or(2, || 0), 0, "2 made room for 3");
    }

    proptest! {
        #[test]
        fn it_holds_what_a_plain_list_would(keys in proptest::collection::vec(0u64..8, 0..100), limit in 1usize..6) {
            let mut recent = Recent::new(limit);
            let mut list: Vec<(u64, usize)> = Vec::new();
            for (index, &key) in keys.iter().enumerate() {
                let expected = match list.iter().position(|&(known, _)| known == key) {
                    Some(place) => list.remove(place).1,
                    None => {
                        if list.len() == limit {
                            list.remove(0);
                        }
                        index
                    }
                };
                list.push((key, expected));
                prop_assert_eq!(*recent.get_or(key, || index), expected);
                prop_assert!(recent.values.len() <= limit && recent.order.len() == recent.values.len());
            }
        }
    }
}
