//! A problem made ready to be searched: positions instead of ids, what holds for each pair of model and host as bits.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::problem::{Host, Model, Problem, Replica, Resident, SLOTS_MAX};
use crate::ids::{HostId, ModelId};

/// The host may have the model: it is open and not excluded.
const ALLOWED: u8 = 1;
/// The model is in its memory.
const RESIDENT: u8 = 2;
/// The model is on its disk.
const STORED: u8 = 4;

/// An indexed problem. Models and hosts are given by their positions in it.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) problem: &'a Problem,
    /// Requests that each host answers at the same time for a loaded model.
    pub(super) slots: Vec<u64>,
    /// Bytes of each host, and most models there.
    pub(super) memory: Vec<u64>,
    pub(super) models_max: Vec<u32>,
    /// The zone of each host, numbered densely.
    pub(super) zone: Vec<usize>,
    pub(super) zones_len: usize,
    /// Which models each must be apart from.
    pub(super) apart: Vec<Vec<usize>>,
    /// Hosts that each model is pinned to, as far as they are known; in order, each once.
    pub(super) pinned: Vec<Vec<usize>>,
    /// What is in memory, without what is not known.
    pub(super) residents: Vec<(Resident, Pair)>,
    /// By model, then host.
    pairs: Vec<u8>,
    /// Hosts that may have each model, by level, then id.
    by_level: Vec<Vec<u32>>,
}

/// Positions of a model and a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Pair {
    pub(super) model: usize,
    pub(super) host: usize,
}

