//! The gateway as its clients and hosts see it, over real sockets.

mod act;
mod client;
mod contents;
mod demands;
mod dialects;
mod emulated;
mod failures;
mod hostile;
mod manage;
mod parity;
mod relay;
mod remembered;
mod scripted;
mod surface;
