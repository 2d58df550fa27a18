//! What survives what, in figures: `docs/reliability.md` has them. Each test is short here; its long form, with the figure
//! that is claimed, runs with `cargo test -p live --test reliability -- --ignored`.

mod bare;
#[path = "../gateway/client.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest of it")]
mod client;
mod draw;
mod hostile;
mod kills;
mod leaving;
mod loads;
mod malformed;
#[path = "../operator/gateway.rs"]
#[expect(dead_code, reason = "the operator's own tests use the rest of it")]
mod operated;
mod overload;
mod reloads;
mod sick;
