//! The measured profiles that are part of the program: the files under `sim/host/profiles/fitted`.

/// Name and text of each.
pub(super) const FITTED: &[(&str, &str)] = &[];
