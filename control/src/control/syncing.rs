//! Sync at work: what hosts and the registry say of a name goes into its register, whose verdict says which content is right, and hosts
//! that have another are brought up to date, in the order of the mode and within the budget.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Control;
use super::errands::Terms;
use crate::digest::Digest;
use crate::door::{Deed, Manifest, Note, Output, Outputs, StoredModel};
use crate::facts::errands::{Kind as Doing, Purpose};
use crate::ids::{HostId, ModelId};
use crate::registries;
use crate::sync::artifact::{Artifact, Details, Origin, Permission, VersionVector};
use crate::sync::config::{Mode, SyncConfig};
use crate::sync::conflict::Kind;
use crate::sync::register::{Decision, Register, Verdict};
use crate::sync::version::Version;
use crate::units::{Bytes, Instant, Nanos};

/// How often what is still to do is looked at again.
const LOOKS: Nanos = Nanos::from_secs(30);

impl Control {
    /// A config was installed, or the facts were read.
    pub(super) fn prepare_sync(&mut self) {
        let sync = &mut self.facts.sync;
        sync.tick_at = match &self.config.sync {
            None => None,
            Some(config) if config.mode == Mode::Periodic => {
                Some(sync.tick_at.unwrap_or(Instant::ZERO + config.period))
            }
            Some(_) => Some(sync.tick_at.unwrap_or(Instant::ZERO)),
        };
    }

    /// All registers anew: who is managed may have changed.
    pub(super) fn rebuild_registers(&mut self, now: Instant, out: &mut Outputs) {
        if self.config.sync.is_none() {
            self.facts.sync.registers.clear();
            self.facts.sync.right.clear();
            self.facts.sync.drift.clear();
            self.facts.sync.diverged.clear();
            return;
        }
        let published: Vec<ModelId> = self.facts.sync.published.keys().copied().collect();
        published.into_iter().for_each(|model| self.hear_catalogue(now, model, out));
        for host in (0..self.facts.hosts.len() as u32).map(HostId) {
            self.hear_contents(now, host, &[], out);
        }
    }

    pub(super) fn on_published(
        &mut self,
        now: Instant,
        model: ModelId,
        manifest: Option<Manifest>,
        modified_nanos: u64,
        out: &mut Outputs,
    ) {
        self.facts.sync.publish(model, manifest.map(|manifest| (manifest, modified_nanos)));
        if self.config.sync.is_some() {
            self.learn_pushed(now, model, out);
            self.hear_catalogue(now, model, out);
            self.sync_errands(now, out);
        }
    }

    /// An operator decided which content of a name is right, or withdrew that.
    pub(super) fn decide_content(
        &mut self,
        now: Instant,
        model: ModelId,
        keep: Option<Digest>,
        out: &mut Outputs,
    ) {
        let register = self.facts.sync.registers.entry(model).or_default();
        let number = register.decision().number + 1;
        register.decide(Decision { number, keep });
        self.judge(now, model, out);
        self.sync_errands(now, out);
    }

    /// What the registry holds after a push is what the host has that pushed it, under a manifest of its own.
    fn learn_pushed(&mut self, now: Instant, model: ModelId, out: &mut Outputs) {
        let sync = &mut self.facts.sync;
        let Some(pushed) = sync.pushed.remove(&model) else { return };
        let Some(manifest) = sync.published.get(&model).filter(|manifest| manifest.digest != pushed) else {
            return;
        };
        sync.same.insert(pushed, manifest.digest);
        for host in (0..self.facts.hosts.len() as u32).map(HostId) {
            self.hear_contents(now, host, &[], out);
        }
    }

    /// A host has pushed what it holds.
    pub(super) fn content_pushed(&mut self, host: HostId, model: ModelId) {
        if let Some(digest) = self.digest_on(host, model) {
            self.facts.sync.pushed.insert(model, digest);
        }
    }