impl<'a> Ground<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        let Problem { hosts, models, .. } = problem;
        assert!(hosts.is_sorted_by(|a, b| a.id < b.id), "hosts stand in order of id, each once");
        assert!(models.is_sorted_by(|a, b| a.id < b.id), "models stand in order of id, each once");
        let mut zones: Vec<u32> = hosts.iter().map(|host| host.zone).collect();
        zones.sort_unstable();
        zones.dedup();
        let zone_of = |host: &Host| zones.partition_point(|zone| *zone < host.zone);
        let open: Vec<u8> = hosts.iter().map(|host| if host.open { ALLOWED } else { 0 }).collect();
        let mut ground = Self {
            problem,
            slots: hosts.iter().map(|host| host.slots.clamp(1, SLOTS_MAX).into()).collect(),
            memory: hosts.iter().map(|host| host.memory.0).collect(),
            models_max: hosts.iter().map(|host| host.models_max.unwrap_or(u32::MAX)).collect(),
            zone: hosts.iter().map(zone_of).collect(),
            zones_len: zones.len(),
            apart: vec![Vec::new(); models.len()],
            pinned: vec![Vec::new(); models.len()],
            residents: Vec::new(),
            pairs: open.repeat(models.len()),
            by_level: Vec::new(),
        };
        for (at, model) in models.iter().enumerate() {
            ground.add_model(at, model);
        }
        for (at, host) in hosts.iter().enumerate() {
            for model in host.stored.iter().filter_map(|model| position(models, *model)) {
                ground.mark(Pair { model, host: at }, STORED);
            }
        }
        for resident in &problem.loaded {
            ground.add_resident(*resident);
        }
        let mut by_slots: Vec<u32> = (0..hosts.len() as u32).collect();
        by_slots.sort_by_key(|host| Reverse(ground.slots[*host as usize]));
        ground.by_level = (0..models.len()).map(|model| ground.sorted_by_level(model, &by_slots)).collect();
        ground
    }

    fn add_model(&mut self, at: usize, model: &Model) {
        for excluded in &model.excluded {
            if let Some(host) = self.host(*excluded) {
                let index = self.index(Pair { model: at, host });
                self.pairs[index] &= !ALLOWED;
            }
        }
        for other in &model.apart_from {
            match position(&self.problem.models, *other) {
                Some(other) if other != at => {
                    self.apart[at].push(other);
                    self.apart[other].push(at);
                }
                _ => {}
            }
        }
        let mut pinned: Vec<usize> = model.pinned.iter().filter_map(|host| self.host(*host)).collect();
        pinned.sort_unstable();
        pinned.dedup();
        self.pinned[at] = pinned;
    }

    fn add_resident(&mut self, resident: Resident) {
        let Some(model) = position(&self.problem.models, resident.model) else { return };
        let Some(host) = self.host(resident.host) else { return };
        let pair = Pair { model, host };
        if !self.is_resident(pair) {
            self.mark(pair, RESIDENT);
            self.residents.push((resident, pair));
        }
    }

    /// `by_slots` are all hosts, those with the most slots first.
    fn sorted_by_level(&self, model: usize, by_slots: &[u32]) -> Vec<u32> {
        let mut by_lack: [Vec<u32>; 4] = Default::default();
        for host in by_slots {
            let pair = Pair { model, host: *host as usize };
            if self.is_allowed(pair) {
                by_lack[self.lacks(pair) as usize].push(*host);
            }
        }
        by_lack.concat()
    }

    fn mark(&mut self, pair: Pair, bit: u8) {
        let index = self.index(pair);
        self.pairs[index] |= bit;
    }

    fn host(&self, id: HostId) -> Option<usize> {
        self.problem.hosts.binary_search_by_key(&id, |host| host.id).ok()
    }

    /// Where a replica of a plan stands; `None` where its host or model is not there.
    pub(super) fn pair(&self, replica: &Replica) -> Option<Pair> {
        Some(Pair { model: position(&self.problem.models, replica.model)?, host: self.host(replica.host)? })
    }

    /// What is in memory, the oldest first.
    pub(super) fn oldest_first(&self) -> Vec<Pair> {
        let mut residents = self.residents.clone();
        residents.sort_by_key(|(resident, pair)| (resident.since, *pair));
        residents.into_iter().map(|(_, pair)| pair).collect()
    }

    pub(super) fn hosts_len(&self) -> usize {
        self.problem.hosts.len()
    }

    pub(super) fn models_len(&self) -> usize {
        self.problem.models.len()
    }

    /// Where a pair stands among all pairs.
    pub(super) fn index(&self, pair: Pair) -> usize {
        pair.model * self.hosts_len() + pair.host
    }

    /// Whether the host is open and not excluded.
    pub(super) fn is_allowed(&self, pair: Pair) -> bool {
        self.pairs[self.index(pair)] & ALLOWED != 0
    }

    pub(super) fn is_resident(&self, pair: Pair) -> bool {
        self.pairs[self.index(pair)] & RESIDENT != 0
    }

    pub(super) fn is_stored(&self, pair: Pair) -> bool {
        self.pairs[self.index(pair)] & STORED != 0
    }

    pub(super) fn is_pinned(&self, pair: Pair) -> bool {
        self.pinned[pair.model].binary_search(&pair.host).is_ok()
    }

    /// How good a host is for a replica of a model, least first, by what never changes: it has the model in memory, it has it on
    /// disk, it has many slots.
    pub(super) fn level(&self, pair: Pair) -> u32 {
        self.lacks(pair) * SLOTS_MAX + (SLOTS_MAX - self.slots[pair.host] as u32)
    }

    /// 2 where the model is not in memory, and 1 where it is not on disk.
    fn lacks(&self, pair: Pair) -> u32 {
        let bits = self.pairs[self.index(pair)];
        u32::from(bits & RESIDENT == 0) << 1 | u32::from(bits & STORED == 0)
    }

    /// Hosts that may have the model, by level, then id.
    pub(super) fn by_level(&self, model: usize) -> impl Iterator<Item = usize> {
        self.by_level[model].iter().map(|host| *host as usize)
    }

    /// Positions of the models, the largest first, of several the one with the lowest id.
    pub(super) fn largest_first(&self) -> Vec<usize> {
        let mut models: Vec<usize> = (0..self.models_len()).collect();
        models.sort_by_key(|model| Reverse(self.problem.models[*model].memory));
        models
    }
}

/// Where a model stands.
pub(super) fn position(models: &[Model], id: ModelId) -> Option<usize> {
    models.binary_search_by_key(&id, |model| model.id).ok()
}
