//! The simulated driver of control.

pub mod engine;
