//! Names of models by pattern: `*` stands for any text, also for none; everything else for itself.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::config::bounds::error;

/// Patterns of names.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Patterns(Vec<String>);

impl From<Vec<String>> for Patterns {
    fn from(patterns: Vec<String>) -> Self {
        Self(patterns)
    }
}

impl Patterns {
    /// Patterns as written under a key.
    ///
    /// # Errors
    /// The first that no name could match, since names are not empty and have no blanks.
    pub(crate) fn check(key: &str, written: &[String]) -> Result<Self, ConfigError> {
        for (at, pattern) in written.iter().enumerate() {
            if pattern.is_empty() || pattern.contains(char::is_whitespace) {
                let expected = "a model's name, `*` for any text";
                return Err(error(&format!("{key}[{at}]"), format!("{pattern:?}"), expected));
            }
        }
        Ok(Self(written.to_vec()))
    }

    /// Whether one of them matches the whole name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, name))
    }

    /// Those that are whole names.
    pub fn spelt_out(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|pattern| !pattern.contains('*'))
    }
}

/// The text before the first `*` begins the name, that after the last ends it, and what stands between two is looked for from
/// the left: the first place leaves most to what follows.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut left) = name.strip_prefix(first).and_then(|name| name.strip_suffix(last)) else {
        return false;
    };
    for part in middle.split('*') {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    /// A star takes nothing, or a character and stays.
    fn matches_plainly(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], _) => name.is_empty(),
            ([b'*', pattern @ ..], []) => matches_plainly(pattern, &[]),
            ([b'*', after @ ..], [_, rest @ ..]) => {
                matches_plainly(after, name) || matches_plainly(pattern, rest)
            }
            ([p, pattern @ ..], [n, name @ ..]) => p == n && matches_plainly(pattern, name),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn a_star_stands_for_any_text(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            prop_assert_eq!(matches(&pattern, &name), matches_plainly(pattern.as_bytes(), name.as_bytes()));
        }
    }

    #[test]
    fn names_of_models_match_as_operators_expect() {
        let patterns = Patterns::from(vec!["llama3*".into(), "*:70b".into(), "qwen3:8b".into()]);
        for name in ["llama3:latest", "llama3.2:3b", "other:70b", "qwen3:8b"] {
            assert!(patterns.matches(name), "{name}");
        }
        for name in ["my-llama3:latest", "qwen3:8b-q4", "other:70b-q4"] {
            assert!(!patterns.matches(name), "{name}");
        }
        assert!(!Patterns::default().matches("llama3:latest"));
    }
}
