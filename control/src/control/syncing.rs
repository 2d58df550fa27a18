//! Sync at work: what hosts and the registry say of a name goes into its register, whose verdict says which content is right. Hosts that
//! have another are brought up to date by [`moving`](super::moving).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::Control;
use crate::digest::Digest;
use crate::door::{Manifest, Note, Output, Outputs, StoredModel};
use crate::ids::{HostId, ModelId};
use crate::sync::artifact::{Artifact, Details, Origin, Permission, VersionVector};
use crate::sync::config::Mode;
use crate::sync::conflict::Kind;
use crate::sync::register::{Decision, Register, Verdict};
use crate::sync::version::{Version, name_and_tag};
use crate::units::Instant;

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

    /// All registers anew: who is managed may have changed, and by which policy.
    pub(super) fn rebuild_registers(&mut self, now: Instant, out: &mut Outputs) {
        if self.config.sync.is_none() {
            self.facts.sync.registers.clear();
            self.facts.sync.right.clear();
            self.facts.sync.drift.clear();
            self.facts.sync.diverged.clear();
            self.index_versions();
            return;
        }
        let known = self.facts.sync.registers.keys().copied();
        let unmanaged: Vec<ModelId> = known.filter(|model| !self.syncs(*model)).collect();
        for model in unmanaged {
            self.facts.sync.forget(model);
            self.index_version(model);
        }
        let published = self.facts.sync.published.keys().copied();
        let published: Vec<ModelId> = published.filter(|model| self.syncs(*model)).collect();
        published.into_iter().for_each(|model| self.say_catalogue(model));
        self.say_all_contents();
        let judged: BTreeSet<ModelId> = self.facts.sync.registers.keys().copied().collect();
        self.judge(now, &judged, out);
    }

    /// What all hosts say of the names on their disks goes into the registers; names of which that is new.
    fn say_all_contents(&mut self) -> BTreeSet<ModelId> {
        let mut changed = BTreeSet::new();
        for host in self.hosts() {
            self.say_contents(host, &[], &mut changed);
        }
        changed
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
            let mut changed = self.learn_pushed(model);
            if self.syncs(model) {
                self.say_catalogue(model);
                changed.insert(model);
            }
            self.judge(now, &changed, out);
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
        self.judge(now, &[model].into(), out);
        self.sync_errands(now, out);
    }

    /// What the registry holds after a push is what the host has that pushed it, under a manifest of its own. Names of which hosts
    /// are thereby known to have something else.
    fn learn_pushed(&mut self, model: ModelId) -> BTreeSet<ModelId> {
        let sync = &mut self.facts.sync;
        let Some(pushed) = sync.pushed.remove(&model) else { return BTreeSet::new() };
        let Some(manifest) = sync.published.get(&model).filter(|manifest| manifest.digest != pushed) else {
            return BTreeSet::new();
        };
        sync.same.insert(pushed, manifest.digest);
        self.say_all_contents()
    }

    /// A host has pushed what it holds.
    pub(super) fn content_pushed(&mut self, host: HostId, model: ModelId) {
        if let Some(digest) = self.digest_on(host, model) {
            self.facts.sync.pushed.insert(model, digest);
        }
    }

    pub(super) fn digest_on(&self, host: HostId, model: ModelId) -> Option<Digest> {
        Some(self.facts.hosts[host.index()].observation.find_stored(model)?.digest)
    }

    /// What the registry says of a name goes into its register.
    fn say_catalogue(&mut self, model: ModelId) {
        let modified_nanos = self.facts.sync.modified_nanos.get(&model).copied().unwrap_or(0);
        let artifact = self.facts.sync.published.get(&model).map(|manifest| {
            let (bytes, digest) = (manifest.bytes(), manifest.digest);
            let stored = StoredModel { model, bytes, digest, modified_nanos };
            self.artifact(Origin::Catalogue, &stored)
        });
        self.say(model, Origin::Catalogue, artifact);
    }

    /// What a host says of the names on its disk, where that differs from `before`.
    pub(super) fn hear_contents(
        &mut self,
        now: Instant,
        host: HostId,
        before: &[StoredModel],
        out: &mut Outputs,
    ) {
        if self.config.sync.is_some() {
            let mut changed = BTreeSet::new();
            self.say_contents(host, before, &mut changed);
            self.judge(now, &changed, out);
        }
    }

    fn say_contents(&mut self, host: HostId, before: &[StoredModel], changed: &mut BTreeSet<ModelId>) {
        self.index_contents(host, before);
        let after = self.facts.hosts[host.index()].observation.stored.clone();
        let origin = Origin::Host(host);
        for stored in &after {
            let known = self.facts.sync.registers.get(&stored.model);
            let said = known.and_then(|register| register.artifact(origin)).map(|said| said.digest);
            let digest = self.facts.sync.canonical(stored.digest);
            if digest.is_known() && self.syncs(stored.model) && said != Some(digest) {
                let artifact = self.artifact(origin, stored);
                self.say(stored.model, origin, Some(artifact));
                changed.insert(stored.model);
            }
        }
        for gone in before {
            let is_gone = self.facts.hosts[host.index()].observation.find_stored(gone.model).is_none();
            let register = self.facts.sync.registers.get(&gone.model);
            if is_gone && register.is_some_and(|register| register.artifact(origin).is_some()) {
                self.say(gone.model, origin, None);
                changed.insert(gone.model);
            }
        }
    }

    pub(super) fn syncs(&self, model: ModelId) -> bool {
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
            version: Version::of(name_and_tag(name).1.unwrap_or("latest")),
            modified_unix_nanos: stored.modified_nanos,
            vector,
            size: stored.bytes,
            permission: Permission::Open,
        }
    }

    /// Finds out which content of each of these names is right, who has another, and whether they differ.
    fn judge(&mut self, now: Instant, models: &BTreeSet<ModelId>, out: &mut Outputs) {
        let Some(config) = &self.config.sync else { return };
        let register = |model: &ModelId| Some((*model, self.facts.sync.registers.get(model)?));
        let (models, registers): (Vec<ModelId>, Vec<&Register>) = models.iter().filter_map(register).unzip();
        let verdicts = self.indexes.resolver.resolve(&*self.executor, &registers, &config.policy, self.epoch);
        for (model, verdict) in models.into_iter().zip(verdicts) {
            self.take_verdict(now, model, verdict, out);
            self.index_version(model);
        }
    }

    fn take_verdict(&mut self, now: Instant, model: ModelId, verdict: Verdict, out: &mut Outputs) {
        let sync = &mut self.facts.sync;
        let Some(register) = sync.registers.get(&model) else { return };
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
