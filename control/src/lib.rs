#![no_std]
//! Everything that decides, as one state machine: no clock, no thread, no socket, no chance of its own.
//!
//! A driver feeds [`door::Input`]s with their times to [`Control::step`] and carries out the [`door::Output`]s.
//! The same inputs give the same outputs, so a log of the inputs replays.

extern crate alloc;

pub mod balance;
pub mod config;
pub mod constraints;
mod control;
pub mod digest;
pub mod door;
pub mod draw;
pub mod facts;
pub mod ids;
pub mod index;
pub mod log;
pub mod observe;
pub mod place;
pub mod policy;
pub mod registries;
pub mod replay;
pub mod request;
pub mod schedule;
pub mod strategy;
pub mod sync;
pub mod units;

pub use control::{Control, Snapshot};
