//! What is known of each arm: what its balancer keeps, and what became of the requests that it decided.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::balance::BalancerKind;
use crate::ids::ArmId;
use crate::policy::guard::GuardState;

/// One arm. It stays known when a config leaves it out, so that going back to it goes on from what it learned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArmFacts {
    /// Its name; with the balancer it tells arms apart.
    pub name: String,
    /// Its balancer.
    pub kind: BalancerKind,
    /// What the balancer kept, as of the last snapshot or change of the config.
    pub memory: Vec<u64>,
    /// The driver found it at fault: fewest requests under way decides in its place.
    pub broken: bool,
    /// It did worse than its guard allows: it gets no requests until another config is installed.
    pub rolled_back: bool,
    /// Whether it is what trials are compared with.
    pub of_base: bool,
    /// How it does beside the base, where it is guarded.
    pub guard: GuardState,
    /// What became of its requests.
    pub counts: ArmCounts,
}

/// Counts of an arm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ArmCounts {
    /// Attempts that it sent to a host; of a shadow, that it would have sent.
    pub decided: u64,
    /// … of a shadow, to the host where they went.
    pub agreed: u64,
    /// First bytes that came.
    pub first_bytes: u64,
    /// Their times since dispatch, summed, in nanoseconds.
    pub ttft_nanos: u64,
    /// Attempts answered in full.
    pub finished: u64,
    /// Attempts that failed.
    pub failed: u64,
}

/// The id of an arm, new where it is.
///
/// # Panics
/// Beyond 65,536 arms.
pub fn find_or_add(arms: &mut Vec<ArmFacts>, name: &str, kind: BalancerKind) -> ArmId {
    let at = arms.iter().position(|arm| arm.name == name && arm.kind == kind).unwrap_or_else(|| {
        arms.push(ArmFacts {
            name: name.into(),
            kind,
            memory: Vec::new(),
            broken: false,
            rolled_back: false,
            of_base: false,
            guard: GuardState::default(),
            counts: ArmCounts::default(),
        });
        arms.len() - 1
    });
    ArmId(u16::try_from(at).expect("an operator changes configs fewer than 65,536 times"))
}
