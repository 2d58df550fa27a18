//! What is free on a node, and where a task's share of it comes from.

use smallvec::SmallVec;

use super::{Demand, GPU_MILLI, TaskSpec};

/// What is free.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Room {
    cpu_milli: u64,
    memory_mib: u64,
    /// Thousandths that are free of each GPU.
    gpus: SmallVec<[u32; 8]>,
}

/// What a task holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Held {
    demand: Demand,
    /// A bit for each GPU that it has a share of.
    gpus: u64,
}

impl Held {
    /// What was demanded.
    pub(super) const fn demand(&self) -> &Demand {
        &self.demand
    }
}

impl Room {
    /// An empty node.
    pub(super) fn new(spec: &TaskSpec) -> Self {
        Self {
            cpu_milli: spec.cpu_milli,
            memory_mib: spec.memory_mib,
            gpus: SmallVec::from_elem(GPU_MILLI, spec.gpus as usize),
        }
    }

    /// Takes what a task demands, where all of it is free at once. A share comes from the GPU that has the least left of those that have
    /// enough, whole GPUs are those that are free; the first in order where several are alike.
    pub(super) fn take(&mut self, demand: &Demand) -> Option<Held> {
        if demand.cpu_milli > self.cpu_milli || demand.memory_mib > self.memory_mib {
            return None;
        }
        let gpus = self.find(demand)?;
        self.cpu_milli -= demand.cpu_milli;
        self.memory_mib -= demand.memory_mib;
        for (index, free) in self.gpus.iter_mut().enumerate() {
            if gpus & 1 << index != 0 {
                *free -= demand.gpu_milli;
            }
        }
        Some(Held { demand: *demand, gpus })
    }

    /// The GPUs that a task would get.
    fn find(&self, demand: &Demand) -> Option<u64> {
        let enough = || (0..).zip(&self.gpus).filter(|(_, free)| **free >= demand.gpu_milli);
        match demand.gpus {
            0 => Some(0),
            1 => enough().min_by_key(|(index, free)| (**free, *index)).map(|(index, _)| 1 << index),
            wanted => {
                let first = enough().take(wanted as usize).map(|(index, _): (u32, _)| 1 << index);
                let gpus = first.fold(0, |mask: u64, bit: u64| mask | bit);
                (gpus.count_ones() == wanted).then_some(gpus)
            }
        }
    }

    /// Takes back what a task held.
    pub(super) fn give_back(&mut self, held: &Held) {
        self.cpu_milli += held.demand.cpu_milli;
        self.memory_mib += held.demand.memory_mib;
        for (index, free) in self.gpus.iter_mut().enumerate() {
            if held.gpus & 1 << index != 0 {
                *free += held.demand.gpu_milli;
            }
        }
    }

    /// Free thousandths of a core.
    pub(super) const fn cpu_milli(&self) -> u64 {
        self.cpu_milli
    }

    /// Free memory in MiB.
    pub(super) const fn memory_mib(&self) -> u64 {
        self.memory_mib
    }

    /// Free thousandths of all GPUs together.
    pub(super) fn gpus_milli(&self) -> u64 {
        self.gpus.iter().map(|free| u64::from(*free)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(gpus: u32) -> Room {
        let spec = TaskSpec {
            name: "n".into(),
            gpus,
            cpu_milli: 8_000,
            memory_mib: 4_096,
            max_queue: 9,
            classes: vec![],
        };
        Room::new(&spec)
    }

    fn demand(gpus: u32, gpu_milli: u32) -> Demand {
        Demand { cpu_milli: 100, memory_mib: 10, gpus, gpu_milli }
    }

    #[test]
    fn a_share_goes_to_the_fullest_gpu_that_has_room() {
        let mut room = room(3);
        let first = room.take(&demand(1, 400)).expect("there is room");
        assert_eq!(first.gpus, 0b001);
        assert_eq!(room.take(&demand(1, 700)).expect("there is room").gpus, 0b010);
        assert_eq!(
            room.take(&demand(1, 300)).expect("there is room").gpus,
            0b010,
            "300 are left there, exactly"
        );
        assert_eq!(room.take(&demand(1, 600)).expect("there is room").gpus, 0b001);
        assert_eq!(room.take(&demand(1, 1_000)).expect("there is room").gpus, 0b100);
        assert_eq!(room.take(&demand(1, 1)), None);
        room.give_back(&first);
        assert_eq!(room.take(&demand(1, 401)), None);
        assert_eq!(room.take(&demand(1, 400)), Some(first));
    }

    #[test]
    fn more_than_one_gpu_are_whole_ones() {
        let mut room = room(4);
        assert_eq!(room.take(&demand(1, 1)).expect("there is room").gpus, 0b0001);
        assert_eq!(room.take(&demand(4, 1_000)), None);
        let three = room.take(&demand(3, 1_000)).expect("there is room");
        assert_eq!((three.gpus, room.gpus_milli()), (0b1110, 999));
        room.give_back(&three);
        assert_eq!(room.take(&demand(2, 1_000)).expect("there is room").gpus, 0b0110);
    }

    #[test]
    fn nothing_is_taken_where_something_is_short() {
        let mut room = room(1);
        let before = room.clone();
        for demand in [
            Demand { cpu_milli: 8_001, ..demand(1, 10) },
            Demand { memory_mib: 4_097, ..demand(1, 10) },
            demand(2, 1_000),
        ] {
            assert_eq!(room.take(&demand), None);
            assert_eq!(room, before);
        }
        assert!(room.take(&Demand { cpu_milli: 8_000, memory_mib: 4_096, ..demand(0, 0) }).is_some());
        assert_eq!((room.cpu_milli(), room.memory_mib()), (0, 0));
    }
}