    fn digest_on(&self, host: HostId, model: ModelId) -> Option<Digest> {
        Some(self.facts.hosts[host.index()].observation.find_stored(model)?.digest)
    }

    /// What the registry says of a name.
    fn hear_catalogue(&mut self, now: Instant, model: ModelId, out: &mut Outputs) {
        if !self.syncs(model) {
            return;
        }
        let modified_nanos = self.facts.sync.modified_nanos.get(&model).copied().unwrap_or(0);
        let artifact = self.facts.sync.published.get(&model).map(|manifest| {
            let (bytes, digest) = (manifest.bytes(), manifest.digest);
            let stored = StoredModel { model, bytes, digest, modified_nanos };
            self.artifact(Origin::Catalogue, &stored)
        });
        self.say(model, Origin::Catalogue, artifact);
        self.judge(now, model, out);
    }

    /// What a host says of the names on its disk, where that differs from `before`.
    pub(super) fn hear_contents(
        &mut self,
        now: Instant,
        host: HostId,
        before: &[StoredModel],
        out: &mut Outputs,
    ) {
        if self.config.sync.is_none() {
            return;
        }
        let after = self.facts.hosts[host.index()].observation.stored.clone();
        let origin = Origin::Host(host);
        for stored in &after {
            let known = self.facts.sync.registers.get(&stored.model);
            let said = known.and_then(|register| register.artifact(origin)).map(|said| said.digest);
            let digest = self.facts.sync.canonical(stored.digest);
            if digest.is_known() && self.syncs(stored.model) && said != Some(digest) {
                let artifact = self.artifact(origin, stored);
                self.say(stored.model, origin, Some(artifact));
                self.judge(now, stored.model, out);
            }
        }
        for gone in before {
            let is_gone = self.facts.hosts[host.index()].observation.find_stored(gone.model).is_none();
            let register = self.facts.sync.registers.get(&gone.model);
            if is_gone && register.is_some_and(|register| register.artifact(origin).is_some()) {
                self.say(gone.model, origin, None);
                self.judge(now, gone.model, out);
            }
        }
    }

    fn syncs(&self, model: ModelId) -> bool {
        let name = &self.facts.models[model.index()].name;
        self.config.sync.as_ref().is_some_and(|config| config.manage.matches(name))
    }

    fn say(&mut self, model: ModelId, origin: Origin, artifact: Option<Artifact>) {
        let register = self.facts.sync.registers.entry(model).or_default();
        register.say(origin, register.next_sequence(origin), artifact);
    }

    /// A content as an origin has it. Its weights are told by the manifest, where the registry ever showed that; else each
    /// manifest counts as weights of its own. Who has what another had before took it from there and knew what that one knew; whoever
    /// has something new wrote it.
    fn artifact(&self, origin: Origin, stored: &StoredModel) -> Artifact {
        let register = self.facts.sync.registers.get(&stored.model);
        let digest = self.facts.sync.canonical(stored.digest);
        let same = |(_, other): &(Origin, &Artifact)| other.digest == digest;
        let mut vector = VersionVector::default();
        match register.and_then(|register| register.artifacts().find(same)) {
            Some((_, other)) => vector.join(&other.vector),
            None => {
                if let Some(own) = register.and_then(|register| register.artifact(origin)) {
                    vector.join(&own.vector);
                }
                vector.advance(origin);
            }
        }
        let manifest = self.facts.sync.manifests.get(&digest);
        let weights = manifest.and_then(|manifest| manifest.layers.iter().max_by_key(|layer| layer.bytes));
        let name = &self.facts.models[stored.model.index()].name;
        Artifact {
            digest,
            weights: weights.map_or(digest, |layer| layer.digest),
            details: Details::default(),
            settings: Digest::UNKNOWN,
            base: None,
            version: Version::of(name.rsplit_once(':').map_or("latest", |(_, tag)| tag)),
            modified_unix_nanos: stored.modified_nanos,
            vector,
            size: stored.bytes,
            permission: Permission::Open,
        }
    }

