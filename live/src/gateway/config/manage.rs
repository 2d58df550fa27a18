//! `[serve.manage]`: whether clients may change what hosts have on their disks, and from which registries.

use serde::Deserialize;
use toml::Spanned;

use super::written::unwritten;
use super::{ServeConfigError, Source};

/// The registry of names that name none.
pub(crate) const OLLAMA_REGISTRY: &str = control::registries::DEFAULT;
/// Longest name of a registry in bytes, as in names of models.
const REGISTRY_BYTES_MAX: usize = 350;

/// `[serve.manage]` as written.
#[derive(Deserialize, Debug)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ManageFile {
    enabled: bool,
    registries: Vec<Spanned<String>>,
    insecure_registries: Vec<Spanned<String>>,
    pulls_at_once: Spanned<u64>,
    blob_gib_max: Spanned<u64>,
}

impl Default for ManageFile {
    fn default() -> Self {
        Self {
            enabled: false,
            registries: vec![unwritten(OLLAMA_REGISTRY.into())],
            insecure_registries: Vec::new(),
            pulls_at_once: unwritten(2),
            blob_gib_max: unwritten(512),
        }
    }
}

/// `[serve.manage]`, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManageConfig {
    /// Whether management calls are served at all.
    pub enabled: bool,
    /// Registries that hosts may be sent to (`host` or `host:port`, in small letters).
    pub registries: Vec<String>,
    /// Those of them to which `insecure` may be asked for.
    pub insecure_registries: Vec<String>,
    /// Hosts that pull, push or create at a time, for each call.
    pub pulls_at_once: usize,
    /// Largest blob that may be sent, in bytes.
    pub blob_bytes_max: u64,
}

pub(super) fn check_manage(source: &Source<'_>, file: &ManageFile) -> Result<ManageConfig, ServeConfigError> {
    let registries = check_registries(source, "serve.manage.registries", &file.registries)?;
    let insecure_registries =
        check_registries(source, "serve.manage.insecure_registries", &file.insecure_registries)?;
    if let Some(at) = insecure_registries.iter().position(|registry| !registries.contains(registry)) {
        let found = &file.insecure_registries[at];
        let message = format!(
            "serve.manage.insecure_registries: found {:?}, expected one of serve.manage.registries",
            found.get_ref()
        );
        return Err(source.wrong(found.span().start, message));
    }
    let pulls_at_once = source.within("serve.manage.pulls_at_once", &file.pulls_at_once, 1..10_001)?;
    let blob_gib_max = source.within("serve.manage.blob_gib_max", &file.blob_gib_max, 1..1 << 20)?;
    Ok(ManageConfig {
        enabled: file.enabled,
        registries,
        insecure_registries,
        pulls_at_once: pulls_at_once as usize,
        blob_bytes_max: blob_gib_max << 30,
    })
}

fn check_registries(
    source: &Source<'_>,
    key: &str,
    written: &[Spanned<String>],
) -> Result<Vec<String>, ServeConfigError> {
    let check = |registry: &Spanned<String>| {
        let name = registry.get_ref().to_ascii_lowercase();
        if is_host_name(&name) {
            return Ok(name);
        }
        let message = format!(
            "{key}: found {:?}, expected the name of a host, with or without a port; no address and no scheme",
            registry.get_ref()
        );
        Err(source.wrong(registry.span().start, message))
    };
    written.iter().map(check).collect()
}

/// Whether this is a host's name, and no address in any of the ways in which one can be written: a host whose last part
/// is a number is taken for an IPv4 address (WHATWG URL, "ends in a number checker"), one with more colons for IPv6.
fn is_host_name(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        let starts = label.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        starts && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.len() <= REGISTRY_BYTES_MAX
        && host.split('.').all(is_label)
        && !is_number
        && port
            .is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_host_name;

    #[test]
    fn an_address_is_no_name_however_it_is_written() {
        for name in ["registry.ollama.ai", "hf.co", "localhost:5000", "a-b.example", "x1", "10.0.0.example"] {
            assert!(is_host_name(name), "{name}");
        }
        for name in [
            "",
            "127.0.0.1",
            "127.0.0.1:5000",
            "127.1",
            "2130706433",
            "0x7f000001",
            "127.0.0.0x1",
            "0177.0.0.1",
            "fe80::1",
            "[::1]",
            "::1",
            "a.",
            "a..b",
            ".a",
            "-a",
            "a/b",
            "a@b",
            "https://a",
            "a:",
            "a:x",
            "a:70000",
            "a b",
        ] {
            assert!(!is_host_name(name), "{name}");
        }
    }
}
