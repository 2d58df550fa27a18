//! Model names: one spelling for each model.

use control::registries;

/// Longest accepted name in bytes (Ollama: host 350, namespace 80, model 80, tag 80).
pub const NAME_BYTES_MAX: usize = 350 + 80 + 80 + 80 + 3;

/// The name as Ollama lists it: without the default host `registry.ollama.ai` and the default namespace
/// `library`, with the tag `latest` where none is given. `None` where Ollama would call the name invalid.
///
/// Source: Ollama v0.24.0, `types/model/name.go` (`ParseName`, `DisplayShortest`).
#[must_use]
pub fn normalise(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    // A colon after the last slash starts the tag; one before it belongs to the host's port.
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, "latest"),
    };
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() > 3 || !is_part(tag, false) {
        return None;
    }
    let host_given = parts.len() == 3;
    for (place, part) in parts.iter().enumerate() {
        if !is_part(part, host_given && place == 0) {
            return None;
        }
    }
    if host_given && parts[0].eq_ignore_ascii_case(registries::DEFAULT) {
        parts.remove(0);
    }
    if parts.len() == 2 && parts[0].eq_ignore_ascii_case("library") {
        parts.remove(0);
    }
    Some(format!("{}:{tag}", parts.join("/")))
}

/// The registry that a normalised name names, as [`control::registries`] reads it; `None` for the default one.
#[must_use]
pub fn registry(name: &str) -> Option<&str> {
    Some(registries::of(name)).filter(|registry| !registry.is_empty())
}

/// Whether a model's tag says that Ollama forwards prompts to its own cloud service: `cloud`, or what ends in `-cloud`.
///
/// Source: Ollama v0.24.0, `internal/modelref/modelref.go`.
#[must_use]
pub fn is_cloud(name: &str) -> bool {
    let Some((_, tag)) = name.rsplit_once(':') else { return false };
    let tag = tag.trim().to_ascii_lowercase();
    tag == "cloud" || !tag.contains('/') && tag.ends_with("-cloud")
}

/// Letters, digits, `_`, `-` and `.`, starting with a letter, a digit or `_`; a host may have a colon too.
fn is_part(part: &str, host: bool) -> bool {
    let mut bytes = part.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
        && bytes.all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || (host && byte == b':')
        })
}

#[cfg(test)]
mod tests {
    use super::{is_cloud, normalise, registries, registry};

    #[test]
    fn a_registry_stands_before_two_other_parts_here_and_for_control() {
        for (written, wanted) in [
            ("a:x", None),
            ("a.b/c:x", None),
            ("hf.co/a", None),
            ("registry.ollama.ai/me/a:x", None),
            ("registry.ollama.ai/library/a", None),
            ("hf.co/a/b:x", Some("hf.co")),
            ("registry/a/b:c", Some("registry")),
            ("127.0.0.1:5000/library/a:x", Some("127.0.0.1:5000")),
        ] {
            let name = normalise(written).expect("a name");
            assert_eq!(registry(&name), wanted, "{written}");
            assert_eq!(registries::of(&name), wanted.unwrap_or_default(), "{written}, for control");
        }
    }

    #[test]
    fn cloud_models_are_known_by_their_tag() {
        for name in ["a:cloud", "a:120b-cloud", "me/a:Cloud", "a:x-CLOUD", "h:1/a/b:cloud"] {
            assert!(is_cloud(name), "{name}");
        }
        for name in ["a", "cloud", "a-cloud", "a:cloudy", "a:x-cloud/b", "cloud:latest"] {
            assert!(!is_cloud(name), "{name}");
        }
    }

    #[test]
    fn one_model_has_one_spelling() {
        for name in [
            "llama3.1",
            "llama3.1:latest",
            "library/llama3.1",
            "registry.ollama.ai/library/llama3.1:latest",
            "https://registry.ollama.ai/library/llama3.1",
        ] {
            assert_eq!(normalise(name).as_deref(), Some("llama3.1:latest"), "{name}");
        }
        assert_eq!(normalise("hf.co/a/b:Q4").as_deref(), Some("hf.co/a/b:Q4"));
        assert_eq!(normalise("localhost:5000/a/b").as_deref(), Some("localhost:5000/a/b:latest"));
        assert_eq!(normalise("me/mine").as_deref(), Some("me/mine:latest"));
    }

    #[test]
    fn names_that_ollama_calls_invalid_are_refused() {
        for name in ["", ":", "a:", "a//b", "../x", "a b", "a/b/c/d", "x:y:z", "a\n"] {
            assert_eq!(normalise(name), None, "{name:?}");
        }
        assert_eq!(normalise(&"x".repeat(600)), None);
    }
}
