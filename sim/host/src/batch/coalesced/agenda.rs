//! What will happen to decoding slots, by the number of the step at whose end it does.

/// One entry for each decoding slot: the soonest step at which something changes for it.
///
/// A sorted vector, the soonest last: with some fifty running, shifting a few hundred bytes beats a heap that has to
/// tell every slot where its entry went.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: Vec<(u64, u32)>,
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

    /// One step later for those of `slots` (ascending).
    pub(super) fn delay(&mut self, slots: &[u32]) {
        for (step, slot) in &mut self.entries {
            *step += u64::from(slots.binary_search(slot).is_ok());
        }
        self.entries.sort_unstable_by(|a, b| b.cmp(a));
    }

    fn position(&self, step: u64, slot: u32) -> usize {
        self.entries.partition_point(|&entry| entry > (step, slot))
    }
}
