//! The engine: what happens next, in an order that never depends on the order of scheduling.
//!
//! Events of one time are ordered by (kind, entity, the entity's own counter). Hosts have one pending event each and
//! stand in a [`Tournament`]; everything else that can be cancelled stands in an [`EventQueue`].

mod digest;
mod events;
mod lane;
mod tournament;

pub use digest::{Digest, outcome_word};
pub use events::{EventQueue, Order, Token};
pub use lane::Lane;
pub use tournament::{NEVER, Tournament};
