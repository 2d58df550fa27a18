//! The operator's side of the gateway, over real sockets, in front of emulated hosts.

mod access;
mod changes;
mod gateway;
mod metrics;
mod reload;
