//! What will happen to decoding slots, by the number of the step at whose end it does.

use prefetch_index::prefetch_index;

/// Bits for a slot in an entry; above them stands the step.
const SLOT_BITS: u32 = 16;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// One entry for each decoding slot: the soonest step at which something changes for it.
///
/// A sorted vector, the soonest last: with some fifty running, shifting a few hundred bytes beats a heap that has to
/// tell every slot where its entry went. Step and slot share one number, which is their order too: half the memory to
/// search and to shift.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: Vec<u64>,
    /// Scratch of [`Agenda::delay`]: a bit for each slot, all 0 between calls.
    delayed: Vec<u64>,
}

#[inline]
fn entry(step: u64, slot: u32) -> u64 {
    debug_assert!(step >> (64 - SLOT_BITS) == 0, "a loop is idle before it has made 2^48 steps");
    debug_assert!(u64::from(slot) <= SLOT_MASK, "slots are numbered below 2^16");
    step << SLOT_BITS | u64::from(slot)
}

#[inline]
fn slot(entry: u64) -> u32 {
    (entry & SLOT_MASK) as u32
}

impl Agenda {
    /// How many slots an agenda can tell apart.
    pub(super) const SLOTS_MAX: u32 = 1 << SLOT_BITS;

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The soonest step.
    pub(super) fn soonest(&self) -> Option<u64> {
        self.entries.last().map(|&entry| entry >> SLOT_BITS)
    }

    /// The slot for which something changes first.
    pub(super) fn next(&self) -> Option<u32> {
        self.entries.last().copied().map(slot)
    }

    /// Tells the processor that the entries will be needed soon.
    #[inline]
    pub(super) fn prefetch(&self) {
        const LINE: usize = 64 / size_of::<u64>();
        for line in 0..=self.entries.len().min(16 * LINE) / LINE {
            prefetch_index(&self.entries, line * LINE);
        }
    }

    pub(super) fn insert(&mut self, step: u64, slot: u32) {
        let at = self.position(step, slot);
        self.entries.insert(at, entry(step, slot));
    }

    /// Takes the lowest slot whose step is `step`, which must be the soonest.
    pub(super) fn take(&mut self, step: u64) -> Option<u32> {
        self.entries.pop_if(|soonest| *soonest >> SLOT_BITS == step).map(slot)
    }

    pub(super) fn remove(&mut self, step: u64, slot: u32) {
        let at = self.position(step, slot);
        assert_eq!(self.entries.get(at), Some(&entry(step, slot)), "a decoding slot is on the agenda");
        self.entries.remove(at);
    }

    /// One step later for those of `slots`.
    pub(super) fn delay(&mut self, slots: &[u32]) {
        for &slot in slots {
            let word = slot as usize / 64;
            if word >= self.delayed.len() {
                self.delayed.resize(word + 1, 0);
            }
            self.delayed[word] |= 1 << (slot % 64);
        }
        for at in 0..self.entries.len() {
            let slot = slot(self.entries[at]);
            let word = self.delayed.get(slot as usize / 64).copied().unwrap_or(0);
            self.entries[at] += (word >> (slot % 64) & 1) << SLOT_BITS;
            // Sorted by insertion: only entries of neighbouring steps can have changed places.
            let mut place = at;
            while place > 0 && self.entries[place - 1] < self.entries[place] {
                self.entries.swap(place - 1, place);
                place -= 1;
            }
        }
        self.delayed.fill(0);
    }

    fn position(&self, step: u64, slot: u32) -> usize {
        let wanted = entry(step, slot);
        self.entries.partition_point(|&entry| entry > wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soonest_comes_first_and_the_lowest_slot_among_equals() {
        let mut agenda = Agenda::default();
        for (step, slot) in [(7, 3), (5, 200), (7, 1), (5, 9), (9, 0)] {
            agenda.insert(step, slot);
        }
        agenda.remove(9, 0);
        let taken = |agenda: &mut Agenda, step| std::iter::from_fn(|| agenda.take(step)).collect::<Vec<_>>();
        assert_eq!(taken(&mut agenda, 5), [9, 200]);
        assert_eq!(taken(&mut agenda, 6), []);
        assert_eq!(taken(&mut agenda, 7), [1, 3]);
        assert_eq!(agenda.len(), 0);
    }

    #[test]
    fn delayed_entries_change_places_with_those_of_the_next_step() {
        let mut agenda = Agenda::default();
        for slot in 0..200 {
            agenda.insert(5 + u64::from(slot % 4), slot);
        }
        let delayed: Vec<u32> = (0..200).filter(|slot| slot % 3 == 0).rev().collect();
        agenda.delay(&delayed);
        let mut wanted: Vec<_> =
            (0..200).map(|slot| (5 + u64::from(slot % 4) + u64::from(slot % 3 == 0), slot)).collect();
        wanted.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(
            agenda.entries,
            wanted.into_iter().map(|(step, slot)| entry(step, slot)).collect::<Vec<_>>()
        );
    }
}
