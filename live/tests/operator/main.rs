//! The operator's side of the gateway, over real sockets, in front of emulated hosts.

mod access;
mod changes;
mod dashboard;
mod gateway;
mod metrics;
mod reload;
#[path = "../gateway/scripted.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest of it")]
mod scripted;
mod stopping;
