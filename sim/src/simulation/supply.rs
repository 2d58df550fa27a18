//! What hosts have on their disks and how it gets there: the registry, transfers over shared links, room on disks.
//!
//! A pull moves the layers that the host lacks, as one flow over the registry's link, the zone's and the host's. What it brings
//! counts as on the disk when all of it is there and its digests hold; until then its room is taken. Left out: layers that go on
//! where an earlier pull broke off, and a layer that two pulls of one host wait for (each moves it).

mod breaks;
mod meter;
mod names;

use std::collections::{BTreeMap, VecDeque};

use control::door::{Action, ActionFailure, ActionOutcome, Deed, Layer, Manifest};
use control::ids::{HostId, ModelId};
use control::index::Implementation;
use control::request::Failure;
use control::sync::blobs::BlobStore;
use control::units::{Bytes, Instant};
use sim_host::host::{DiskChange, StoredCopy};
use traces::record::Moved;
use traces::traffic::{Link, LinkTraffic, Traffic, Way};

use crate::config::{Fleet, NetworkConfig};
use crate::network::{Flow, FlowId, LinkId, Network, Rate, Route};
use crate::registry::{Content, Registry, Release};
use meter::Meter;
use names::Names;

/// Nanoseconds from 1970 to a run's beginning, for the time at which a content came to a host: 2026-01-01.
pub(super) const EPOCH_NANOS: u64 = 1_767_225_600_000_000_000;

/// A change of a host's disk that follows from an event here.
pub(super) type Change = (HostId, ModelId, DiskChange);

/// What the registry holds under a name, where control has not heard of it.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) model: ModelId,
    pub(super) manifest: Option<Manifest>,
    /// Since when, in nanoseconds since 1970; 0 for what was there from the start.
    pub(super) modified_nanos: u64,
}

/// A host's disk.
#[derive(Debug)]
struct Disk {
    contents: BTreeMap<ModelId, Content>,
    blobs: BlobStore,
    /// Room in all; `None` where there is no limit.
    room: Option<Bytes>,
    /// Room that transfers under way will take.
    reserved: Bytes,
    /// Transfers under way.
    pulling: u32,
    waiting: VecDeque<Action>,
    /// Faults under which it takes nothing more, and under which what comes is damaged.
    full: u32,
    corrupt: u32,
}

impl Disk {
    fn new(room: Option<Bytes>) -> Self {
        Self {
            contents: BTreeMap::new(),
            blobs: BlobStore::new(Implementation::Optimised),
            room,
            reserved: Bytes::ZERO,
            pulling: 0,
            waiting: VecDeque::new(),
            full: 0,
            corrupt: 0,
        }
    }

    /// A name stands for a content from now on; layers that only the one before needed are gone.
    fn put(&mut self, model: ModelId, content: Content) {
        let layers = content.manifest().layers;
        self.blobs.insert(&blobs_name(model), &layers).expect("a layer's digest tells its size");
        self.contents.insert(model, content);
    }

    fn has_room(&self, more: Bytes) -> bool {
        self.full == 0 && self.room.is_none_or(|room| self.blobs.bytes() + self.reserved + more <= room)
    }
}

/// A transfer under way.
#[derive(Debug)]
struct Transfer {
    action: Action,
    content: Content,
    /// What is to be moved, and what of this is weights.
    bytes: Bytes,
    weights: Bytes,
    route: Route,
}

impl Transfer {
    fn way(&self) -> Way {
        match self.action.deed {
            Deed::Fetch(_) => Way::Fetch,
            Deed::Push => Way::Push,
            _ => Way::Pull,
        }
    }
}

/// The registry, the links, the disks.
#[derive(Debug)]
pub(super) struct Supply {
    network: Network,
    /// Out of the registry, and into it.
    egress: LinkId,
    ingress: LinkId,
    /// Into each host, by index, and out of it.
    hosts: Vec<(LinkId, LinkId)>,
    /// Into the zone of each host, where zones have a limit; and what zones are called.
    zones: Vec<Option<LinkId>>,
    zone_names: BTreeMap<LinkId, String>,
    disks: Vec<Disk>,
    names: Names,
    contents: BTreeMap<ModelId, Content>,
    releases: VecDeque<Release>,
    /// Names whose content in the registry control has not heard of, and since when that is there.
    unheard: BTreeMap<ModelId, u64>,
    transfers: BTreeMap<FlowId, Transfer>,
    config: NetworkConfig,
    registry_reached: bool,
    capacity: Rate,
    counts: Moved,
    meter: Meter,
}

