//! Every bound of this crate, and what happens at it.

/// Longest line of a trace in bytes, its end included; a longer one is an error. So a file that unpacks to
/// gigabytes without a line's end costs this much memory.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Rows held back so that rows a little out of order can be put in order; one that goes back further is an error.
pub const LOOKAHEAD_ROWS: usize = 1024;

/// Largest number of tokens in one column; a larger one is a bad row.
pub const TOKENS_MAX: u32 = 1 << 24;

/// Distinct model names in one trace; a row with one more is a bad row.
pub const MODEL_NAMES_MAX: usize = 4096;

/// Longest run of a task in seconds, three years; a longer one is a bad row.
pub const RUN_SECONDS_MAX: u64 = 100_000_000;

/// Longest model name or session id in bytes; a row with a longer one is a bad row.
pub const NAME_BYTES_MAX: usize = 256;

/// Bad rows that are kept for the report where bad rows are skipped; the rest is only counted.
pub const BAD_ROWS_KEPT: usize = 8;

/// Chats of a Qwen-Bailian trace whose session is remembered; a child of one that was forgotten opens that session anew.
pub const CHATS_MAX: usize = 1 << 18;

/// Sessions whose conversation is remembered; the one not heard of for longest is forgotten, and starts afresh.
pub const SESSIONS_MAX: usize = 1 << 16;

/// Blocks of a session's prompt; where one more would be needed, the conversation starts afresh.
pub const SESSION_BLOCKS_MAX: usize = 512;

/// Rows that share one stamp where coarse ticks are spread (they are held until the next stamp); more is an error.
pub const TICK_ROWS_MAX: usize = 1 << 14;

/// Clients that a ServeGen folder may describe; more is an error.
pub const CLIENTS_MAX: usize = 1 << 14;

/// Windows of a client of ServeGen; more is an error.
pub const WINDOWS_MAX: usize = 1 << 16;

/// Bytes of the lengths of a client of ServeGen, unpacked; more is an error.
pub const DATASET_BYTES_MAX: usize = 64 << 20;

/// Distinct blocks, and distinct sessions, that an inspection counts; beyond, the figure is left out.
pub const DISTINCT_MAX: usize = 1 << 23;

/// Bytes of a decision log's record, its frame left out; a longer one is refused by the writer and an error to the
/// reader.
pub const LOG_RECORD_BYTES_MAX: usize = 64 << 20;
