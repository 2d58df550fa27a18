//! Contents on their way: hosts that lack the right content of a name are brought up to date, in the order of the mode and within the
//! budget; so is the registry, and names with too few copies get more.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Control;
use super::errands::Terms;
use crate::digest::Digest;
use crate::door::{Deed, Outputs};
use crate::facts::errands::{Kind, Purpose};
use crate::ids::{HostId, ModelId};
use crate::registries;
use crate::sync::artifact::Origin;
use crate::sync::config::{Mode, SyncConfig};
use crate::sync::register::Register;
use crate::units::{Bytes, Instant, Nanos};

/// How often what is still to do is looked at again.
const LOOKS: Nanos = Nanos::from_secs(30);

/// The same by the config.
pub(super) fn looks_every(config: &SyncConfig) -> Nanos {
    match config.mode {
        Mode::Periodic => config.period,
        Mode::Gossip => config.gossip_period,
        _ => LOOKS,
    }
}

impl Control {
    /// Looks whether something is to be done, where it is time.
    pub(super) fn sync_on_time(&mut self, now: Instant, out: &mut Outputs, seed: u64) {
        let due = self.facts.sync.tick_at.is_some_and(|at| at <= now);
        let Some(config) = self.config.sync.as_ref().filter(|_| due) else { return };
        self.facts.sync.tick_at = Some(now.saturating_add(looks_every(config)));
        self.facts.sync.open = true;
        let gossips = config.mode == Mode::Gossip;
        self.sync_errands(now, out);
        if gossips {
            self.gossip(now, seed, out);
        }
    }

    /// Begins what brings hosts up to date, as far as the budget goes.
    pub(super) fn sync_errands(&mut self, now: Instant, out: &mut Outputs) {
        let Some(config) = self.config.sync.as_ref().filter(|_| !self.is_frozen()) else { return };
        if self.facts.sync.drift.is_empty() {
            self.facts.sync.open = false;
            if config.copies_min <= 1 && self.facts.sync.diverged.is_empty() {
                return;
            }
        }
        if !self.may_begin(now, config) {
            return;
        }
        let config = config.clone();
        let drift = self.in_order(&config);
        if config.mode == Mode::Gossip {
            self.seed(now, &drift, &config, out);
        } else {
            for (model, host) in drift {
                if self.may_move(model, &config) {
                    self.bring_up_to_date(now, (model, host), &config, out);
                }
            }
        }
        self.correct_registry(now, &config, out);
        self.replicate(now, &config, out);
    }

    /// The same on one host, but for what waits for a round of `gossip`.
    pub(super) fn sync_host(&mut self, now: Instant, host: HostId, out: &mut Outputs) {
        let Some(config) = self.config.sync.as_ref().filter(|_| !self.is_frozen()) else { return };
        let gossips = config.mode == Mode::Gossip;
        if self.facts.sync.drift.is_empty() || gossips || !self.may_begin(now, config) {
            return;
        }
        let stored = self.facts.hosts[host.index()].observation.stored.iter().map(|stored| stored.model);
        let drift: Vec<(ModelId, HostId)> = stored
            .map(|model| (model, host))
            .filter(|(model, host)| self.facts.sync.is_stale(*model, *host) && self.may_move(*model, config))
            .collect();
        if drift.is_empty() {
            return;
        }
        let config = config.clone();
        for place in drift {
            self.bring_up_to_date(now, place, &config, out);
        }
    }

    /// Whether the budgets allow another change. Where nothing is done, all that would be is shown.
    fn may_begin(&self, now: Instant, config: &SyncConfig) -> bool {
        let paid = config.mode != Mode::BandwidthAware || self.facts.sync.paid_at <= now;
        !config.act || paid && self.facts.errands.allows(now, Purpose::Sync, config.changes_per_hour_max)
    }

    /// Whether something may be done for hosts that lack a name's right content: it is due, and where all that is left is to pull
    /// it, one more pull may begin.
    fn may_move(&self, model: ModelId, config: &SyncConfig) -> bool {
        let sync = &self.facts.sync;
        let pulled = |(_, digest): &(Origin, Digest)| sync.is_published(model, *digest);
        self.is_due(model, config)
            && (self.may_pull(config) || config.keep_others || !sync.right.get(&model).is_some_and(pulled))
    }

    fn may_pull(&self, config: &SyncConfig) -> bool {
        self.facts.errands.of_kind(Kind::Pull) < config.pulls_at_once_max.into()
    }

