//! The end of an answer: what the last line says, and the line itself out of a stream of chunks.

use bytes::Bytes;
use control::request::{DoneReason, Failure, Usage};
use control::units::Nanos;
use serde::Deserialize;

/// Largest last line that is kept: a completion's last line repeats its context as numbers, and an answer that
/// is not streamed is all one line.
pub const LINE_BYTES_MAX: usize = 8 << 20;

/// Fields of a line of an answer that matter at its end.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Line {
    done: bool,
    done_reason: Option<String>,
    error: Option<serde::de::IgnoredAny>,
    prompt_eval_count: u32,
    eval_count: u32,
    load_duration: u64,
    prompt_eval_duration: u64,
    eval_duration: u64,
}

/// How a stream of lines ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Its last line says that it is done.
    Done(Usage),
    /// Its last line is an error of the host, which the client has seen.
    HostError,
    /// It ended without either: not all was said.
    Cut,
    /// Its last line is too long to be kept; whether it was whole is not known.
    Unread,
}

/// Keeps the last line of a stream of chunks without copying those that hold whole lines.
#[derive(Debug)]
pub struct LastLine {
    /// The last whole line; `None` where it was too long.
    whole: Option<Bytes>,
    /// What came after it; `None` where that is too long already.
    begun: Option<Vec<u8>>,
}

impl LastLine {
    /// Nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self { whole: Some(Bytes::new()), begun: Some(Vec::new()) }
    }

    /// The next chunk.
    pub fn push(&mut self, chunk: &Bytes) {
        let Some(end) = chunk.iter().rposition(|&byte| byte == b'\n') else {
            self.begin(chunk);
            return;
        };
        match chunk[..end].iter().rposition(|&byte| byte == b'\n') {
            Some(start) => self.whole = Some(chunk.slice(start + 1..end)),
            None if self.begun.as_ref().is_some_and(Vec::is_empty) => self.whole = Some(chunk.slice(..end)),
            None => {
                self.begin(&chunk[..end]);
                self.whole = self.begun.take().map(Bytes::from);
            }
        }
        self.begun = Some(Vec::new());
        if end + 1 < chunk.len() {
            self.begin(&chunk[end + 1..]);
        }
    }

    fn begin(&mut self, bytes: &[u8]) {
        if let Some(begun) = &mut self.begun {
            if begun.len() + bytes.len() > LINE_BYTES_MAX {
                self.begun = None;
            } else {
                begun.extend_from_slice(bytes);
            }
        }
    }

    /// Whether what came so far is whole lines, so that another can follow.
    #[must_use]
    pub fn at_line_start(&self) -> bool {
        self.begun.as_ref().is_some_and(Vec::is_empty)
    }

    /// How the stream ended, after its last chunk.
    #[must_use]
    pub fn ending(&self) -> Ending {
        let Some(begun) = &self.begun else { return Ending::Unread };
        let line = match &self.whole {
            _ if !begun.iter().all(u8::is_ascii_whitespace) => &begun[..],
            Some(whole) => &whole[..],
            None => return Ending::Unread,
        };
        match serde_json::from_slice::<Line>(line) {
            Ok(line) if line.error.is_some() => Ending::HostError,
            Ok(line) if line.done => Ending::Done(usage(&line)),
            _ => Ending::Cut,
        }
    }
}

impl Default for LastLine {
    fn default() -> Self {
        Self::new()
    }
}

fn usage(line: &Line) -> Usage {
    Usage {
        prompt_tokens: line.prompt_eval_count,
        output_tokens: line.eval_count,
        load: Nanos(line.load_duration),
        prompt_eval: Nanos(line.prompt_eval_duration),
        eval: Nanos(line.eval_duration),
        done: match line.done_reason.as_deref() {
            Some("length") => DoneReason::Length,
            Some("load") => DoneReason::Load,
            Some("unload") => DoneReason::Unload,
            _ => DoneReason::Stop,
        },
    }
}

/// Ollama's word for why a generation ended.
#[must_use]
pub const fn done_word(done: DoneReason) -> &'static str {
    match done {
        DoneReason::Stop => "stop",
        DoneReason::Length => "length",
        DoneReason::Load => "load",
        DoneReason::Unload => "unload",
    }
}

/// What an answer with an error status means for the attempt.
#[must_use]
pub fn failure_of(status: u16, body: &[u8]) -> Failure {
    let says = |what: &str| String::from_utf8_lossy(body).contains(what);
    match status {
        503 => Failure::Busy,
        404 if says("not found") => Failure::ModelMissing,
        500 if says("requires more system memory") => Failure::OutOfMemory,
        400..=499 => Failure::BadRequest,
        _ => Failure::ServerError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &str = r#"{"model":"m","done":true,"done_reason":"length","prompt_eval_count":7,"eval_count":3,"load_duration":1,"prompt_eval_duration":2,"eval_duration":4}"#;

    fn ending(chunks: &[&str]) -> Ending {
        let mut last = LastLine::new();
        for chunk in chunks {
            last.push(&Bytes::copy_from_slice(chunk.as_bytes()));
        }
        last.ending()
    }

    #[test]
    fn the_last_line_is_found_wherever_the_chunks_are_cut() {
        let text = format!("{{\"done\":false}}\n{{\"done\":false}}\n{DONE}\n");
        let want = Ending::Done(Usage {
            prompt_tokens: 7,
            output_tokens: 3,
            load: Nanos(1),
            prompt_eval: Nanos(2),
            eval: Nanos(4),
            done: DoneReason::Length,
        });
        for cut in 0..text.len() {
            for second in (cut..text.len()).step_by(7) {
                assert_eq!(
                    ending(&[&text[..cut], &text[cut..second], &text[second..]]),
                    want,
                    "{cut} {second}"
                );
            }
        }
        assert_eq!(ending(&[text.trim_end()]), want, "the last newline may be missing");
    }

    #[test]
    fn a_stream_without_a_done_line_is_cut() {
        for chunks in [&[][..], &[""], &["{\"done\":false}\n"], &[&DONE[..40]], &["{\"done\":true}\n{\"do"]] {
            assert_eq!(ending(chunks), Ending::Cut, "{chunks:?}");
        }
        assert_eq!(ending(&["{\"done\":false}\n{\"error\":\"x\"}\n"]), Ending::HostError);
    }

    #[test]
    fn a_line_beyond_the_bound_is_not_kept_but_the_next_is() {
        let part = " ".repeat(LINE_BYTES_MAX / 2 + 1);
        assert_eq!(ending(&[&part, &part]), Ending::Unread);
        assert_eq!(ending(&[&part, &part, "x\n"]), Ending::Unread);
        assert!(matches!(ending(&[&part, &part, "x\n", DONE, "\n"]), Ending::Done(_)));
    }

    #[test]
    fn error_statuses_are_told_apart() {
        assert_eq!(failure_of(503, b""), Failure::Busy);
        assert_eq!(failure_of(404, br#"{"error":"model 'x' not found"}"#), Failure::ModelMissing);
        assert_eq!(failure_of(400, b""), Failure::BadRequest);
        assert_eq!(
            failure_of(
                500,
                br#"{"error":"model requires more system memory (2 GiB) than is available (1 GiB)"}"#
            ),
            Failure::OutOfMemory
        );
        assert_eq!(failure_of(500, b"x"), Failure::ServerError);
        assert_eq!(failure_of(502, b""), Failure::ServerError);
    }
}
