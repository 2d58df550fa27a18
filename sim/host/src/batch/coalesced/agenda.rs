//! What will happen to decoding slots, by the number of the step at whose end it does.

/// One entry for each decoding slot: the soonest step at which something changes for it.
///
/// A sorted vector, the soonest last: with some fifty running, shifting a few hundred bytes beats a heap that has to
/// tell every slot where its entry went.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: Vec<(u64, u32)>,
    /// Scratch of [`Agenda::delay`]: a bit for each slot, all 0 between calls.
    delayed: Vec<u64>,
}

impl Agenda {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The soonest step.
    pub(super) fn soonest(&self) -> Option<u64> {
        self.entries.last().map(|&(step, _)| step)
    }

    pub(super) fn insert(&mut self, step: u64, slot: u32) {
        let at = self.position(step, slot);
        self.entries.insert(at, (step, slot));
    }

    /// Takes the lowest slot whose step is `step`, which must be the soonest.
    pub(super) fn take(&mut self, step: u64) -> Option<u32> {
        self.entries.pop_if(|&mut (soonest, _)| soonest == step).map(|(_, slot)| slot)
    }

    pub(super) fn remove(&mut self, step: u64, slot: u32) {
        let at = self.position(step, slot);
        assert_eq!(self.entries.get(at), Some(&(step, slot)), "a decoding slot is on the agenda");
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
            let slot = self.entries[at].1;
            let word = self.delayed.get(slot as usize / 64).copied().unwrap_or(0);
            self.entries[at].0 += word >> (slot % 64) & 1;
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
        self.entries.partition_point(|&entry| entry > (step, slot))
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
        assert_eq!(agenda.entries, wanted);
    }
}
