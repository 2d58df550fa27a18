//! Data structures of the hot path, each with a plain twin that a property test holds equal to it.

pub mod heap;
pub mod host_set;
pub mod queue;
