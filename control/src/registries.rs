//! Registries in the names of models, and in lists of those that are allowed.

use alloc::string::String;

/// The registry that a model's name names; empty for the default one.
#[must_use]
pub fn of(name: &str) -> &str {
    match name.split_once('/') {
        Some((first, rest)) if rest.contains('/') || first.contains(['.', ':']) => first,
        _ => "",
    }
}

/// Whether a list allows a registry (empty: the default one); a list of none allows the default one only.
#[must_use]
pub fn allow(listed: &[String], registry: &str) -> bool {
    if listed.is_empty() { registry.is_empty() } else { listed.iter().any(|allowed| allowed == registry) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_read_out_of_a_name() {
        for (name, registry) in [
            ("llama3.1:8b", ""),
            ("me/llama3.1:8b", ""),
            ("hf.co/me/llama:q4", "hf.co"),
            ("localhost:5000/library/m:tag", "localhost:5000"),
            ("registry/a/b:c", "registry"),
        ] {
            assert_eq!(of(name), registry, "{name}");
        }
    }
}
