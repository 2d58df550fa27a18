//! The live driver of control: a gateway in front of Ollama hosts, and an emulated host to try it with.
//!
//! [`gateway`] carries out on real sockets what `control` decides, and logs it; [`emulated`] runs the host model of
//! `sim-host` on the wall clock behind Ollama's API; [`demo`] puts some of the latter behind the former, [`doctor`] looks at
//! a fleet. [`fetch`](mod@fetch) downloads a file whose content is known. All speak HTTP/1.1 through `server` and read and write Ollama's words, and for clients those of OpenAI and
//! Anthropic, in [`wire`].
//!
//! TLS is behind the feature `tls`, which is on by default.

pub mod clock;
pub mod demo;
pub mod doctor;
pub mod emulated;
pub mod fetch;
pub mod gateway;
mod reply;
mod server;
pub mod stop;
mod trust;
pub mod wire;

pub use emulated::{EmulatedHost, EmulatedOptions, FaultError, FaultFile, HostSetupError};
pub use gateway::{
    Gateway, LogFormat, Role, ServeConfig, ServeConfigError, ServeError, ServeSummary, SetLogLevel, keys,
};
