//! Hardware profiles: what each model costs on each GPU.
//!
//! A [`Catalogue`] holds models, GPUs and a profile for each pair of them. A profile is fitted from measurements where
//! there are some (`sim/host/profiles/fitted`, rewritten by the example `fit_profiles`), and a roofline from the
//! specifications elsewhere (`roofline.rs`); it says which, with its fit error, the rows held out, and every figure that
//! was guessed. The built-in files are part of the program, and a user's own file is read by the same code. Left out:
//! what a host does with a profile (fitting into memory, partial offload, the batch loop), and any tuning at run time.

mod catalogue;
mod error;
mod file;
mod fitted;
mod render;
mod roofline;
mod specs;
mod tables;

use std::sync::Arc;

pub use self::catalogue::Catalogue;
pub use self::error::ProfileError;
pub use self::tables::{decode_picos, prefill_picos};
use crate::costs::Costs;
use crate::spec::{Profile, Version};

/// The profile as `version` of Ollama runs it: the runner decides whether full attention costs by the contexts of the
/// decoding sequences (`context`) or by the span of cache cells (`span`). Profiles in a catalogue are for the default
/// version; a model whose runner is the same in `version` keeps its profile.
#[must_use]
pub fn for_version(profile: &Arc<Profile>, version: Version) -> Arc<Profile> {
    let runner = profile.model.runner(version);
    if runner == profile.model.runner(Version::default()) {
        return Arc::clone(profile);
    }
    Arc::new(Profile {
        costs: Arc::new(tables::for_runner(Costs::clone(&profile.costs), runner)),
        cpu_costs: Arc::new(tables::for_runner(Costs::clone(&profile.cpu_costs), runner)),
        ..Profile::clone(profile)
    })
}

#[cfg(test)]
mod tests;
