//! Which models are on a host's disk, and with what content. How contents get there is the driver's matter; here they only come and go.

use control::digest::Digest;
use control::door::StoredModel;
use control::ids::ModelId;
use control::units::Bytes;
use smallvec::SmallVec;

use super::HostSpec;

/// What a name stands for on a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredCopy {
    /// Of the manifest.
    pub digest: Digest,
    /// Of the weights: contents with the same share a runner.
    pub weights: Digest,
    /// Size of all that the name needs.
    pub bytes: Bytes,
    /// When it came there, by the host's own clock, in nanoseconds since 1970.
    pub modified_nanos: u64,
}

/// A change of a host's disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskChange {
    /// A name stands for this from now on; the host knows how fast the model is.
    Put(StoredCopy),
    /// The same for a name that the host may never have heard of: a second one for what `of` stood for, so it is as fast.
    Second {
        /// The first name; the host knows it.
        of: ModelId,
        /// What both stand for, or stood for.
        copy: StoredCopy,
    },
    /// A name is gone. A runner that has its weights goes on.
    Remove,
}

/// A name on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    copy: StoredCopy,
    /// The number of its weights.
    blob: u16,
    damaged: bool,
}

/// The disk. Weights have numbers, in the order of their paths for those that were known from the start, then in order of appearance.
#[derive(Debug)]
pub(super) struct Disk {
    /// Index into the spec's models by model id; `u16::MAX` where the host does not know it.
    known: SmallVec<[u16; 8]>,
    /// What each of the spec's models stands for.
    held: SmallVec<[Option<Held>; 2]>,
    /// Weights with a digest, by number.
    weights: Vec<(Digest, u16)>,
    next_blob: u16,
}

impl Disk {
    pub(super) fn new(spec: &HostSpec) -> Self {
        let ids = spec.models.iter().map(|model| model.model.index() + 1).max().unwrap_or(0);
        let mut known = SmallVec::from_elem(u16::MAX, ids);
        let mut paths: Vec<&str> = Vec::new();
        for (index, entry) in spec.models.iter().enumerate() {
            known[entry.model.index()] = index as u16;
            paths.push(&entry.profile.model.blob);
        }
        paths.sort_unstable();
        paths.dedup();
        let mut weights = Vec::new();
        let held = spec.models.iter().map(|entry| {
            let copy = entry.copy?;
            let blob = paths.partition_point(|path| *path < entry.profile.model.blob.as_str()) as u16;
            if copy.weights.is_known() {
                weights.push((copy.weights, blob));
            }
            Some(Held { copy, blob, damaged: false })
        });
        Self { held: held.collect(), known, weights, next_blob: paths.len() as u16 }
    }

    /// The index of a model that is on the disk.
    #[inline]
    pub(super) fn find(&self, model: ModelId) -> Option<u16> {
        let index = self.known(model)?;
        self.held[index as usize].as_ref().map(|_| index)
    }

    /// The number of the weights that a model on the disk has; `u16::MAX` where it is gone.
    #[inline]
    pub(super) fn blob(&self, index: u16) -> u16 {
        self.held[index as usize].as_ref().map_or(u16::MAX, |held| held.blob)
    }

    /// Whether a model on the disk cannot be loaded.
    pub(super) fn is_damaged(&self, index: u16) -> bool {
        self.held[index as usize].as_ref().is_some_and(|held| held.damaged)
    }

    /// The weights of a model are damaged, where it is on the disk; or no longer.
    pub(super) fn damage(&mut self, model: ModelId, is: bool) {
        if let Some(index) = self.find(model)
            && let Some(held) = &mut self.held[index as usize]
        {
            held.damaged = is;
        }
    }

    /// The place of a name in the spec, whether or not it is on the disk.
    pub(super) fn known(&self, model: ModelId) -> Option<u16> {
        self.known.get(model.index()).copied().filter(|index| *index != u16::MAX)
    }

    /// The spec has one name more, at its end.
    pub(super) fn learn(&mut self, model: ModelId) {
        if self.known.len() <= model.index() {
            self.known.resize(model.index() + 1, u16::MAX);
        }
        self.known[model.index()] = self.held.len() as u16;
        self.held.push(None);
    }

    /// Changes what a name stands for. The weights that came with it, where the host had never seen them.
    pub(super) fn change(&mut self, model: ModelId, change: DiskChange) -> Option<(u16, Bytes)> {
        let index = self.known(model).expect("a driver puts models on a disk that the host's spec has");
        let held = &mut self.held[index as usize];
        let (DiskChange::Put(copy) | DiskChange::Second { copy, .. }) = change else {
            *held = None;
            return None;
        };
        let known = self.weights.iter().find(|(known, _)| *known == copy.weights).map(|(_, number)| *number);
        let blob = known.unwrap_or(self.next_blob);
        *held = Some(Held { copy, blob, damaged: false });
        if known.is_some() {
            return None;
        }
        self.next_blob += 1;
        self.weights.push((copy.weights, blob));
        Some((blob, copy.bytes))
    }

    /// `/api/tags`, in order of the spec.
    pub(super) fn listing<'a>(&'a self, spec: &'a HostSpec) -> impl Iterator<Item = StoredModel> + 'a {
        spec.models.iter().zip(&self.held).filter_map(|(entry, held)| {
            let StoredCopy { digest, bytes, modified_nanos, .. } = held.as_ref()?.copy;
            Some(StoredModel { model: entry.model, bytes, digest, modified_nanos })
        })
    }
}
