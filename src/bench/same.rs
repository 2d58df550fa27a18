//! One form against itself: what is measured between two that are the same is noise.

use control::index::Implementation;

use super::{Case, Component, request_queue};

/// The name of the control.
pub const NAME: &str = "same/same";

pub(super) fn components() -> Vec<Component> {
    request_queue::components()
        .into_iter()
        .map(|queue| Component {
            name: NAME.into(),
            forms: [queue.forms[1]; 2],
            claimed: [queue.claimed[1]; 2],
            build: Box::new(move |case| {
                (queue.build)(Case { implementation: Implementation::Optimised, ..case })
            }),
            ..queue
        })
        .collect()
}
