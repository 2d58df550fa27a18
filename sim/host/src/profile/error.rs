//! What can be wrong with a profile file or a name asked for.

use control::strategy::edits;
use std::ops::Range;

use thiserror::Error;

/// Why a profile file was refused, or a profile not found.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProfileError {
    /// A place in a profile file is not as it must be.
    #[error("{file}:{line}:{column}: found {found}, expected {expected}")]
    File {
        /// Name of the file, as the caller gave it.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What stands there.
        found: String,
        /// What must stand there.
        expected: String,
    },
    /// No GPU has that name.
    #[error("no GPU `{name}`; the nearest known name is `{nearest}`")]
    UnknownGpu {
        /// The name asked for.
        name: String,
        /// The known name that differs least.
        nearest: String,
    },
    /// No model has that name.
    #[error("no model `{name}`; the nearest known name is `{nearest}`")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The known name that differs least.
        nearest: String,
    },
}

/// A profile file as text: turns byte offsets into lines and columns.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) file: &'a str,
}

impl Source<'_> {
    /// An error at a byte offset.
    pub(super) fn error(&self, at: usize, found: String, expected: String) -> ProfileError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ProfileError::File {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            found,
            expected,
        }
    }

    /// Where `key` is set in the table that starts at `table`: its own offset, or the table's if it is not there.
    pub(super) fn key(&self, table: &Range<usize>, key: &str) -> usize {
        let mut at = table.start;
        let rest = self.text.get(table.start..).unwrap_or("");
        for (index, line) in rest.split_inclusive('\n').enumerate() {
            let trimmed = line.trim_start();
            if index > 0 && trimmed.starts_with('[') {
                break;
            }
            if trimmed.strip_prefix(key).is_some_and(|after| after.trim_start().starts_with('=')) {
                return at + (line.len() - trimmed.len());
            }
            at += line.len();
        }
        table.start
    }

    /// What the TOML reader or serde complains about, in our words.
    pub(super) fn toml_error(&self, error: &toml::de::Error) -> ProfileError {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        let (found, expected) = if let Some(rest) = message.strip_prefix("unknown field ") {
            let (key, known) = rest.split_once(", expected ").unwrap_or((rest, ""));
            let names: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
            let nearest = nearest(key.trim_matches('`'), names.iter().copied());
            let expected =
                nearest.map_or_else(|| known.to_owned(), |name| format!("`{name}` or another known key"));
            (format!("the unknown key {key}"), expected)
        } else if let Some(key) = message.strip_prefix("missing field ") {
            (format!("a table without {key}"), format!("the key {key}"))
        } else if let Some((found, expected)) = message.split_once(", expected ") {
            let found =
                found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: "));
            (found.map_or_else(|| broken(&message), str::to_owned), in_words(expected))
        } else {
            let line = self.text.get(at..).unwrap_or("").lines().next().unwrap_or("").trim();
            (format!("`{line}` ({message})"), "valid TOML".to_owned())
        };
        self.error(at, found, expected)
    }
}

/// What the TOML reader says before its "expected", as something that was found.
fn broken(message: &str) -> String {
    let complaint = message.split(", expected ").next().unwrap_or(message);
    format!("broken TOML ({complaint})")
}

/// Rust's names of types as a person would say them.
fn in_words(expected: &str) -> String {
    match expected {
        "u64" | "u32" => "a whole number, 0 or more".to_owned(),
        other => other.to_owned(),
    }
}

/// The name among `names` that differs least from `name`: by edits, the first of equals.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names.min_by_key(|candidate| edits(name, candidate))
}
