//! A plan in the making: what is placed so far, what still has room, and what every plan begins and ends with.
//!
//! A plan begins with its foundation: replicas that are too young to go, pins, least numbers, targets, in this order. It ends
//! with what is loaded and still has room: memory that nobody needs may keep what it holds. In between strategies add what
//! they find worth it. As long as replicas are only added, room only shrinks, so what had no place once has none later.

use alloc::vec;
use alloc::vec::Vec;

use super::ground::{Ground, Pair};
use super::problem::{Demand, Hindrance, Limits, Plan, Replica, Standing, Unmet, Why};

/// A plan in the making.
#[derive(Clone, Debug)]
pub(super) struct Draft<'a> {
    pub(super) ground: &'a Ground<'a>,
    placed: Vec<Option<Why>>,
    /// Bytes of each host in use.
    used: Vec<u64>,
    /// Bytes of what is loaded on each host and has no place yet.
    undecided: Vec<u128>,
    /// Models of each host.
    held: Vec<u32>,
    /// Replicas of each model.
    replicas: Vec<u32>,
    /// Slots of each model.
    servers: Vec<u64>,
    /// Replicas by model, then zone.
    in_zone: Vec<u32>,
}

impl<'a> Draft<'a> {
    pub(super) fn empty(ground: &'a Ground<'a>) -> Self {
        let (hosts, models) = (ground.hosts_len(), ground.models_len());
        let mut undecided = vec![0; hosts];
        for (_, pair) in ground.residents.iter().filter(|(_, pair)| ground.is_allowed(*pair)) {
            undecided[pair.host] += u128::from(ground.problem.models[pair.model].memory.0);
        }
        Self {
            ground,
            placed: vec![None; hosts * models],
            used: vec![0; hosts],
            undecided,
            held: vec![0; hosts],
            replicas: vec![0; models],
            servers: vec![0; models],
            in_zone: vec![0; models * ground.zones_len],
        }
    }

    /// With the replicas that are too young to go and nothing else. Where not all have room, the oldest stay.
    pub(super) fn of_the_young(ground: &'a Ground<'a>) -> Self {
        let mut draft = Self::empty(ground);
        let problem = ground.problem;
        let mut young = ground.residents.clone();
        young.retain(|(resident, _)| problem.now.since(resident.since) < problem.residency_min);
        young.sort_by_key(|(resident, pair)| (resident.since, *pair));
        for (_, pair) in young {
            if draft.takes(pair) {
                draft.add(pair, Why::Young);
            }
        }
        draft
    }

    /// With all that every plan begins with.
    pub(super) fn founded(ground: &'a Ground<'a>) -> Self {
        let mut draft = Self::of_the_young(ground);
        for (model, hosts) in ground.pinned.iter().enumerate() {
            for pair in hosts.iter().map(|host| Pair { model, host: *host }) {
                if draft.takes(pair) {
                    draft.add(pair, Why::Pinned);
                }
            }
        }
        draft.reach(|limits| limits.min, Why::Minimum);
        draft.reach(|limits| limits.target.unwrap_or(0), Why::Target);
        draft
    }

    /// Adds replicas until each model has so many or none has room: the first of each model before any second one.
    fn reach(&mut self, wanted: impl Fn(&Limits) -> u32, why: Why) {
        let mut models = self.ground.largest_first();
        for round in 1..=self.ground.hosts_len() as u32 {
            models.retain(|model| wanted(&self.ground.problem.models[*model].limits) >= round);
            models.retain(|model| self.replicas[*model] >= round || self.add_best(*model, why));
        }
    }

    /// Adds a replica on the best host, if there is one.
    pub(super) fn add_best(&mut self, model: usize, why: Why) -> bool {
        let host = self.best_host(model);
        if let Some(host) = host {
            self.add(Pair { model, host }, why);
        }
        host.is_some()
    }

    /// Where another replica of the model goes: the best level; of one level where nothing that is loaded has to go, then
    /// in the zone with the fewest, then where it fits best.
    pub(super) fn best_host(&self, model: usize) -> Option<usize> {
        self.least_of_best_level(model, |host| {
            let pair = Pair { model, host };
            let left = self.ground.memory[host].saturating_sub(self.used[host]);
            (self.displaces(pair, left), self.in_zone[self.zone_index(pair)], left)
        })
    }