    /// Finds out which content of a name is right, who has another, and whether they differ.
    fn judge(&mut self, now: Instant, model: ModelId, out: &mut Outputs) {
        let Some(config) = &self.config.sync else { return };
        let sync = &mut self.facts.sync;
        let Some(register) = sync.registers.get(&model) else { return };
        let verdict =
            self.indexes.resolver.resolve(&*self.executor, &[register], &config.policy, self.epoch)[0];
        let right = match verdict {
            Verdict::Winner(origin) => register.artifact(origin).map(|artifact| (origin, artifact.digest)),
            Verdict::Nobody | Verdict::Undecided | Verdict::Awaited => None,
        };
        match right {
            Some(right) => sync.right.insert(model, right),
            None => sync.right.remove(&model),
        };
        let drifted: Vec<HostId> = sync.drifted(model).collect();
        for host in drifted {
            sync.drift.remove(&(model, host));
        }
        for (origin, artifact) in register.artifacts() {
            if let (Origin::Host(host), Some((_, digest))) = (origin, right)
                && artifact.digest != digest
            {
                sync.drift.insert((model, host));
            }
        }
        let gravest = gravest(register);
        let counts = &mut sync.counts;
        match (gravest, sync.diverged.get(&model).copied()) {
            (Some(kind), None) => {
                sync.diverged.insert(model, (now, kind));
                *counts.conflicts.entry(kind).or_default() += 1;
                out.push(Output::Note(Note::Conflict { model, kind }));
            }
            (None, Some((since, _))) => {
                let took = now.since(since).0;
                sync.diverged.remove(&model);
                sync.asked.remove(&model);
                counts.converged += 1;
                counts.converge_nanos += took;
                counts.converge_nanos_max = counts.converge_nanos_max.max(took);
                out.push(Output::Note(Note::Converged { model }));
            }
            _ => {}
        }
    }

    /// A request goes to a host: whether that has the right content is counted, and the name is asked for.
    pub(super) fn note_serve(&mut self, model: ModelId, host: HostId) {
        let sync = &mut self.facts.sync;
        if sync.is_stale(model, host) {
            sync.counts.stale_serves += 1;
        }
        if sync.diverged.contains_key(&model) {
            sync.asked.insert(model);
        }
    }

    /// Looks whether something is to be done, where it is time.
    pub(super) fn sync_on_time(&mut self, now: Instant, out: &mut Outputs) {
        let due = self.facts.sync.tick_at.is_some_and(|at| at <= now);
        let Some(config) = self.config.sync.as_ref().filter(|_| due) else { return };
        let wait = if config.mode == Mode::Periodic { config.period } else { LOOKS };
        self.facts.sync.tick_at = Some(now.saturating_add(wait));
        self.facts.sync.open = true;
        self.sync_errands(now, out);
    }

    /// Begins what brings hosts up to date, as far as the budget goes.
    pub(super) fn sync_errands(&mut self, now: Instant, out: &mut Outputs) {
        let Some(config) = self.config.sync.as_ref().filter(|_| !self.is_frozen()) else { return };
        if self.facts.sync.drift.is_empty() {
            self.facts.sync.open = false;
            if config.copies_min <= 1 {
                return;
            }
        }
        if !self.may_begin(now, config) {
            return;
        }
        let config = config.clone();
        for (model, host) in self.in_order(&config) {
            if self.may_move(model, &config) {
                self.bring_up_to_date(now, (model, host), &config, out);
            }
        }
        self.replicate(now, &config, out);
    }

