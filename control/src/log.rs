//! What a decision log holds: every input with its time, and what was decided. Encoded in postcard; framing,
//! checksums and files are the business of whoever writes it down.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::control::Snapshot;
use crate::door::{Input, Output};
use crate::units::Instant;

/// One record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record<'a> {
    /// Opens a segment: replay can begin here.
    Open {
        /// The program's version.
        version: String,
        /// The run's seed.
        seed: u64,
        /// Control as it was.
        snapshot: Box<Snapshot>,
    },
    /// One step.
    Step {
        /// When.
        now: Instant,
        /// What went in.
        input: Cow<'a, Input>,
        /// What came out.
        outputs: Cow<'a, [Output]>,
    },
    /// Steps that could not be written down in time; replay resumes at the next segment.
    Gap {
        /// How many steps are missing.
        steps: u64,
    },
}

/// A payload that is no record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecodeError(pub postcard::Error);

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "not a record of a decision log: {}", self.0)
    }
}

impl core::error::Error for DecodeError {}

impl Record<'_> {
    /// Appends the record to `buffer`.
    ///
    /// # Panics
    /// Never: the encoding fails on unsized sequences only, and there are none.
    #[must_use]
    pub fn encode(&self, buffer: Vec<u8>) -> Vec<u8> {
        postcard::to_extend(self, buffer).expect("records hold sized sequences only")
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Where the bytes are no record.
    pub fn decode(bytes: &[u8]) -> Result<Record<'static>, DecodeError> {
        postcard::from_bytes(bytes).map_err(DecodeError)
    }
}
