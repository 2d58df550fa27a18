//! The simulated driver of control: a discrete-event engine, a fleet of modelled Ollama hosts, a network.

pub mod check;
pub mod config;
pub mod engine;
pub mod faults;
pub mod network;
pub mod registry;
pub mod simulation;
