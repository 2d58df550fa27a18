#![no_std]
#![doc = "Everything that decides, as one state machine without a clock, a thread, a socket or chance of its own."]

extern crate alloc;

pub mod config;
pub mod door;
pub mod ids;
pub mod request;
pub mod units;