impl Supply {
    pub(super) fn new(fleet: &Fleet, registry: &Registry) -> Self {
        let mut network = Network::new(Implementation::Optimised);
        let config = fleet.network;
        let (egress, ingress) = (network.add_link(registry.egress), network.add_link(registry.egress));
        let mut by_zone: BTreeMap<&str, LinkId> = BTreeMap::new();
        let zones = fleet.hosts.iter().map(|host| {
            let zone = host.declaration.zone.as_str();
            config.zone.map(|rate| *by_zone.entry(zone).or_insert_with(|| network.add_link(rate)))
        });
        let zones: Vec<Option<LinkId>> = zones.collect();
        let hosts =
            fleet.hosts.iter().map(|_| (network.add_link(config.host), network.add_link(config.host)));
        let hosts: Vec<(LinkId, LinkId)> = hosts.collect();
        let links_len = 2 + by_zone.len() + 2 * hosts.len();
        let disks = fleet.hosts.iter().map(|host| {
            let room = Some(host.declaration.disk).filter(|room| *room > Bytes::default());
            let mut disk = Disk::new(room);
            for entry in host.spec.models().iter().filter(|entry| entry.copy.is_some()) {
                disk.put(entry.model, registry.contents[&entry.model].clone());
            }
            disk
        });
        Self {
            egress,
            ingress,
            hosts,
            zones,
            zone_names: by_zone.into_iter().map(|(name, link)| (link, name.to_owned())).collect(),
            disks: disks.collect(),
            names: Names::new(&fleet.models),
            network,
            contents: registry.contents.clone(),
            releases: registry.releases.iter().copied().collect(),
            unheard: registry.contents.keys().map(|model| (*model, 0)).collect(),
            transfers: BTreeMap::new(),
            config,
            registry_reached: true,
            capacity: registry.egress,
            counts: Moved::default(),
            meter: Meter::new(links_len),
        }
    }

    /// When the next transfer ends.
    #[inline]
    pub(super) fn next_transfer(&self) -> Option<Instant> {
        self.network.next()
    }

    /// When the next content is made.
    #[inline]
    pub(super) fn next_release(&self) -> Option<Instant> {
        self.releases.front().map(|release| release.at)
    }

