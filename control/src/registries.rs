//! Registries in the names of models, and in lists of those that are allowed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::ConfigError;
use crate::config::bounds::error;

/// The registry of names that name none.
pub const DEFAULT: &str = "registry.ollama.ai";

/// The registry that a model's name names; empty for the default one. Ollama takes the first of three parts for it: `hf.co/me/m` is
/// in `hf.co`, but `hf.co/m` is a model of the namespace `hf.co`.
#[must_use]
pub fn of(name: &str) -> &str {
    match name.split_once('/') {
        Some((first, rest)) if rest.contains('/') => first,
        _ => "",
    }
}

/// Whether a list allows a registry (empty: the default one); a list of none allows the default one only.
#[must_use]
pub fn allow(listed: &[String], registry: &str) -> bool {
    let registry = if registry.is_empty() { DEFAULT } else { registry };
    let is = |allowed: &str| allowed.eq_ignore_ascii_case(registry);
    if listed.is_empty() { is(DEFAULT) } else { listed.iter().any(|allowed| is(allowed)) }
}

/// Whether a list allows the registry that a model's name names.
#[must_use]
pub(crate) fn allow_name(listed: &[String], name: &str) -> bool {
    allow(listed, of(name))
}

/// A list of registries that may be used.
///
/// # Errors
/// The first that cannot stand in a model's name.
pub(crate) fn check(key: &str, listed: &[String]) -> Result<Vec<String>, ConfigError> {
    let known = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':');
    for (at, registry) in listed.iter().enumerate() {
        if registry.is_empty() || !registry.chars().all(known) {
            let expected = "a registry as it stands in a model's name: host or host:port";
            return Err(error(&format!("{key}[{at}]"), format!("{registry:?}"), expected));
        }
    }
    Ok(listed.to_vec())
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_registry_is_read_out_of_a_name() {
        for (name, registry) in [
            ("llama3.1:8b", ""),
            ("me/llama3.1:8b", ""),
            ("a.b/c:x", ""),
            ("hf.co/me/llama:q4", "hf.co"),
            ("localhost:5000/library/m:tag", "localhost:5000"),
            ("registry/a/b:c", "registry"),
        ] {
            assert_eq!(of(name), registry, "{name}");
        }
    }

    #[test]
    fn the_default_registry_is_allowed_by_its_name_or_by_a_list_of_none() {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (listed, registry, allowed) in [
            (list(&[]), "", true),
            (list(&[]), "hf.co", false),
            (list(&["hf.co"]), "", false),
            (list(&["hf.co", "registry.ollama.ai"]), "", true),
            (list(&["hf.co"]), "HF.co", true),
        ] {
            assert_eq!(allow(&listed, registry), allowed, "{registry:?} by {listed:?}");
        }
    }
}
