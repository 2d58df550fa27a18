//! A tournament tree: the least of many keys, one for each player, where one key changes at a time. Changing a key
//! costs one comparison a level; ties go to the lower player.

/// Keys of players, and who has the least.
#[derive(Debug)]
pub struct Tournament {
    /// Leaves from `first`; an inner node holds the least key below it.
    keys: Vec<u64>,
    first: usize,
    players: usize,
}

/// The key of a player that waits for nothing.
pub const NEVER: u64 = u64::MAX;

impl Tournament {
    /// Players who all wait for nothing.
    #[must_use]
    pub fn new(players: usize) -> Self {
        let first = players.next_power_of_two().max(1);
        Self { keys: vec![NEVER; 2 * first], first, players }
    }

    /// The least key, [`NEVER`] where all wait for nothing.
    #[must_use]
    #[inline]
    pub fn least(&self) -> u64 {
        self.keys[1]
    }

    /// The player with the least key; the lowest of several.
    #[must_use]
    pub fn winner(&self) -> usize {
        let least = self.keys[1];
        let mut node = 1;
        while node < self.first {
            node *= 2;
            if self.keys[node] != least {
                node += 1;
            }
        }
        node - self.first
    }

    /// Adds the players whose key is below `limit`, in order.
    pub fn below(&self, limit: u64, into: &mut Vec<u32>) {
        // The path from the root, as node numbers: after a node comes its first child, else the next sibling upwards.
        let mut node = 1;
        loop {
            if self.keys[node] < limit {
                if node < self.first {
                    node *= 2;
                    continue;
                }
                into.push((node - self.first) as u32);
            }
            // Up over all second children, then to the sibling.
            node >>= (node + 1).trailing_zeros();
            if node == 0 {
                return;
            }
            node += 1;
        }
    }

    /// Changes a player's key.
    pub fn set(&mut self, player: usize, key: u64) {
        debug_assert!(player < self.players, "one key for each player");
        let mut node = self.first + player;
        self.keys[node] = key;
        while node > 1 {
            let least = self.keys[node].min(self.keys[node ^ 1]);
            node /= 2;
            if self.keys[node] == least {
                break;
            }
            self.keys[node] = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn winner_is_the_lowest_player_with_the_least_key(
            players in 1usize..40,
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0u64..8), 1..200),
        ) {
            let (mut tree, mut keys) = (Tournament::new(players), vec![NEVER; players]);
            for (player, key) in changes {
                let (player, key) = (player.index(players), if key == 7 { NEVER } else { key });
                tree.set(player, key);
                keys[player] = key;
                let least = *keys.iter().min().unwrap();
                prop_assert_eq!(tree.least(), least);
                let mut below = Vec::new();
                tree.below(key.min(5), &mut below);
                prop_assert_eq!(below, (0..players as u32).filter(|p| keys[*p as usize] < key.min(5)).collect::<Vec<_>>());
                if least != NEVER {
                    prop_assert_eq!(tree.winner(), keys.iter().position(|k| *k == least).unwrap());
                }
            }
        }
    }
}
