//! Which blobs a host has, by the manifests that need them: what a pull would fetch and what a removal would free.
//!
//! A blob is there as long as a manifest needs it, however many do; a manifest that names one twice needs it once. Blobs of
//! pulls that did not end belong to no manifest, so they are not here.

mod fast;
mod naive;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use fast::Counted;
pub use naive::Listed;
use serde::{Deserialize, Serialize, Serializer};

use crate::digest::Digest;
pub use crate::door::Layer;
use crate::index::Implementation;
use crate::index::twin::Twin;
use crate::units::Bytes;

/// Blobs, to be fetched or to be freed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Blobs {
    /// Each once, by digest.
    pub layers: Vec<Layer>,
    /// All of them; [`Bytes::MAX`] where it is more.
    pub bytes: Bytes,
}

impl Blobs {
    fn of(mut layers: Vec<Layer>) -> Self {
        layers.sort_unstable();
        layers.dedup_by_key(|layer| layer.digest);
        let bytes = capped(layers.iter().map(|layer| u128::from(layer.bytes.0)).sum());
        Self { layers, bytes }
    }
}

/// A manifest that gives a blob another size than is known of it: content has one size, so one of both is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SizeDiffers {
    /// The blob.
    pub digest: Digest,
}

impl fmt::Display for SizeDiffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob sha256:{} is given two sizes", self.digest)
    }
}

impl core::error::Error for SizeDiffers {}

/// The manifests of a host by name, and the blobs that they need. Either twin serialises as its manifests, and comes back
/// optimised.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<(String, Vec<Layer>)>")]
pub enum BlobStore {
    /// [`Counted`].
    Optimised(Counted),
    /// [`Listed`].
    Baseline(Listed),
}

impl BlobStore {
    /// One without manifests.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Counted::default()),
            Implementation::Baseline => Self::Baseline(Listed::default()),
        }
    }

    /// Writes the manifest of a name; returns the layers of the one that was there.
    ///
    /// # Errors
    /// Where it gives a blob two sizes, or another than is known; nothing is changed then.
    pub fn insert(&mut self, name: &str, layers: &[Layer]) -> Result<Option<Vec<Layer>>, SizeDiffers> {
        match self {
            Self::Optimised(counted) => counted.insert(name, layers),
            Self::Baseline(listed) => listed.insert(name, layers),
        }
    }

    /// Takes out the manifest of a name; returns its layers, each once, by digest.
    pub fn remove(&mut self, name: &str) -> Option<Vec<Layer>> {
        match self {
            Self::Optimised(counted) => counted.remove(name),
            Self::Baseline(listed) => listed.remove(name),
        }
    }

    /// What of these layers no manifest has brought.
    #[must_use]
    pub fn missing(&self, layers: &[Layer]) -> Blobs {
        match self {
            Self::Optimised(counted) => counted.missing(layers),
            Self::Baseline(listed) => listed.missing(layers),
        }
    }

    /// What taking out the manifest of a name would free: the blobs that no other needs.
    #[must_use]
    pub fn freed_by(&self, name: &str) -> Blobs {
        match self {
            Self::Optimised(counted) => counted.freed_by(name),
            Self::Baseline(listed) => listed.freed_by(name),
        }
    }

    /// How many manifests need a blob.
    #[must_use]
    pub fn references(&self, digest: Digest) -> u32 {
        match self {
            Self::Optimised(counted) => counted.references(digest),
            Self::Baseline(listed) => listed.references(digest),
        }
    }

    /// All blobs, each counted once; [`Bytes::MAX`] where it is more.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Optimised(counted) => counted.bytes(),
            Self::Baseline(listed) => listed.bytes(),
        }
    }

    /// The layers of each name, in order of names.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &[Layer])> {
        match self {
            Self::Optimised(counted) => Twin::Optimised(counted.manifests()),
            Self::Baseline(listed) => Twin::Baseline(listed.manifests()),
        }
    }

    /// How many manifests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Optimised(counted) => counted.len(),
            Self::Baseline(listed) => listed.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Stores are equal where their manifests are.
impl PartialEq for BlobStore {
    fn eq(&self, other: &Self) -> bool {
        self.manifests().eq(other.manifests())
    }
}

impl Serialize for BlobStore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.manifests().collect::<Vec<_>>())
    }
}

impl TryFrom<Vec<(String, Vec<Layer>)>> for BlobStore {
    type Error = &'static str;

    fn try_from(manifests: Vec<(String, Vec<Layer>)>) -> Result<Self, Self::Error> {
        let mut counted = Counted::default();
        for (name, layers) in manifests {
            if counted.insert(&name, &layers) != Ok(None) {
                return Err("manifests have a name twice, or a blob with two sizes");
            }
        }
        Ok(Self::Optimised(counted))
    }
}

fn capped(bytes: u128) -> Bytes {
    Bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// The layers of a manifest, each once, by digest.
fn each_once(layers: &[Layer]) -> Result<Vec<Layer>, SizeDiffers> {
    let mut layers = layers.to_vec();
    layers.sort_unstable();
    layers.dedup();
    match layers.windows(2).find(|pair| pair[0].digest == pair[1].digest) {
        Some(pair) => Err(SizeDiffers { digest: pair[0].digest }),
        None => Ok(layers),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
