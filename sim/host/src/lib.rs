#![doc = "One Ollama host as a state machine without IO: pending queue, loader, slots, prefix cache, tiers, batch loop. And one of tasks."]

pub mod api;
pub mod batch;
pub mod costs;
pub mod fit;
pub mod host;
pub mod power;
pub mod profile;
pub mod spec;
pub mod task;
pub mod tiers;