    /// Of the hosts that the model fits on those of the best level; of them the one with the least key, then the lowest id.
    pub(super) fn least_of_best_level<Key: Ord>(
        &self,
        model: usize,
        key: impl Fn(usize) -> Key,
    ) -> Option<usize> {
        let spreads = self.spreads(model);
        let mut best: Option<(u32, Key, usize)> = None;
        for host in self.ground.by_level(model) {
            let pair = Pair { model, host };
            let level = self.ground.level(pair);
            if best.as_ref().is_some_and(|(of, ..)| *of != level) {
                break;
            }
            if self.fits_if(pair, spreads) {
                let key = key(host);
                if best.as_ref().is_none_or(|(_, least, _)| key < *least) {
                    best = Some((level, key, host));
                }
            }
        }
        best.map(|(.., host)| host)
    }

    /// Whether with so many bytes left something that is loaded, and has no place yet, has to go for it.
    fn displaces(&self, pair: Pair, left: u64) -> bool {
        let own = if self.ground.is_resident(pair) { 0 } else { self.bytes(pair.model) };
        self.undecided[pair.host] + u128::from(own) > u128::from(left)
    }

    /// The host with the least key of those that the model fits on, of several the one with the lowest id.
    pub(super) fn least_host<Key: Ord>(&self, model: usize, key: impl Fn(usize) -> Key) -> Option<usize> {
        let spreads = self.spreads(model);
        (0..self.ground.hosts_len())
            .filter(|host| self.fits_if(Pair { model, host: *host }, spreads))
            .min_by_key(|host| key(*host))
    }

    fn fits_if(&self, pair: Pair, spreads: bool) -> bool {
        self.takes(pair) && (!spreads || self.in_zone[self.zone_index(pair)] == 0)
    }

    /// Whether the replica may be added: nothing is in its way, and it does not share a zone where it must not.
    pub(super) fn fits(&self, pair: Pair) -> bool {
        self.takes(pair) && (self.in_zone[self.zone_index(pair)] == 0 || !self.spreads(pair.model))
    }

    /// Whether the next replica of the model must go to a zone without one: it is in too few, and there is room in another.
    fn spreads(&self, model: usize) -> bool {
        let zones_min = self.ground.problem.models[model].zones_min;
        if zones_min <= 1 || self.replicas[model] == 0 {
            return false;
        }
        let of = model * self.ground.zones_len;
        let zones = &self.in_zone[of..of + self.ground.zones_len];
        zones.iter().filter(|replicas| **replicas > 0).count() < zones_min as usize
            && (0..self.ground.hosts_len())
                .map(|host| Pair { model, host })
                .any(|pair| self.in_zone[self.zone_index(pair)] == 0 && self.takes(pair))
    }

    /// Whether nothing is in the way of the replica; zones are not looked at.
    pub(super) fn takes(&self, pair: Pair) -> bool {
        let Pair { model, host } = pair;
        self.ground.is_allowed(pair)
            && self.held[host] < self.ground.models_max[host]
            && self.has_memory(pair)
            && !self.has(pair)
            && self.replicas[model] < self.ground.problem.models[model].limits.max
            && !self.meets_other(pair)
    }

    /// Ollama loads a model beside others only where it fits wholly, but one alone on its host at any size: what is loaded
    /// alone fits where it is.
    fn has_memory(&self, pair: Pair) -> bool {
        let Pair { model, host } = pair;
        let fits = self.used[host]
            .checked_add(self.bytes(model))
            .is_some_and(|used| used <= self.ground.memory[host]);
        fits || self.held[host] == 0 && self.ground.is_resident(pair)
    }

    fn meets_other(&self, pair: Pair) -> bool {
        self.ground.apart[pair.model].iter().any(|other| self.has(Pair { model: *other, host: pair.host }))
    }

    pub(super) fn add(&mut self, pair: Pair, why: Why) {
        debug_assert!(self.takes(pair), "a replica is added where nothing is in its way");
        let (index, zone, bytes) = (self.ground.index(pair), self.zone_index(pair), self.bytes(pair.model));
        self.placed[index] = Some(why);
        self.used[pair.host] += bytes;
        self.held[pair.host] += 1;
        self.replicas[pair.model] += 1;
        self.servers[pair.model] += self.ground.slots[pair.host];
        self.in_zone[zone] += 1;
        if self.ground.is_resident(pair) {
            self.undecided[pair.host] -= u128::from(bytes);
        }
    }