    /// Whether the mode lets hosts get a name's right content now.
    fn is_due(&self, model: ModelId, config: &SyncConfig) -> bool {
        match config.mode {
            Mode::Lazy => self.facts.sync.asked.contains(&model),
            Mode::Periodic => self.facts.sync.open,
            _ => true,
        }
    }

    /// Hosts to be brought up to date, in the order of the mode.
    fn in_order(&self, config: &SyncConfig) -> Vec<(ModelId, HostId)> {
        let sync = &self.facts.sync;
        let due = sync.drift.iter().filter(|(model, _)| self.may_move(*model, config));
        let mut drift: Vec<(ModelId, HostId)> = due.copied().collect();
        match config.mode {
            Mode::Eager | Mode::Lazy | Mode::Periodic | Mode::Gossip => {}
            Mode::BandwidthAware => {
                drift.sort_by_key(|(model, host)| (self.lacking(*model, *host), *model, *host));
            }
            Mode::LatencyFirst => {
                let asked = |model: &ModelId| {
                    (self.facts.placement.arrivals_micros(*model), self.indexes.models[model.index()].running)
                };
                let busy = |host: &HostId| self.facts.loads[host.index()].in_flight;
                drift.sort_by_key(|(model, host)| (Reverse(asked(model)), busy(host), *model, *host));
            }
            Mode::ReliabilityFirst => {
                drift.sort_by_key(|(model, host)| (self.good_copies(*model), *model, *host));
            }
        }
        drift
    }

    /// Hosts that answer and have the right content of a name.
    #[must_use]
    pub fn good_copies(&self, model: ModelId) -> u32 {
        let stored = &self.indexes.models[model.index()].stored;
        let good =
            |host: &HostId| self.facts.hosts[host.index()].is_up() && !self.facts.sync.is_stale(model, *host);
        stored.iter().filter(good).count() as u32
    }

    /// Bytes of the right content that a host lacks, as far as layers are known.
    fn lacking(&self, model: ModelId, host: HostId) -> Bytes {
        let sync = &self.facts.sync;
        let right = sync.right.get(&model).and_then(|(_, digest)| sync.manifests.get(digest));
        let Some(right) = right else { return self.size_of(model).unwrap_or(Bytes::ZERO) };
        let stored = &self.facts.hosts[host.index()].observation.stored;
        let held = stored.iter().filter_map(|stored| sync.manifests.get(&stored.digest));
        let held: Vec<Digest> =
            held.flat_map(|manifest| &manifest.layers).map(|layer| layer.digest).collect();
        right.layers.iter().filter(|layer| !held.contains(&layer.digest)).map(|layer| layer.bytes).sum()
    }

    pub(super) fn bring_up_to_date(
        &mut self,
        now: Instant,
        (model, host): (ModelId, HostId),
        config: &SyncConfig,
        out: &mut Outputs,
    ) {
        if !self.may_replace(now, (model, host), config, out) {
            return;
        }
        let Some((origin, digest)) = self.facts.sync.right.get(&model).copied() else { return };
        match origin {
            _ if self.facts.sync.is_published(model, digest) => {
                self.move_to(now, (model, host), Deed::Pull, config, out);
            }
            Origin::Host(from) if config.peers => {
                if self.facts.hosts[from.index()].is_up() {
                    self.move_to(now, (model, host), Deed::Fetch(from), config, out);
                }
            }
            Origin::Host(from) => self.push(now, (model, from), config, out),
            Origin::Catalogue => {}
        }
    }

    /// Whether the right content may take the place of what a host has. What is to be kept is given its second name first.
    pub(super) fn may_replace(
        &mut self,
        now: Instant,
        (model, host): (ModelId, HostId),
        config: &SyncConfig,
        out: &mut Outputs,
    ) -> bool {
        if !self.is_free(now, (host, model)) {
            return false;
        }
        let Some((_, digest)) = self.facts.sync.right.get(&model).copied() else { return false };
        let terms = Terms::of_sync(config);
        let Some(held) = self.digest_on(host, model) else { return false };
        let own = (model, host, self.facts.sync.canonical(held));
        if config.keep_others
            && self.other_weights(model, own.2, digest)
            && !self.facts.sync.kept.contains(&own)
        {
            self.act(now, (host, Deed::Branch, model), terms, out);
            return false;
        }
        let name = &self.facts.models[model.index()].name;
        registries::allow_name(&config.registries, name)
    }

