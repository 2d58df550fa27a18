//! Traces: the job (a request with its hidden truth), readers and writers of public formats, decision log files.

pub mod job;
pub mod record;
