//! `/api/tags`, `/api/ps` and `/api/version`: read from hosts, merged for clients.

use std::collections::BTreeMap;

use control::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use traces::stamp;

/// Most models that are read out of one list.
pub const MODELS_MAX: usize = 10_000;

/// A list of models, each kept as it was written.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ModelList {
    /// The entries.
    #[serde(default)]
    pub models: Vec<Box<RawValue>>,
}

/// What is read of an entry.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The model's name.
    pub name: String,
    /// Its size in bytes: on disk in `/api/tags`, in memory in `/api/ps`.
    pub size: u64,
    /// The part of it on GPUs, in bytes (`/api/ps`).
    pub size_vram: u64,
    /// Of its manifest, as 64 hexadecimal digits.
    pub digest: String,
    /// When it was written, as RFC 3339 (`/api/tags`).
    pub modified_at: String,
}

impl Entry {
    /// Its digest, unknown where it is none.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest.parse().unwrap_or(Digest::UNKNOWN)
    }

    /// When it was written, in nanoseconds since 1970; 0 where that is not told.
    #[must_use]
    pub fn modified_nanos(&self) -> u64 {
        stamp::unix_nanos(&self.modified_at).unwrap_or(0)
    }
}

/// What clients of other dialects, and rules about models, want to know of an entry of `/api/tags`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Listed {
    /// The model's name.
    pub name: String,
    /// Where prompts to it are forwarded to; empty where it runs on the host itself.
    pub remote_host: String,
    /// When it was written, as RFC 3339.
    pub modified_at: String,
}

/// `/api/version`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
pub struct VersionAnswer {
    /// The host's version.
    pub version: String,
}

impl ModelList {
    /// The list without entries that cannot be read, cut at [`MODELS_MAX`], and what was read of each.
    #[must_use]
    pub fn read(self) -> (Self, Vec<Entry>) {
        let read = |raw: Box<RawValue>| {
            let entry: Entry = serde_json::from_str(raw.get()).ok()?;
            (!entry.name.is_empty()).then_some((raw, entry))
        };
        let (models, entries) = self.models.into_iter().take(MODELS_MAX).filter_map(read).unzip();
        (Self { models }, entries)
    }

    /// Its entries; those that cannot be read are left out.
    pub fn listed(&self) -> impl Iterator<Item = Listed> {
        self.models.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok())
    }

    /// Whether both are written alike.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let texts = |list: &Self| list.models.iter().map(|raw| raw.get().len()).sum::<usize>();
        texts(self) == texts(other)
            && self.models.iter().map(|raw| raw.get()).eq(other.models.iter().map(|raw| raw.get()))
    }

    /// One list of several: each name once, as the first host that has it writes it, in order of name.
    #[must_use]
    pub fn merged<'a>(lists: impl Iterator<Item = &'a Self>) -> Self {
        let mut by_name = BTreeMap::new();
        for raw in lists.flat_map(|list| &list.models) {
            if let Ok(entry) = serde_json::from_str::<Entry>(raw.get()) {
                by_name.entry(entry.name).or_insert_with(|| raw.clone());
            }
        }
        Self { models: by_name.into_values().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> ModelList {
        serde_json::from_str(text).expect("a list")
    }

    #[test]
    fn each_model_is_listed_once_with_all_its_fields() {
        let a =
            list(r#"{"models":[{"name":"b:latest","size":2,"details":{"family":"x"}},{"name":"c:latest"}]}"#);
        let b = list(r#"{"models":[{"name":"b:latest","size":9},{"name":"a:latest"}]}"#);
        let merged = serde_json::to_string(&ModelList::merged([&a, &b].into_iter())).expect("JSON");
        assert_eq!(
            merged,
            r#"{"models":[{"name":"a:latest"},{"name":"b:latest","size":2,"details":{"family":"x"}},{"name":"c:latest"}]}"#
        );
    }

    #[test]
    fn unreadable_entries_are_left_out() {
        let (kept, entries) =
            list(r#"{"models":[{"name":"a","size":5},{"size":1},{"name":"b","size":-1},7]}"#).read();
        assert_eq!((kept.models.len(), entries.len()), (1, 1));
        assert_eq!(entries[0], Entry { name: "a".into(), size: 5, ..Entry::default() });
        assert!(list("{}").read().1.is_empty());
    }
}