    /// Takes a replica out; gives back why it was there.
    pub(super) fn remove(&mut self, pair: Pair) -> Why {
        let (index, zone, bytes) = (self.ground.index(pair), self.zone_index(pair), self.bytes(pair.model));
        let why = self.placed[index].take().expect("only what is placed is taken out");
        self.used[pair.host] -= bytes;
        self.held[pair.host] -= 1;
        self.replicas[pair.model] -= 1;
        self.servers[pair.model] -= self.ground.slots[pair.host];
        self.in_zone[zone] -= 1;
        if self.ground.is_resident(pair) {
            self.undecided[pair.host] += u128::from(bytes);
        }
        why
    }

    /// Whether there is such a replica.
    pub(super) fn has(&self, pair: Pair) -> bool {
        self.why(pair).is_some()
    }

    pub(super) fn why(&self, pair: Pair) -> Option<Why> {
        self.placed[self.ground.index(pair)]
    }

    pub(super) fn replicas(&self, model: usize) -> u32 {
        self.replicas[model]
    }

    /// Requests for the model that all its replicas answer at the same time.
    pub(super) fn servers(&self, model: usize) -> u64 {
        self.servers[model]
    }

    /// Bytes of the host in use.
    pub(super) fn used(&self, host: usize) -> u64 {
        self.used[host]
    }

    fn bytes(&self, model: usize) -> u64 {
        self.ground.problem.models[model].memory.0
    }

    fn zone_index(&self, pair: Pair) -> usize {
        pair.model * self.ground.zones_len + self.ground.zone[pair.host]
    }

    /// Keeps what is loaded and fits, what was loaded first first.
    pub(super) fn keep_residents(&mut self) {
        for pair in self.ground.oldest_first() {
            if self.fits(pair) {
                self.add(pair, Why::Stays);
            }
        }
    }

    /// The plan, with what is loaded and still has room.
    pub(super) fn finish(mut self) -> Plan {
        self.keep_residents();
        self.plan(Standing::Sought)
    }

    /// The plan as it stands.
    pub(super) fn plan(&self, standing: Standing) -> Plan {
        let problem = self.ground.problem;
        let mut replicas = Vec::new();
        for host in 0..self.ground.hosts_len() {
            for model in 0..self.ground.models_len() {
                if let Some(why) = self.why(Pair { model, host }) {
                    replicas.push(Replica {
                        host: problem.hosts[host].id,
                        model: problem.models[model].id,
                        why,
                    });
                }
            }
        }
        Plan {
            standing,
            replicas,
            unmet: (0..problem.models.len()).flat_map(|model| self.unmet(model)).collect(),
        }
    }

    fn unmet(&self, model: usize) -> Vec<Unmet> {
        let of = &self.ground.problem.models[model];
        let mut pins = of.pinned.clone();
        pins.sort_unstable();
        pins.dedup();
        let mut unmet = Vec::new();
        for id in pins {
            let host = self.ground.problem.hosts.binary_search_by_key(&id, |host| host.id).ok();
            if host.is_none_or(|host| !self.has(Pair { model, host })) {
                let why = self.hindrance(model, host.into_iter());
                unmet.push(Unmet { model: of.id, demand: Demand::Pinned(id), why });
            }
        }
        let missing = of.limits.min.saturating_sub(self.replicas[model]);
        if missing > 0 {
            let why = self.hindrance(model, 0..self.ground.hosts_len());
            unmet.push(Unmet { model: of.id, demand: Demand::Minimum(missing), why });
        }
        unmet
    }

    /// What keeps the model from having another replica on one of these hosts.
    fn hindrance(&self, model: usize, hosts: impl Iterator<Item = usize>) -> Hindrance {
        let pairs = hosts.map(|host| Pair { model, host });
        let allowed: Vec<Pair> = pairs.filter(|pair| self.ground.is_allowed(*pair)).collect();
        let free: Vec<Pair> = allowed.iter().copied().filter(|pair| !self.has(*pair)).collect();
        if allowed.is_empty() {
            Hindrance::NoHost
        } else if free.is_empty() || self.replicas[model] >= self.ground.problem.models[model].limits.max {
            Hindrance::Limit
        } else if free.iter().all(|pair| self.bytes(model) > self.ground.memory[pair.host]) {
            Hindrance::TooLarge
        } else if free.iter().any(|pair| self.meets_other(*pair) && self.has_memory(*pair)) {
            Hindrance::Apart
        } else {
            Hindrance::Full
        }
    }
}
