//! What the operator wrote and no more: pins, least numbers and targets. A replica that is there stays where it is, so that each
//! is placed once; load moves nothing. It is what every plan begins with, alone.

use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "static",
    summary: "pins, least numbers and targets, placed once",
    source: "replica sets of cluster managers",
    cost: "O(replicas × hosts)",
    needs: "pins, replicas_min, replicas_target",
    requires: Requires::Nothing,
    parameters: &[],
};
