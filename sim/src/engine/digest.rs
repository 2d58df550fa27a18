//! The digest of a run: everything that passes control's door, and what hosts let their clients see. The same on any
//! machine, for any number of threads and for both batch engines.

use control::door::{Input, Output};
use control::request::{Failure, Outcome, Reject};
use control::units::Instant;

/// Bytes gathered before they are hashed: hashing each event by itself would cost several times as much.
const BUFFER_BYTES: usize = 1 << 16;

/// A running digest.
#[derive(Debug)]
pub struct Digest {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Default for Digest {
    fn default() -> Self {
        Self { hasher: blake3::Hasher::new(), buffer: Vec::with_capacity(BUFFER_BYTES + 64) }
    }
}

impl Digest {
    /// Adds a few words.
    #[inline]
    pub fn words(&mut self, words: [u64; 3]) {
        let mut bytes = [0; 24];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        self.buffer.extend_from_slice(&bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    /// Adds a text or another run of bytes, with its length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.words([0, 0, bytes.len() as u64]);
        self.buffer.extend_from_slice(bytes);
    }

    /// Adds an input of control.
    pub fn input(&mut self, now: Instant, input: &Input) {
        let (tag, entity, more) = match input {
            Input::Arrive(arrive) => {
                self.words([
                    u64::from(arrive.model.0) << 32 | u64::from(arrive.tenant.0),
                    arrive.session.map_or(0, |session| session.0 + 1),
                    arrive.deadline.map_or(0, |deadline| deadline.0 + 1),
                ]);
                for hash in &arrive.prefix {
                    self.words([1, *hash, 0]);
                }
                if let Some(hint) = arrive.hint_output_tokens {
                    self.words([2, hint.into(), 0]);
                }
                (1, arrive.request.0, arrive.prompt_bytes.0 << 8 | u64::from(arrive.priority as u8))
            }
            Input::FirstByte { request, attempt } => (2, request.0, u64::from(*attempt)),
            Input::Progress { request, attempt, tokens } => {
                (3, request.0, u64::from(*tokens) << 8 | u64::from(*attempt))
            }
            Input::Finished { request, attempt, usage } => {
                self.words([usage.load.0, usage.prompt_eval.0, usage.eval.0]);
                self.words([
                    u64::from(usage.prompt_tokens),
                    u64::from(usage.output_tokens),
                    usage.done as u64,
                ]);
                (4, request.0, u64::from(*attempt))
            }
            Input::Failed { request, attempt, failure } => {
                (5, request.0, (*failure as u64) << 8 | u64::from(*attempt))
            }
            Input::Gone { request } => (6, request.0, 0),
            Input::Wake => (7, 0, 0),
            // These are rare, so their whole content goes in.
            Input::Silent { .. }
            | Input::Observed { .. }
            | Input::Measured { .. }
            | Input::HostDeclared { .. }
            | Input::ModelNamed { .. }
            | Input::TenantNamed { .. }
            | Input::Policy(_)
            | Input::Operator(_)
            | Input::Verdict(_)
            | Input::Published { .. }
            | Input::Acted { .. }
            | Input::Remembered(_) => {
                let bytes = postcard::to_allocvec(input).expect("inputs hold sized sequences only");
                self.bytes(&bytes);
                (8, 0, 0)
            }
        };
        self.words([now.0, tag << 56 | entity, more]);
    }

    /// Adds an output of control.
    #[inline]
    pub fn output(&mut self, output: &Output) {
        let words = match output {
            Output::Dispatch(dispatch) => [
                32 << 56 | dispatch.request.0,
                u64::from(dispatch.arm.0) << 48
                    | u64::from(dispatch.host.0) << 16
                    | u64::from(dispatch.attempt) << 8
                    | dispatch.reason as u64,
                dispatch.first_byte_timeout.0 ^ dispatch.idle_timeout.0.rotate_left(32),
            ],
            Output::Cancel { request, attempt, host } => {
                [33 << 56 | request.0, u64::from(host.0) << 16 | u64::from(*attempt), 0]
            }
            Output::Reject { request, reason } => [34 << 56 | request.0, *reason as u64, 0],
            Output::Fail { request, failure } => [35 << 56 | request.0, *failure as u64, 0],
            Output::Shadow(shadow) => {
                [36 << 56 | shadow.request.0, u64::from(shadow.host.0) << 16 | u64::from(shadow.arm.0), 0]
            }
            // These are rare, so their whole content goes in.
            Output::Act(_) | Output::Proposed(_) | Output::Abandon(_) | Output::Note(_) => {
                let bytes = postcard::to_allocvec(output).expect("outputs hold sized sequences only");
                self.bytes(&bytes);
                [37 << 56, 0, 0]
            }
        };
        self.words(words);
    }

    /// The digest as 64 hexadecimal digits.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.flush();
        self.hasher.finalize().to_hex().to_string()
    }

    fn flush(&mut self) {
        self.hasher.update(&self.buffer);
        self.buffer.clear();
    }
}

/// An outcome as a number, for the digest.
#[must_use]
pub fn outcome_word(outcome: &Outcome) -> u64 {
    let reject = |reason: Reject| reason as u64;
    let failed = |failure: Failure| failure as u64;
    match outcome {
        Outcome::Finished => 0,
        Outcome::Rejected(reason) => 1 << 8 | reject(*reason),
        Outcome::Failed(failure) => 2 << 8 | failed(*failure),
        Outcome::Cancelled => 3 << 8,
        Outcome::Unfinished => 4 << 8,
    }
}
