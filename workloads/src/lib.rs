//! Where jobs come from: arrival processes, lengths, sessions, closed-loop users, traces.

pub mod source;
