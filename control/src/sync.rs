//! What keeps models alike on many hosts, as values: versions, catalogues, what changed between two of them, what replicas
//! say of a name and who is right, and which blobs a host has.
//!
//! Nothing here transfers, polls or waits, and nothing forgets by itself: what is kept is bounded by the hosts and the names that
//! whoever feeds it knows. Structures that have a twin are held equal to it by a property test; what merges
//! is a join, so that the order in which replicas hear of each other decides nothing.

use alloc::format;
use alloc::string::String;

use crate::digest::Digest;

pub mod artifact;
pub mod blobs;
pub mod config;
pub mod conflict;
pub mod detect;
pub mod register;
pub mod resolve;
pub mod store;
pub mod version;

/// The second name under which a content is kept before another takes its place: with its short digest in the tag.
#[must_use]
pub fn second_name(name: &str, digest: Digest) -> String {
    format!("{name}-{}", digest.short())
}
