//! The live driver of control: a gateway in front of Ollama hosts, and an emulated host to try it with.
//!
//! [`gateway`] carries out on real sockets what `control` decides, and logs it; [`emulated`] runs the host model of
//! `sim-host` on the wall clock behind Ollama's API. Both speak HTTP/1.1 through `server` and read and write Ollama's
//! words in [`wire`].
//!
//! Left out so far: TLS, management calls, OpenAI's API, and rebuilding control after a panic.

pub mod clock;
pub mod emulated;
pub mod gateway;
mod reply;
mod server;
pub mod stop;
pub mod wire;

pub use emulated::{EmulatedHost, EmulatedOptions, HostSetupError};
pub use gateway::{
    Gateway, LogFormat, Role, ServeConfig, ServeConfigError, ServeError, ServeSummary, SetLogLevel, keys,
};
