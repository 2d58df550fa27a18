//! Contents from host to host: each round every host compares its names with those of one other, drawn for the round, by the trees of
//! hashes of [`detect`](crate::sync::detect), and either fetches from the other what is right there and not at home. What only the
//! registry has is pulled by one host first, as a seed.
//!
//! That is push-pull anti-entropy (Demers et al., Epidemic algorithms for replicated database maintenance, PODC 1987): a content is
//! everywhere after about log2 of the hosts in rounds, while the registry gives it once. Control draws and compares in the hosts'
//! place, from what they said last; only what it would have them fetch is theirs to do.

use alloc::vec::Vec;

use super::Control;
use crate::door::{Deed, Outputs, Part, StoredModel};
use crate::draw::{Component, Draw};
use crate::facts::errands::Kind;
use crate::ids::{HostId, ModelId};
use crate::sync::artifact::Origin;
use crate::sync::config::{Mode, SyncConfig};
use crate::sync::detect::{Change, Contents, Difference, diff};
use crate::units::Instant;

impl Control {
    /// Brings what a host has under managed names up to date in its index, where hosts gossip; `before` is what it had.
    pub(super) fn index_contents(&mut self, host: HostId, before: &[StoredModel]) {
        if self.config.sync.as_ref().is_none_or(|config| config.mode != Mode::Gossip) {
            return;
        }
        let implementation = self.implementation(Part::Hosts);
        let mut contents =
            self.indexes.contents.remove(&host).unwrap_or_else(|| Contents::new(implementation));
        let after = &self.facts.hosts[host.index()].observation;
        for gone in before.iter().filter(|gone| after.find_stored(gone.model).is_none()) {
            contents.remove(&self.facts.models[gone.model.index()].name);
        }
        let was_there = |stored: &StoredModel| {
            let at = before.binary_search_by_key(&stored.model, |before| before.model);
            at.is_ok_and(|at| before[at].digest == stored.digest)
        };
        let changed = after.stored.iter().filter(|stored| self.syncs(stored.model) && !was_there(stored));
        for stored in changed {
            let name = &self.facts.models[stored.model.index()].name;
            if stored.digest.is_known() {
                contents.set(name, self.facts.sync.canonical(stored.digest));
            } else {
                contents.remove(name);
            }
        }
        self.indexes.contents.insert(host, contents);
    }

    /// Has one host pull what is right, in the registry, and on no host that could pass it on.
    pub(super) fn seed(
        &mut self,
        now: Instant,
        drift: &[(ModelId, HostId)],
        config: &SyncConfig,
        out: &mut Outputs,
    ) {
        for of_model in drift.chunk_by(|one, next| one.0 == next.0) {
            let model = of_model[0].0;
            let free = of_model.iter().find(|(model, host)| self.is_free(now, (*host, *model)));
            if let Some(place) = free.filter(|_| self.needs_seed(now, model)) {
                self.bring_up_to_date(now, *place, config, out);
            }
        }
    }

    fn needs_seed(&self, now: Instant, model: ModelId) -> bool {
        let (sync, errands) = (&self.facts.sync, &self.facts.errands);
        let published = sync.right.get(&model).is_some_and(|right| sync.is_published(model, right.1));
        let prepares = |kind| matches!(kind, Kind::Pull | Kind::Branch);
        let mut offered = self.offered();
        published
            && !offered.any(|host| {
                let mut on_host = errands.on_host(host).filter(|errand| errand.action.model == model);
                let place = (host, model);
                self.has_right(model, host)
                    || on_host.any(|errand| prepares(Kind::of(errand.action.deed)))
                    || errands.settles(now, place) && prepares(errands.settling[&place].1)
            })
    }

    /// A round.
    pub(super) fn gossip(&mut self, now: Instant, seed: u64, out: &mut Outputs) {
        let Some(config) = self.config.sync.clone().filter(|_| !self.is_frozen()) else { return };
        let rounds = &mut self.facts.sync.counts.gossip.rounds;
        let round = *rounds;
        *rounds += 1;
        let offered: Vec<HostId> = self.offered().collect();
        let Some(others_len) = (offered.len() as u32).checked_sub(1).filter(|len| *len > 0) else { return };
        for (at, host) in offered.iter().enumerate() {
            let drawn = Draw::new(seed, Component::Gossip, host.0.into(), round).below(others_len) as usize;
            let other = offered[if drawn < at { drawn } else { drawn + 1 }];
            self.meet(now, [*host, other], &config, out);
        }
    }

    /// Two hosts compare what they have; what is right on one of them and not on the other begins to be fetched.
    fn meet(&mut self, now: Instant, hosts: [HostId; 2], config: &SyncConfig, out: &mut Outputs) {
        let [Some(one), Some(other)] = hosts.map(|host| self.indexes.contents.get(&host)) else { return };
        let (differences, compared) = diff(one, other);
        let counts = &mut self.facts.sync.counts.gossip;
        counts.comparisons += 1;
        counts.hashes += compared.hashes;
        counts.hash_bytes += compared.bytes();
        let [one, other] = hosts;
        for Difference { key, .. } in differences.iter().filter(|found| found.change == Change::Changed) {
            let Some(model) = self.indexes.names.peek(key).map(ModelId) else { continue };
            for (from, to) in [(one, other), (other, one)] {
                if self.has_right(model, from)
                    && self.facts.sync.is_stale(model, to)
                    && self.may_replace(now, (model, to), config, out)
                {
                    self.move_to(now, (model, to), Deed::Fetch(from), config, out);
                }
            }
        }
    }

    /// Whether a host said that it has a name's right content.
    fn has_right(&self, model: ModelId, host: HostId) -> bool {
        let sync = &self.facts.sync;
        let said = sync.registers.get(&model).and_then(|register| register.artifact(Origin::Host(host)));
        let right = sync.right.get(&model).map(|(_, digest)| *digest);
        said.is_some_and(|said| Some(said.digest) == right)
    }

    fn offered(&self) -> impl Iterator<Item = HostId> {
        self.hosts().filter(|host| self.facts.hosts[host.index()].is_offered())
    }
}
