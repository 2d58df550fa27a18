//! The gateway as its clients and hosts see it, over real sockets.

mod client;
mod emulated;
mod failures;
mod parity;
mod scripted;
mod surface;
