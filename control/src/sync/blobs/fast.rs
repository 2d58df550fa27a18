//! Blobs with the number of manifests that need them, and their sum: O(log b) a layer, with b blobs.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Blobs, Layer, SizeDiffers, capped, each_once};
use crate::digest::Digest;
use crate::units::Bytes;

/// Manifests by name, and counted blobs.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    manifests: BTreeMap<String, Vec<Layer>>,
    pub(super) blobs: BTreeMap<Digest, Blob>,
    bytes: u128,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Blob {
    bytes: Bytes,
    /// At least 1.
    pub(super) references: u32,
}

impl Counted {
    /// Writes the manifest of a name; returns the layers of the one that was there.
    ///
    /// # Errors
    /// Where it gives a blob two sizes, or another than is known; nothing is changed then.
    pub fn insert(&mut self, name: &str, layers: &[Layer]) -> Result<Option<Vec<Layer>>, SizeDiffers> {
        let layers = each_once(layers)?;
        for layer in &layers {
            if self.blobs.get(&layer.digest).is_some_and(|blob| blob.bytes != layer.bytes) {
                return Err(SizeDiffers { digest: layer.digest });
            }
        }
        layers.iter().for_each(|layer| self.take(layer));
        let before = self.manifests.insert(name.into(), layers);
        before.iter().flatten().for_each(|layer| self.release(layer));
        Ok(before)
    }

    /// Takes out the manifest of a name.
    pub fn remove(&mut self, name: &str) -> Option<Vec<Layer>> {
        let layers = self.manifests.remove(name)?;
        layers.iter().for_each(|layer| self.release(layer));
        Some(layers)
    }

    /// What of these layers no manifest has brought.
    #[must_use]
    pub fn missing(&self, layers: &[Layer]) -> Blobs {
        Blobs::of(layers.iter().filter(|layer| self.references(layer.digest) == 0).copied().collect())
    }

    /// What taking out the manifest of a name would free.
    #[must_use]
    pub fn freed_by(&self, name: &str) -> Blobs {
        let layers = self.manifests.get(name).into_iter().flatten();
        Blobs::of(layers.filter(|layer| self.references(layer.digest) == 1).copied().collect())
    }

    /// How many manifests need a blob.
    #[must_use]
    pub fn references(&self, digest: Digest) -> u32 {
        self.blobs.get(&digest).map_or(0, |blob| blob.references)
    }

    /// All blobs, each counted once.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        capped(self.bytes)
    }

    /// The layers of each name, in order of names.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &[Layer])> {
        self.manifests.iter().map(|(name, layers)| (&**name, &**layers))
    }

    /// How many manifests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.manifests.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.manifests.is_empty()
    }

    fn take(&mut self, layer: &Layer) {
        let blob = self.blobs.entry(layer.digest).or_insert(Blob { bytes: layer.bytes, references: 0 });
        blob.references += 1;
        if blob.references == 1 {
            self.bytes += u128::from(layer.bytes.0);
        }
    }

    fn release(&mut self, layer: &Layer) {
        let blob = self.blobs.get_mut(&layer.digest).expect("what a manifest needs is there");
        blob.references -= 1;
        if blob.references == 0 {
            self.blobs.remove(&layer.digest);
            self.bytes -= u128::from(layer.bytes.0);
        }
    }
}
