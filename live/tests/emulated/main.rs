//! The emulated host as its clients see it, over real sockets.

mod client;
mod disk;
mod faults;
mod ollama;
mod translated;
mod versions;
