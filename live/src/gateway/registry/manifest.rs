//! A manifest as registries write it: its digest is that of its bytes, by which hosts list a model that they pulled.

use control::digest::Digest;
use control::door::{Layer, Manifest};
use control::units::Bytes;
use serde::Deserialize;
use sha2::Digest as _;

#[derive(Deserialize)]
struct ManifestFile {
    #[serde(default)]
    config: Option<LayerFile>,
    #[serde(default)]
    layers: Vec<LayerFile>,
}

#[derive(Deserialize)]
struct LayerFile {
    #[serde(default)]
    digest: String,
    #[serde(default)]
    size: u64,
}

/// Reads a manifest; `None` where it is none. A config without a digest is none, as in Ollama.
///
/// Source: Ollama v0.24.0, `manifest/manifest.go`, `server/images.go` (`PullModel`).
pub(super) fn read(bytes: &[u8]) -> Option<Manifest> {
    let file: ManifestFile = serde_json::from_slice(bytes).ok()?;
    let config = file.config.filter(|config| !config.digest.is_empty());
    let layer =
        |layer: LayerFile| Some(Layer { digest: layer.digest.parse().ok()?, bytes: Bytes(layer.size) });
    let layers: Vec<Layer> = file.layers.into_iter().chain(config).map(layer).collect::<Option<_>>()?;
    let digest = Digest(sha2::Sha256::digest(bytes).into());
    (!layers.is_empty()).then_some(Manifest { digest, layers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_its_layers_with_the_config_and_the_digest_of_its_bytes() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{a}","size":3}},"layers":[{{"digest":"sha256:{b}","size":7,"from":"/x"}}]}}"#
        );
        let manifest = read(text.as_bytes()).expect("a manifest");
        let layers: Vec<(String, u64)> =
            manifest.layers.iter().map(|layer| (layer.digest.to_string(), layer.bytes.0)).collect();
        assert_eq!(layers, [(b, 7), (a, 3)]);
        assert_ne!(read(format!("{text}\n").as_bytes()).expect("the same").digest, manifest.digest);
        let empty = br#"{"config":{"digest":""},"layers":[]}"#;
        for bad in [&b"{}"[..], b"", b"[]", empty, br#"{"layers":[{"digest":"md5:1","size":1}]}"#] {
            assert_eq!(read(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
