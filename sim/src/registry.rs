//! The registry behind the fleet: what it holds under each name and when that changes; and what manifests and layers are made of.
//!
//! Digests are BLAKE3 of what a layer stands for, so that equal content has equal digests on any machine. Left out: authentication,
//! and that a real manifest's digest is a SHA-256 of its text.

use std::collections::BTreeMap;

use control::digest::Digest;
use control::door::{Layer, Manifest};
use control::ids::ModelId;
use control::units::{Bytes, Instant, Nanos};
use serde::{Deserialize, Serialize};
use sim_host::host::StoredCopy;
use sim_host::spec::ModelSpec;

use crate::network::Rate;

/// `[registry]` as written. Where it is absent nothing can be pulled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistryFile {
    /// Models that it holds besides those that hosts have from the start: names from `herder profiles list`.
    pub models: Vec<String>,
    /// What it sends in all.
    pub egress_mbit_per_second: u64,
    /// How often control asks it what it holds.
    pub poll_period_millis: u64,
    /// Contents that it publishes in the course of the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<ReleaseFile>,
}

impl Default for RegistryFile {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            egress_mbit_per_second: 10_000,
            poll_period_millis: 30_000,
            release: Vec::new(),
        }
    }
}

/// A new content under a name: in the registry, or on one host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseFile {
    /// When.
    pub at_seconds: u64,
    /// The name.
    pub model: String,
    /// What of it is new.
    #[serde(default)]
    pub part: Part,
    /// The host on which somebody makes it (`ollama create`); the registry where absent.
    pub host: Option<String>,
}

/// What of a content is new.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The weights, and with them the manifest.
    #[default]
    Weights,
    /// The template and parameters only.
    Template,
}

/// A checked [`ReleaseFile`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Release {
    /// When.
    pub at: Instant,
    /// The name.
    pub model: ModelId,
    /// What of it is new.
    pub part: Part,
    /// The host on which it is made, by index; the registry where absent.
    pub host: Option<u32>,
}

/// A checked registry.
#[derive(Clone, Debug)]
pub struct Registry {
    /// What it sends in all.
    pub egress: Rate,
    /// How often control asks it.
    pub poll_period: Nanos,
    /// What it holds at the start.
    pub contents: BTreeMap<ModelId, Content>,
    /// What is made later, in order of time.
    pub releases: Vec<Release>,
}

/// Size of a template with parameters, and of a config: a guess after those of common models.
const ASSUMED_TEMPLATE_BYTES: u64 = 2_048;
const ASSUMED_CONFIG_BYTES: u64 = 512;

/// A content of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    name: String,
    /// What its weights are called; names of the same blob share them.
    blob: String,
    weights_bytes: u64,
    weights: Made,
    template: Made,
}

/// How often a part was made anew, and where last: different places make different things.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Made {
    times: u32,
    by: u32,
}

impl Made {
    fn anew(self, by: u32) -> Self {
        Self { times: self.times + 1, by }
    }

    fn numbers(self) -> [u32; 2] {
        [self.times, self.by]
    }
}

impl Content {
    /// What a name stands for before anything of it is made anew.
    #[must_use]
    pub fn first(model: &ModelSpec) -> Self {
        Self {
            name: model.name.clone(),
            blob: model.blob.clone(),
            weights_bytes: model.weights_bytes,
            weights: Made::default(),
            template: Made::default(),
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same with a part made anew by a place (0 is the registry).
    #[must_use]
    pub fn anew(&self, part: Part, by: u32) -> Self {
        let mut content = self.clone();
        match part {
            Part::Weights => content.weights = self.weights.anew(by),
            Part::Template => content.template = self.template.anew(by),
        }
        content
    }

    /// The layer of its weights.
    #[must_use]
    pub fn weights_layer(&self) -> Layer {
        let digest = digest("weights", &self.blob, &self.weights.numbers());
        Layer { digest, bytes: Bytes(self.weights_bytes) }
    }

    /// What it is made of.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        let (weights, template) = (self.weights.numbers(), self.template.numbers());
        let small = |what, bytes| Layer { digest: digest(what, &self.name, &template), bytes: Bytes(bytes) };
        Manifest {
            digest: digest("manifest", &self.name, &[weights, template].concat()),
            layers: vec![
                self.weights_layer(),
                small("template", ASSUMED_TEMPLATE_BYTES),
                small("config", ASSUMED_CONFIG_BYTES),
            ],
        }
    }

    /// The same on a disk.
    #[must_use]
    pub fn copy(&self, modified_nanos: u64) -> StoredCopy {
        let manifest = self.manifest();
        StoredCopy {
            digest: manifest.digest,
            weights: self.weights_layer().digest,
            bytes: manifest.bytes(),
            modified_nanos,
        }
    }
}

fn digest(what: &str, name: &str, numbers: &[u32]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for part in [what.as_bytes(), name.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    Digest(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(name: &str) -> Content {
        Content {
            name: name.into(),
            blob: "b".into(),
            weights_bytes: 1 << 30,
            weights: Made::default(),
            template: Made::default(),
        }
    }

    #[test]
    fn a_new_template_moves_only_small_layers_and_new_weights_all_but_those() {
        let first = content("m").manifest();
        let lacks = |other: &Manifest| {
            let bytes = other.layers.iter().filter(|layer| !first.layers.contains(layer));
            bytes.map(|layer| layer.bytes.0).sum::<u64>()
        };
        let template = content("m").anew(Part::Template, 0).manifest();
        let weights = content("m").anew(Part::Weights, 0).manifest();
        assert_eq!((lacks(&first), lacks(&template), lacks(&weights)), (0, 2_560, 1 << 30));
        assert_ne!(template.digest, weights.digest);
    }

    #[test]
    fn names_of_one_blob_share_its_weights_and_places_make_different_contents() {
        let (one, other) = (content("m"), content("n"));
        assert_eq!(one.copy(0).weights, other.copy(0).weights);
        assert_ne!(one.copy(0).digest, other.copy(0).digest);
        let (here, there) = (one.anew(Part::Weights, 1), one.anew(Part::Weights, 2));
        assert_ne!(here.copy(0).digest, there.copy(0).digest);
        assert_ne!(here.copy(0).weights, there.copy(0).weights);
        assert_eq!(here.anew(Part::Template, 2).copy(0).weights, here.copy(0).weights);
    }
}
