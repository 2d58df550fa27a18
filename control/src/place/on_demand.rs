//! No placement: Ollama loads what is asked for and evicts what is in the way. What everything else is compared with.

use alloc::vec::Vec;

use super::problem::{Plan, Standing};
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "on-demand",
    summary: "plans nothing: hosts load what they are asked for",
    source: "Ollama's own behaviour (server/sched.go)",
    cost: "O(1)",
    needs: "nothing",
    requires: Requires::Nothing,
    parameters: &[],
};

pub(super) fn plan() -> Plan {
    Plan { standing: Standing::HandsOff, replicas: Vec::new(), unmet: Vec::new() }
}
