//! Traces: the job (a request with its hidden truth), readers and writers of public formats, decision log files.
//!
//! The way of a row: [`input`] opens a file and undoes its compression, [`format`](mod@format) and one file per format turn
//! lines into [`row::TraceRow`]s, [`reader::Reader`] puts them in order of time, [`jobs::Jobs`] makes jobs of
//! them. A decision log has no lines, and ServeGen's clients are drawn: [`rows::Rows`] reads any of them. [`inspect`](mod@inspect) describes a trace in one pass. Memory is bounded by the limits named in [`limits`].
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
mod json;
mod keyed;
pub mod known;
pub mod limits;
mod lines;
pub mod llmservingsim;
pub mod log;
pub mod mooncake;
pub mod names;
pub mod openb;
pub mod options;
pub mod qwen_bailian;
pub mod reader;
mod recent;
pub mod record;
mod recut;
pub mod row;
pub mod rows;
mod servegen;
pub mod splitwise_sim;
pub mod stamp;
pub mod task;
pub mod traffic;
pub mod vidur;
pub mod writer;