    /// Where a host has the right content of a name and the registry another, it is pushed, also where no other host lacks it.
    fn correct_registry(&mut self, now: Instant, config: &SyncConfig, out: &mut Outputs) {
        let sync = &self.facts.sync;
        let behind = |model: &ModelId| match (sync.right.get(model)?, sync.published.get(model)?) {
            ((Origin::Host(from), digest), published) if published.digest != *digest => Some((*model, *from)),
            _ => None,
        };
        let behind: Vec<(ModelId, HostId)> = sync.diverged.keys().filter_map(behind).collect();
        for (model, from) in behind {
            self.push(now, (model, from), config, out);
        }
    }

    /// Pushes what a host has under a name, where that is allowed and was not done already.
    fn push(
        &mut self,
        now: Instant,
        (model, from): (ModelId, HostId),
        config: &SyncConfig,
        out: &mut Outputs,
    ) {
        let name = &self.facts.models[model.index()].name;
        let may_push = config.allow_push && registries::allow_name(&config.registries, name);
        let unheard = self.facts.sync.pushed.get(&model).copied();
        if may_push && self.is_free(now, (from, model)) && unheard != self.digest_on(from, model) {
            self.act(now, (from, Deed::Push, model), Terms::of_sync(config), out);
        }
    }

    fn other_weights(&self, model: ModelId, own: Digest, right: Digest) -> bool {
        let register = self.facts.sync.registers.get(&model);
        let weights = |digest: Digest| {
            let mut artifacts = register.into_iter().flat_map(Register::artifacts);
            artifacts.find(|(_, artifact)| artifact.digest == digest).map(|(_, artifact)| artifact.weights)
        };
        weights(own) != weights(right)
    }

    /// Pulls or fetches, where a pull is free, the disk has room and the mode's bandwidth allows it.
    pub(super) fn move_to(
        &mut self,
        now: Instant,
        (model, host): (ModelId, HostId),
        deed: Deed,
        config: &SyncConfig,
        out: &mut Outputs,
    ) {
        if !self.may_pull(config) {
            return;
        }
        let bytes = self.lacking(model, host);
        if config.mode == Mode::BandwidthAware && config.act {
            if self.facts.sync.paid_at > now {
                return;
            }
            let nanos = u128::from(bytes.0) * 1_000_000_000 / u128::from(config.bytes_per_second);
            let paid = now.saturating_add(Nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
            self.facts.sync.paid_at = paid;
            self.facts.sync.tick_at = Some(self.facts.sync.tick_at.map_or(paid, |at| at.min(paid)));
        }
        if self.act(now, (host, deed, model), Terms::of_sync(config), out) {
            self.facts.sync.counts.asked_bytes += bytes.0;
        }
    }

    /// Names that some host has, but with too few good copies, get one more: on a host that is open, has room, and stands in a zone that has the fewest.
    fn replicate(&mut self, now: Instant, config: &SyncConfig, out: &mut Outputs) {
        if config.copies_min <= 1 {
            return;
        }
        let models: Vec<ModelId> = self.facts.sync.right.keys().copied().collect();
        for model in models {
            let comes = self.facts.errands.comes(now, model);
            let published = self.facts.sync.published.contains_key(&model);
            let nowhere = self.indexes.models[model.index()].stored.is_empty();
            if comes || !published || nowhere || self.good_copies(model) >= config.copies_min {
                continue;
            }
            let stored = &self.indexes.models[model.index()].stored;
            let zone = |host: HostId| &self.facts.hosts[host.index()].declaration.zone;
            let in_zone = |host: HostId| stored.iter().filter(|other| zone(*other) == zone(host)).count();
            let open = self.hosts().filter(|host| {
                !stored.contains(*host)
                    && self.is_free(now, (*host, model))
                    && self.has_room_on_disk(*host, model)
            });
            let best =
                open.min_by_key(|host| (in_zone(*host), self.facts.errands.on_host(*host).count(), *host));
            if let Some(host) = best {
                self.move_to(now, (model, host), Deed::Pull, config, out);
            }
        }
    }

    /// A content was kept under a second name.
    pub(super) fn content_kept(&mut self, host: HostId, model: ModelId) {
        if let Some(held) = self.digest_on(host, model) {
            self.facts.sync.kept.insert((model, host, self.facts.sync.canonical(held)));
        }
    }
}
