//! Benches, and what they share: CPU time, and the queue of the engine benches.

pub mod cpu;
pub mod queue;
