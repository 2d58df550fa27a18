//! The plain twin: a list of manifests, of which everything is worked out anew.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::{Blobs, Layer, SizeDiffers, each_once};
use crate::digest::Digest;
use crate::units::Bytes;

/// Manifests by name.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    manifests: BTreeMap<String, Vec<Layer>>,
}

impl Listed {
    /// Writes the manifest of a name; returns the layers of the one that was there.
    ///
    /// # Errors
    /// Where it gives a blob two sizes, or another than is known; nothing is changed then.
    pub fn insert(&mut self, name: &str, layers: &[Layer]) -> Result<Option<Vec<Layer>>, SizeDiffers> {
        let layers = each_once(layers)?;
        let known = self.blobs();
        for layer in &layers {
            if known.iter().any(|known| known.digest == layer.digest && known.bytes != layer.bytes) {
                return Err(SizeDiffers { digest: layer.digest });
            }
        }
        Ok(self.manifests.insert(name.into(), layers))
    }

    /// Takes out the manifest of a name.
    pub fn remove(&mut self, name: &str) -> Option<Vec<Layer>> {
        self.manifests.remove(name)
    }

    /// What of these layers no manifest has brought.
    #[must_use]
    pub fn missing(&self, layers: &[Layer]) -> Blobs {
        Blobs::of(layers.iter().filter(|layer| self.references(layer.digest) == 0).copied().collect())
    }

    /// What taking out the manifest of a name would free.
    #[must_use]
    pub fn freed_by(&self, name: &str) -> Blobs {
        let mut without = self.clone();
        let layers = without.remove(name).unwrap_or_default();
        without.missing(&layers)
    }

    /// How many manifests need a blob.
    #[must_use]
    pub fn references(&self, digest: Digest) -> u32 {
        let needs = |layers: &&Vec<Layer>| layers.iter().any(|layer| layer.digest == digest);
        self.manifests.values().filter(needs).count() as u32
    }

    /// All blobs, each counted once.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Blobs::of(self.blobs().into_iter().collect()).bytes
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

    fn blobs(&self) -> BTreeSet<Layer> {
        self.manifests.values().flatten().copied().collect()
    }
}