    /// An action that concerns a disk reaches its host. How it ended, where it has at once.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        action: Action,
        skew_nanos: i64,
    ) -> Option<(ActionOutcome, Option<Change>)> {
        let host = action.host.index();
        match action.deed {
            Deed::Delete => Some(self.delete(action)),
            Deed::Pull | Deed::Fetch(_) | Deed::Push
                if self.disks[host].pulling >= self.config.pulls_at_once =>
            {
                self.disks[host].waiting.push_back(action);
                None
            }
            Deed::Pull | Deed::Fetch(_) | Deed::Push => self.start(now, action).map(|failure| {
                self.counts.failed += 1;
                (ActionOutcome::Failed(failure), None)
            }),
            Deed::Branch => Some(match self.branch(now, action, skew_nanos) {
                Ok(change) => (ActionOutcome::Done, Some(change)),
                Err(failure) => {
                    self.counts.failed += 1;
                    (ActionOutcome::Failed(failure), None)
                }
            }),
            Deed::Load(_) | Deed::Unload | Deed::Start | Deed::Stop => {
                self.counts.failed += 1;
                Some((ActionOutcome::Failed(ActionFailure::Refused), None))
            }
        }
    }

    fn delete(&mut self, action: Action) -> (ActionOutcome, Option<Change>) {
        let disk = &mut self.disks[action.host.index()];
        if disk.contents.remove(&action.model).is_none() {
            self.counts.failed += 1;
            let missing = ActionFailure::Host(Failure::ModelMissing);
            return (ActionOutcome::Failed(missing), None);
        }
        disk.blobs.remove(&blobs_name(action.model));
        self.counts.deleted += 1;
        (ActionOutcome::Done, Some((action.host, action.model, DiskChange::Remove)))
    }

    /// Gives what a host has a second name there. Nothing is moved: both are the same manifest.
    fn branch(&mut self, now: Instant, action: Action, skew_nanos: i64) -> Result<Change, ActionFailure> {
        let disk = &mut self.disks[action.host.index()];
        let missing = ActionFailure::Host(Failure::ModelMissing);
        let content = disk.contents.get(&action.model).ok_or(missing)?.clone();
        if disk.full > 0 {
            return Err(ActionFailure::DiskFull);
        }
        let second = self.names.second(action.model, content.manifest().digest);
        Ok(Self::put(disk, (now, skew_nanos), (action.host, second), content, &self.names))
    }

    /// A name that control was not told of.
    pub(super) fn next_name(&mut self) -> Option<(ModelId, String)> {
        self.names.next_untold()
    }

    /// Begins a transfer; why it cannot, where it cannot.
    fn start(&mut self, now: Instant, action: Action) -> Option<ActionFailure> {
        let host = action.host.index();
        let source = match action.deed {
            Deed::Fetch(_) if !self.config.peers => return Some(ActionFailure::Refused),
            Deed::Fetch(from) => self.disks[from.index()].contents.get(&action.model),
            Deed::Push => self.disks[host].contents.get(&action.model),
            _ => self.contents.get(&action.model),
        };
        if !self.registry_reached && !matches!(action.deed, Deed::Fetch(_)) {
            return Some(ActionFailure::RegistryUnreachable);
        }
        let Some(content) = source.cloned() else { return Some(ActionFailure::NotInRegistry) };
        let manifest = content.manifest();
        let lacking = |layers: &[Layer]| match action.deed {
            Deed::Push => missing(&self.contents, layers),
            _ => self.disks[host].blobs.missing(layers).bytes,
        };
        let (bytes, weights) = (lacking(&manifest.layers), lacking(&[content.weights_layer()]));
        let pushes = action.deed == Deed::Push;
        if !pushes && !self.disks[host].has_room(bytes) {
            return Some(ActionFailure::DiskFull);
        }
        let (into, out_of) = self.hosts[host];
        let zone = self.zones[host];
        let links: Vec<LinkId> = match action.deed {
            Deed::Push => vec![out_of, self.ingress],
            Deed::Fetch(from) => {
                [Some(self.hosts[from.index()].1), zone, Some(into)].into_iter().flatten().collect()
            }
            _ => [Some(self.egress), zone, Some(into)].into_iter().flatten().collect(),
        };
        let route = Route::new(&links);
        self.meter.advance(now, &self.network, &self.transfers);
        let flow = self.network.start(now, Flow { size: bytes, route, cap: None });
        let disk = &mut self.disks[host];
        disk.pulling += 1;
        if !pushes {
            disk.reserved += bytes;
            self.counts.pulls += 1;
            self.counts.wanted_bytes += manifest.bytes().0;
            self.counts.spared_bytes += manifest.bytes().0 - bytes.0;
        }
        self.transfers.insert(flow, Transfer { action, content, bytes, weights, route });
        None
    }

    /// Transfers that have ended by now, in order of their beginnings.
    pub(super) fn ended(&mut self, now: Instant, into: &mut Vec<FlowId>) {
        self.meter.advance(now, &self.network, &self.transfers);
        self.network.finish(now, into);
    }

    /// The host whose transfer this is.
    pub(super) fn host_of(&self, flow: FlowId) -> HostId {
        self.transfers[&flow].action.host
    }

    /// A transfer has ended: whose action that was, how it ended, and what follows.
    pub(super) fn end_transfer(
        &mut self,
        now: Instant,
        flow: FlowId,
        skew_nanos: i64,
    ) -> (Action, ActionOutcome, Option<Change>) {
        let transfer = self.transfers.remove(&flow).expect("each flow is a transfer");
        self.meter.count(&transfer, transfer.bytes);
        let Transfer { action, content, bytes, .. } = transfer;
        let disk = &mut self.disks[action.host.index()];
        disk.pulling -= 1;
        if disk.corrupt > 0 && action.deed != Deed::Push {
            disk.reserved -= bytes;
            self.counts.failed += 1;
            self.counts.lost_bytes += bytes.0;
            return (action, ActionOutcome::Failed(ActionFailure::DigestMismatch), None);
        }
        let change = match action.deed {
            Deed::Push => {
                self.counts.pushed_bytes += bytes.0;
                self.publish(now, action.model, content);
                None
            }
            deed => {
                let moved = if matches!(deed, Deed::Fetch(_)) {
                    &mut self.counts.peer_bytes
                } else {
                    &mut self.counts.registry_bytes
                };
                *moved += bytes.0;
                self.counts.pulled += 1;
                disk.reserved -= bytes;
                Some(Self::put(disk, (now, skew_nanos), (action.host, action.model), content, &self.names))
            }
        };
        (action, ActionOutcome::Done, change)
    }

    fn put(
        disk: &mut Disk,
        (now, skew_nanos): (Instant, i64),
        (host, model): (HostId, ModelId),
        content: Content,
        names: &Names,
    ) -> Change {
        let written_nanos = (EPOCH_NANOS + now.0).saturating_add_signed(skew_nanos);
        let copy: StoredCopy = content.copy(written_nanos);
        disk.put(model, content);
        let change = match names.first(model) {
            Some(of) => DiskChange::Second { of, copy },
            None => DiskChange::Put(copy),
        };
        (host, model, change)
    }

    /// The next action that waited on a host for its turn.
    pub(super) fn next_waiting(&mut self, host: HostId) -> Option<Action> {
        let disk = &mut self.disks[host.index()];
        if disk.pulling < self.config.pulls_at_once { disk.waiting.pop_front() } else { None }
    }

    /// A content is made: in the registry, or on a host.
    pub(super) fn release(&mut self, now: Instant) -> Option<Change> {
        let Release { model, part, host, .. } = self.releases.pop_front().expect("its time was the least");
        match host {
            None => {
                let content = self.contents[&model].anew(part, 0);
                self.publish(now, model, content);
                None
            }
            Some(host) => {
                let disk = &mut self.disks[host as usize];
                let content = disk.contents.get(&model)?.anew(part, host + 1);
                // Whoever makes it there, without room for it, fails.
                let lacking = disk.blobs.missing(&content.manifest().layers).bytes;
                if !disk.has_room(lacking) {
                    return None;
                }
                Some(Self::put(disk, (now, 0), (HostId(host), model), content, &self.names))
            }
        }
    }

    fn publish(&mut self, now: Instant, model: ModelId, content: Content) {
        self.contents.insert(model, content);
        self.unheard.insert(model, EPOCH_NANOS + now.0);
    }

    /// Whether the registry holds something that control has not heard of.
    pub(super) fn has_news(&self) -> bool {
        !self.unheard.is_empty()
    }

    /// What the registry holds that control has not heard of, in order of id.
    pub(super) fn news(&mut self) -> Vec<News> {
        let unheard = std::mem::take(&mut self.unheard);
        let news = unheard.into_iter().map(|(model, modified_nanos)| News {
            model,
            manifest: self.contents.get(&model).map(Content::manifest),
            modified_nanos,
        });
        news.collect()
    }

    /// What was moved and over which links, at the end of the run.
    pub(super) fn finish(mut self, now: Instant) -> (Moved, Traffic) {
        self.meter.advance(now, &self.network, &self.transfers);
        for (flow, transfer) in std::mem::take(&mut self.transfers) {
            let moved = self.network.moved(now, flow).unwrap_or_default();
            self.meter.count(&transfer, moved);
            self.counts.under_way_bytes += moved.0;
        }
        let links = self.links();
        (self.counts, Traffic { links, ..self.meter.finish() })
    }

    /// The links that carried something, and what.
    fn links(&self) -> Vec<LinkTraffic> {
        let registry = [(Link::RegistryOut, self.egress), (Link::RegistryIn, self.ingress)];
        let registry = registry.map(|(link, id)| (link, id, self.capacity)).into_iter();
        let zone = self.config.zone.unwrap_or_default();
        let zones = self.zone_names.iter().map(|(id, name)| (Link::ZoneIn(name.clone()), *id, zone));
        let ids = || (0..).map(HostId).zip(&self.hosts);
        let into = ids().map(|(host, (into, _))| (Link::HostIn(host), *into, self.config.host));
        let out_of = ids().map(|(host, (_, out_of))| (Link::HostOut(host), *out_of, self.config.host));
        let traffic = |(link, id, rate): (Link, LinkId, Rate)| LinkTraffic {
            link,
            bytes_per_second: rate.0,
            bytes: self.meter.carried(id),
        };
        let links = registry.chain(zones).chain(into).chain(out_of).map(traffic);
        links.filter(|link| link.bytes > 0).collect()
    }

    /// What must hold of a host's disk: what is on it has room, and is what its names need.
    pub(super) fn check(&self, host: HostId) -> Result<(), String> {
        let disk = &self.disks[host.index()];
        let used = disk.blobs.bytes() + disk.reserved;
        if let Some(room) = disk.room
            && used > room
        {
            return Err(format!("host {}: {} of {} bytes of disk used", host.0, used.0, room.0));
        }
        Ok(())
    }
}

/// What a model's layers are kept under on a disk: two names can stand for one content.
fn blobs_name(model: ModelId) -> String {
    model.0.to_string()
}

/// Bytes of the layers that none of these contents has.
fn missing(contents: &BTreeMap<ModelId, Content>, layers: &[Layer]) -> Bytes {
    let mut lacking = layers.to_vec();
    for content in contents.values() {
        let held = content.manifest().layers;
        lacking.retain(|layer| !held.contains(layer));
    }
    lacking.iter().map(|layer| layer.bytes).sum()
}

#[cfg(test)]
mod tests;