    /// The same on one host.
    pub(super) fn sync_host(&mut self, now: Instant, host: HostId, out: &mut Outputs) {
        let Some(config) = self.config.sync.as_ref().filter(|_| !self.is_frozen()) else { return };
        if self.facts.sync.drift.is_empty() || !self.may_begin(now, config) {
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
        !config.act || paid && self.facts.errands.allows(now, config.changes_per_hour_max)
    }

    /// Whether something may be done for hosts that lack a name's right content: it is due, and where all that is left is to pull
    /// it, one more pull may begin.
    fn may_move(&self, model: ModelId, config: &SyncConfig) -> bool {
        let sync = &self.facts.sync;
        let pulled = |(_, digest): &(Origin, Digest)| {
            sync.published.get(&model).is_some_and(|manifest| manifest.digest == *digest)
        };
        self.is_due(model, config)
            && (self.may_pull(config) || config.keep_others || !sync.right.get(&model).is_some_and(pulled))
    }

    fn may_pull(&self, config: &SyncConfig) -> bool {
        self.facts.errands.of_kind(Doing::Pull) < config.pulls_at_once_max.into()
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
            Mode::Eager | Mode::Lazy | Mode::Periodic => {}
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

    fn bring_up_to_date(
        &mut self,
        now: Instant,
        (model, host): (ModelId, HostId),
        config: &SyncConfig,
        out: &mut Outputs,
    ) {
        if !self.is_free(now, (host, model)) {
            return;
        }
        let Some((origin, digest)) = self.facts.sync.right.get(&model).copied() else { return };
        let terms = Terms::of_sync(config);
        let Some(held) = self.digest_on(host, model) else { return };
        let own = (model, host, self.facts.sync.canonical(held));
        if config.keep_others
            && self.other_weights(model, own.2, digest)
            && !self.facts.sync.kept.contains(&own)
        {
            self.act(now, (host, Deed::Branch, model), Purpose::Sync, terms, out);
            return;
        }
        let name = &self.facts.models[model.index()].name;
        if !registries::allow(&config.registries, registries::of(name)) {
            return;
        }
        let published = self.facts.sync.published.get(&model).map(|manifest| manifest.digest);
        match origin {
            _ if published == Some(digest) => {
                self.move_to(now, (model, host), Deed::Pull, config, out);
            }
            Origin::Host(from) if config.peers => {
                self.move_to(now, (model, host), Deed::Fetch(from), config, out);
            }
            Origin::Host(from) if config.allow_push && self.is_free(now, (from, model)) => {
                self.act(now, (from, Deed::Push, model), Purpose::Sync, terms, out);
            }
            _ => {}
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
    fn move_to(
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
        if self.act(now, (host, deed, model), Purpose::Sync, Terms::of_sync(config), out) {
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
            let comes = self.facts.errands.comes(model);
            let published = self.facts.sync.published.contains_key(&model);
            let nowhere = self.indexes.models[model.index()].stored.is_empty();
            if comes || !published || nowhere || self.good_copies(model) >= config.copies_min {
                continue;
            }
            let stored = &self.indexes.models[model.index()].stored;
            let zone = |host: HostId| &self.facts.hosts[host.index()].declaration.zone;
            let in_zone = |host: HostId| stored.iter().filter(|other| zone(*other) == zone(host)).count();
            let hosts = (0..self.facts.hosts.len() as u32).map(HostId);
            let open = hosts.filter(|host| {
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

/// The gravest way in which those that have a name differ; none where all have the same manifest. Those that differ in time or
/// permission alone are one: what decides between manifests is graver.
fn gravest(register: &Register) -> Option<Kind> {
    let mut contents: Vec<&Artifact> = Vec::new();
    for (_, artifact) in register.artifacts() {
        if !contents.iter().any(|other| other.is_same_content(artifact)) {
            contents.push(artifact);
        }
    }
    let pairs = contents.iter().enumerate().flat_map(|(at, one)| {
        contents[at + 1..].iter().filter(|other| other.digest != one.digest).map(|other| (*one, *other))
    });
    pairs.filter_map(|(one, other)| Kind::between(one, other)).min()
}
