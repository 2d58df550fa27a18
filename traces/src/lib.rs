//! Traces: the job (a request with its hidden truth), readers and writers of public formats, decision log files.
//!
//! The way of a row: [`input`] opens a file and undoes its compression, [`format`](mod@format) and one file per format turn
//! lines into [`row::TraceRow`]s, [`reader::Reader`] puts them in order of time, [`jobs::Jobs`] makes jobs of
//! them. A decision log has no lines: [`rows::Rows`] reads either. [`inspect`](mod@inspect) describes a trace in one pass. Memory is bounded by the limits named in [`limits`].
//!
//! Left out: Parquet and other formats that need more than one pass; arrival processes (crate `workloads`); what
//! the records of a decision log mean (crate `control`).

pub mod atomic;
pub mod azure;
pub mod burstgpt;
mod columns;
mod decimal;
mod decisions;
pub mod error;
pub mod format;
pub mod input;
pub mod inspect;
pub mod job;
pub mod jobs;
mod keyed;
pub mod limits;
mod lines;
pub mod log;
pub mod mooncake;
pub mod names;
pub mod options;
pub mod reader;
mod recent;
pub mod record;
pub mod row;
pub mod rows;
pub mod stamp;
pub mod traffic;
pub mod vidur;
pub mod writer;
