//! Where weights lie: VRAM, the host's page cache, its disk; a registry stands behind them.
//!
//! The page cache holds whole files up to a number of bytes and forgets the one least recently read. VRAM is the
//! runners' own; here its hits are only counted. Left out: files cached in part, and pulling from a registry.

use control::units::{Bytes, Nanos};

use crate::spec::Profile;

/// A level of memory, nearest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tier {
    /// Loaded: nothing to read.
    Vram = 0,
    /// In the host's page cache.
    PageCache = 1,
    /// On the host's disk.
    Disk = 2,
    /// With a registry or another host.
    Registry = 3,
}

/// What the page cache holds, and how often each tier was enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tiers {
    room: Bytes,
    used: Bytes,
    /// Files by number, least recently read first.
    cached: Vec<(u16, Bytes)>,
    hits: [u64; 4],
}

impl Tiers {
    pub(crate) fn new(room: Bytes) -> Self {
        Self { room, ..Self::default() }
    }

    /// The page cache is empty again, as after a start of the machine.
    pub(crate) fn forget(&mut self) {
        *self = Self { room: self.room, hits: self.hits, ..Self::default() };
    }

    /// Weights came from a registry or another host, through the page cache.
    pub(crate) fn fetched(&mut self, file: u16, bytes: Bytes) {
        self.hits[Tier::Registry as usize] += 1;
        self.keep(file, bytes);
    }

    /// A request found its model loaded.
    #[inline]
    pub(crate) fn hit_vram(&mut self) {
        self.hits[Tier::Vram as usize] += 1;
    }

    /// Where a load that begins now reads from; counts it.
    pub(crate) fn read(&mut self, file: u16) -> Tier {
        let tier =
            if self.cached.iter().any(|&(cached, _)| cached == file) { Tier::PageCache } else { Tier::Disk };
        self.hits[tier as usize] += 1;
        tier
    }

    /// A load has read a file: it is now the last that the cache forgets, unless it is larger than the cache.
    pub(crate) fn keep(&mut self, file: u16, bytes: Bytes) {
        if let Some(at) = self.cached.iter().position(|&(cached, _)| cached == file) {
            let entry = self.cached.remove(at);
            self.cached.push(entry);
            return;
        }
        if bytes > self.room {
            return;
        }
        while self.used + bytes > self.room {
            let (_, forgotten) = self.cached.remove(0);
            self.used -= forgotten;
        }
        self.cached.push((file, bytes));
        self.used += bytes;
    }

    pub(crate) fn hits(&self) -> [u64; 4] {
        self.hits
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let sum: Bytes = self.cached.iter().map(|&(_, bytes)| bytes).sum();
        if sum == self.used && sum <= self.room {
            return Ok(());
        }
        Err(format!(
            "the page cache holds {} bytes, counts {} and has room for {}",
            sum.0, self.used.0, self.room.0
        ))
    }
}

/// Time in which weights are read from `tier` to the device, without the fixed part of a load. What comes from the
/// disk goes through the page cache: the slower of the two decides.
pub(crate) fn read_time(profile: &Profile, tier: Tier) -> Nanos {
    let cache = profile.page_cache_bytes_per_second;
    let rate = match tier {
        Tier::Vram | Tier::PageCache => cache,
        Tier::Disk | Tier::Registry => cache.min(profile.disk_bytes_per_second),
    };
    let nanos = u128::from(profile.model.weights_bytes) * 1_000_000_000 / u128::from(rate.max(1));
    Nanos(u64::try_from(nanos).unwrap_or(u64::MAX >> 8).min(u64::MAX >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_least_recently_read_is_forgotten_first() {
        let mut tiers = Tiers::new(Bytes(10));
        for file in [0, 1] {
            assert_eq!(tiers.read(file), Tier::Disk);
            tiers.keep(file, Bytes(4));
        }
        assert_eq!(tiers.read(0), Tier::PageCache);
        tiers.keep(0, Bytes(4));
        tiers.keep(2, Bytes(4));
        assert_eq!(tiers.read(1), Tier::Disk);
        assert_eq!(tiers.read(0), Tier::PageCache);
        assert_eq!(tiers.hits(), [0, 2, 3, 0]);
        assert_eq!(tiers.check(), Ok(()));
    }

    #[test]
    fn file_larger_than_the_cache_is_not_kept() {
        let mut tiers = Tiers::new(Bytes(10));
        tiers.keep(0, Bytes(4));
        tiers.keep(1, Bytes(11));
        assert_eq!((tiers.read(0), tiers.read(1)), (Tier::PageCache, Tier::Disk));
    }
}
