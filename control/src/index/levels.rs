//! Hosts by requests under way: a set for each number, so that the host with the fewest of any set is found by a few
//! intersections of bits instead of a walk through all hosts.
//!
//! Its plain twin is the walk itself ([`Candidates::least`](crate::balance::Candidates::least)).

use alloc::vec::Vec;

use super::host_set::HostSet;
use crate::ids::HostId;

/// Requests from which on hosts share a level; those of the last are told apart by their number.
const LEVELS: usize = 1_024;
const NOWHERE: u32 = u32::MAX;

/// Hosts by load.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    sets: Vec<HostSet>,
    /// How many hosts each level has.
    counts: Vec<u32>,
    /// A bit for each level that has any.
    used: [u64; LEVELS / 64],
    /// Requests of each host that is in a level.
    loads: Vec<u32>,
}

impl Levels {
    /// Puts a host where it belongs: with so many requests under way, or nowhere, where it cannot be chosen.
    #[inline]
    pub fn put(&mut self, host: HostId, requests: Option<u32>) {
        if host.index() >= self.loads.len() {
            self.loads.resize(host.index() + 1, NOWHERE);
        }
        let before = core::mem::replace(&mut self.loads[host.index()], requests.unwrap_or(NOWHERE));
        let level = |requests: u32| (requests as usize).min(LEVELS - 1);
        if before != NOWHERE {
            let from = level(before);
            if requests.is_some_and(|requests| level(requests) == from) {
                return;
            }
            self.sets[from].set(host, false);
            self.counts[from] -= 1;
            if self.counts[from] == 0 {
                self.used[from / 64] &= !(1 << (from % 64));
            }
        }
        if let Some(to) = requests.map(level) {
            if to >= self.sets.len() {
                self.sets.resize(to + 1, HostSet::default());
                self.counts.resize(to + 1, 0);
            }
            self.sets[to].set(host, true);
            self.counts[to] += 1;
            self.used[to / 64] |= 1 << (to % 64);
        }
    }

    /// With how many requests a host is there, if it is.
    #[must_use]
    pub fn of(&self, host: HostId) -> Option<u32> {
        self.loads.get(host.index()).copied().filter(|requests| *requests != NOWHERE)
    }

    /// The first host of a set without requests, from this id on, and from 0 on where there is none.
    #[must_use]
    pub fn next_idle(&self, from: HostId, of: &HostSet) -> Option<HostId> {
        if self.counts.first().is_none_or(|count| *count == 0) {
            return None;
        }
        let idle = &self.sets[0];
        idle.next_common(of, from).or_else(|| idle.next_common(of, HostId(0)))
    }

    /// The host with the fewest requests that is in all of these sets; the lowest id of several.
    #[must_use]
    pub fn fewest(&self, of: &[&HostSet]) -> Option<HostId> {
        for (at, &word) in self.used.iter().enumerate() {
            let mut left = word;
            while left != 0 {
                let level = at * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let mut members = self.sets[level].common(of);
                let found = if level < LEVELS - 1 {
                    members.next()
                } else {
                    members.min_by_key(|host| self.loads[host.index()])
                };
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_a_walk_finds(
            changes in prop::collection::vec((0u32..150, prop::option::of((0u32..12).prop_map(|n| if n < 6 { n } else { 1_014 + n }))), 1..200),
            members in prop::collection::vec(any::<bool>(), 150),
            others in prop::collection::vec(any::<bool>(), 150),
        ) {
            let set = |bits: &[bool]| {
                let mut set = HostSet::default();
                bits.iter().enumerate().for_each(|(host, member)| {
                    set.set(HostId(host as u32), *member);
                });
                set
            };
            let sets = [set(&members), set(&others)];
            let (mut levels, mut plain) = (Levels::default(), vec![None; 150]);
            for (host, requests) in changes {
                levels.put(HostId(host), requests);
                plain[host as usize] = requests;
                for of in [vec![&sets[0]], vec![&sets[0], &sets[1]]] {
                    let inside = |host: &u32| of.iter().all(|set| set.contains(HostId(*host)));
                    let hosts: Vec<(u32, u32)> =
                        (0..150).filter(inside).filter_map(|host| Some((plain[host as usize]?, host))).collect();
                    let walked = hosts.into_iter().min().map(|(_, host)| HostId(host));
                    prop_assert_eq!(levels.fewest(&of), walked);
                }
                let idle = |host: &u32| sets[0].contains(HostId(*host)) && plain[*host as usize] == Some(0);
                let walked = (host..150).chain(0..host).find(idle).map(HostId);
                prop_assert_eq!(levels.next_idle(HostId(host), &sets[0]), walked);
            }
        }
    }
}
