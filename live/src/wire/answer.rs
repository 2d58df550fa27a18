//! The end of an answer, in any dialect: whether all was said, and the host's figures, out of a stream of chunks.
//!
//! Only the last lines are kept, and of each only its beginning and its end: the figures stand at the end, whatever
//! stands before them (a completion's context in numbers, an embedding, ten megabytes of text).

use std::borrow::Cow;

use control::request::{DoneReason, Failure, Usage};
use control::units::Nanos;
use memchr::{memchr, memmem, memrchr};
use serde::Deserialize;

/// Bytes kept of a line's beginning.
const HEAD_BYTES: usize = 1 << 10;
/// Bytes kept of a line's end, at least.
const TAIL_BYTES: usize = 8 << 10;
/// Bytes kept of a line at most; a shorter one is kept whole.
pub const LINE_BYTES_MAX: usize = HEAD_BYTES + 2 * TAIL_BYTES;
/// The end of a line in which figures are looked for, in bytes.
const FIGURES_BYTES: usize = 4 << 10;

/// How an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Lines of JSON (`application/x-ndjson`), the last with `done`.
    Lines,
    /// Server-sent events (`text/event-stream`); which one is the last depends on the dialect.
    Events,
    /// One value.
    Whole,
}

impl Form {
    /// By content type.
    #[must_use]
    pub fn of(content_type: &[u8]) -> Self {
        let is = |name: &str| {
            content_type.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        };
        if is("application/x-ndjson") {
            Self::Lines
        } else if is("text/event-stream") {
            Self::Events
        } else {
            Self::Whole
        }
    }
}

/// How an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It is whole.
    Done(Usage),
    /// Its last line is an error of the host, which the client has seen.
    HostError,
    /// It ended without either: not all was said.
    Cut,
}

/// Reads along, and knows at the end how the answer ended.
#[derive(Debug)]
pub struct AnswerReader {
    form: Form,
    /// The line that has begun; all of it where there are no lines.
    begun: Kept,
    /// The last lines that have ended, the newest last: with events one for the end, one for the figures, one for the
    /// reason. A stream of lines uses only the newest.
    ended: [Kept; 3],
    /// Lines, or events with data.
    parts: u32,
}

/// A line, without its middle where it is long.
#[derive(Clone, Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    cut: bool,
}

impl Kept {
    fn clear(&mut self) {
        self.bytes.clear();
        self.cut = false;
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() <= LINE_BYTES_MAX {
            self.bytes.extend_from_slice(bytes);
            return;
        }
        self.cut = true;
        let room = HEAD_BYTES.saturating_sub(self.bytes.len());
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(head);
        let kept = TAIL_BYTES.saturating_sub(rest.len()).min(self.bytes.len() - HEAD_BYTES);
        self.bytes.drain(HEAD_BYTES..self.bytes.len() - kept);
        self.bytes.extend_from_slice(&rest[rest.len().saturating_sub(TAIL_BYTES)..]);
    }

    fn has(&self, text: &str) -> bool {
        memmem::find(&self.bytes, text.as_bytes()).is_some()
    }

    fn is_closed(&self) -> bool {
        self.bytes.trim_ascii_end().ends_with(b"}")
    }
}

/// What matters of a last line that was kept whole.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Line<'a> {
    done: bool,
    error: Option<serde::de::IgnoredAny>,
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
}

impl AnswerReader {
    /// Nothing so far.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self { form, begun: Kept::default(), ended: Default::default(), parts: 0 }
    }

    /// How the answer is written.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        match self.form {
            Form::Whole => self.begun.push(chunk),
            Form::Lines => self.push_lines(chunk),
            Form::Events => self.push_events(chunk),
        }
    }

    /// Of many lines in one chunk only the last is looked at.
    fn push_lines(&mut self, chunk: &[u8]) {
        let Some(end) = memrchr(b'\n', chunk) else {
            self.begun.push(chunk);
            return;
        };
        let lines = memchr::memchr_iter(b'\n', &chunk[..=end]).count();
        self.parts = self.parts.saturating_add(lines as u32);
        let [.., last] = &mut self.ended;
        if let Some(start) = memrchr(b'\n', &chunk[..end]) {
            last.clear();
            last.push(&chunk[start + 1..end]);
        } else {
            std::mem::swap(last, &mut self.begun);
            last.push(&chunk[..end]);
        }
        self.begun.clear();
        self.begun.push(&chunk[end + 1..]);
    }

    fn push_events(&mut self, mut chunk: &[u8]) {
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = (&chunk[..end], &chunk[end + 1..]);
            self.begun.push(line);
            if let Some(data) = self.begun.bytes.strip_prefix(b"data:") {
                self.ended.rotate_left(1);
                let [.., last] = &mut self.ended;
                last.clear();
                last.bytes.extend_from_slice(data.trim_ascii());
                last.cut = self.begun.cut;
                self.parts = self.parts.saturating_add(1);
            }
            self.begun.clear();
            chunk = rest;
        }
        self.begun.push(chunk);
    }

    /// Lines or events so far, about one for each token; 0 where the answer has none.
    #[must_use]
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// Whether what came so far is whole lines, so that another can follow.
    #[must_use]
    pub fn at_line_start(&self) -> bool {
        self.begun.bytes.is_empty()
    }

    /// How the answer ended, after its last chunk.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self.form {
            Form::Whole if self.begun.is_closed() => Ending::Done(usage(&self.begun.bytes)),
            Form::Whole => Ending::Cut,
            Form::Lines => self.ending_of_lines(),
            Form::Events => self.ending_of_events(),
        }
    }

    fn ending_of_lines(&self) -> Ending {
        let blank = self.begun.bytes.trim_ascii().is_empty();
        let line = if blank { &self.ended[2] } else { &self.begun };
        let read = if line.cut {
            Line { done: line.has("\"done\":true") && line.is_closed(), ..Line::default() }
        } else {
            serde_json::from_slice(&line.bytes).unwrap_or_default()
        };
        match read {
            Line { error: Some(_), .. } => Ending::HostError,
            Line { done: true, .. } => Ending::Done(usage(&line.bytes)),
            _ => Ending::Cut,
        }
    }

    fn ending_of_events(&self) -> Ending {
        const LAST: [&str; 2] = ["response.completed", "response.incomplete"];
        let [before, figures, last] = &self.ended;
        let usage_of = |line: &Kept, reason: &Kept| {
            let mut usage = usage(&line.bytes);
            if usage.output_tokens == 0 {
                // The client did not ask for figures. Each event carries a token, but for the one that ends the
                // answer and the one that says so.
                usage.output_tokens = self.parts.saturating_sub(2);
            }
            if usage.done == DoneReason::Stop {
                usage.done = self::usage(&reason.bytes).done;
            }
            Ending::Done(usage)
        };
        if last.bytes == b"[DONE]" {
            return usage_of(figures, before);
        }
        if last.cut {
            let is_last = |kind| last.has(&format!("\"type\":\"{kind}\""));
            let done = last.is_closed() && LAST.into_iter().any(is_last);
            return if done { usage_of(last, last) } else { Ending::Cut };
        }
        let line: Line<'_> = serde_json::from_slice(&last.bytes).unwrap_or_default();
        match line.kind.as_deref() {
            Some("message_stop") => usage_of(figures, before),
            Some(kind) if LAST.contains(&kind) => usage_of(last, last),
            Some("error" | "response.failed") => Ending::HostError,
            _ if line.error.is_some() => Ending::HostError,
            _ => Ending::Cut,
        }
    }
}

/// Figures as they stand under their keys, each at its last place, in one pass over the keys. A text cannot be taken for a key:
/// its quotes are escaped.
fn usage(bytes: &[u8]) -> Usage {
    let figures_at = bytes.len().saturating_sub(FIGURES_BYTES);
    // By dialect: Ollama's, OpenAI's for completions, that of responses and messages.
    let (mut prompt, mut output) = ([None; 3], [None; 3]);
    let mut usage = Usage { done: DoneReason::Stop, ..Usage::default() };
    for end in memmem::find_iter(bytes, b"\":") {
        let Some(start) = memrchr(b'"', &bytes[..end]) else { continue };
        let value = bytes[end + 2..].trim_ascii_start();
        let number = || number(value).filter(|_| start >= figures_at);
        match &bytes[start + 1..end] {
            b"prompt_eval_count" => prompt[0] = number().or(prompt[0]),
            b"prompt_tokens" => prompt[1] = number().or(prompt[1]),
            b"input_tokens" => prompt[2] = number().or(prompt[2]),
            b"eval_count" => output[0] = number().or(output[0]),
            b"completion_tokens" => output[1] = number().or(output[1]),
            b"output_tokens" => output[2] = number().or(output[2]),
            b"load_duration" => usage.load = number().map_or(usage.load, Nanos),
            b"prompt_eval_duration" => usage.prompt_eval = number().map_or(usage.prompt_eval, Nanos),
            b"eval_duration" => usage.eval = number().map_or(usage.eval, Nanos),
            key => usage.done = done_reason(key, value).unwrap_or(usage.done),
        }
    }
    let count = |figures: [Option<u64>; 3]| {
        let figure = figures.into_iter().flatten().next().unwrap_or(0);
        u32::try_from(figure).unwrap_or(u32::MAX)
    };
    Usage { prompt_tokens: count(prompt), output_tokens: count(output), ..usage }
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&value[..digits]).ok()?.parse().ok()
}

/// Why a generation ended, where a key says so; to stop is what is said of the others.
fn done_reason(key: &[u8], value: &[u8]) -> Option<DoneReason> {
    const WORDS: [(&[u8], &[u8], DoneReason); 6] = [
        (b"done_reason", b"\"length\"", DoneReason::Length),
        (b"done_reason", b"\"load\"", DoneReason::Load),
        (b"done_reason", b"\"unload\"", DoneReason::Unload),
        (b"finish_reason", b"\"length\"", DoneReason::Length),
        (b"stop_reason", b"\"max_tokens\"", DoneReason::Length),
        (b"reason", b"\"max_output_tokens\"", DoneReason::Length),
    ];
    let said = WORDS.iter().find(|(under, word, _)| key == *under && value.starts_with(word));
    said.map(|&(_, _, reason)| reason)
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

/// What Ollama says where the process that ran the model has ended.
const RUNNER_GONE: [&str; 4] = [
    "runner process has terminated",
    "runner process no longer running",
    "model runner has unexpectedly stopped",
    "an error was encountered while running the model",
];

/// What an answer with an error status means for the attempt.
#[must_use]
pub fn failure_of(status: u16, body: &[u8]) -> Failure {
    let says = |what: &str| String::from_utf8_lossy(body).contains(what);
    match status {
        503 => Failure::Busy,
        404 if says("not found") => Failure::ModelMissing,
        500 if says("requires more system memory") => Failure::OutOfMemory,
        // `llm/server.go` and `server/routes.go` of v0.10 and v0.24.
        500.. if RUNNER_GONE.iter().any(|words| says(words)) => Failure::RunnerGone,
        400..=499 => Failure::BadRequest,
        _ => Failure::ServerError,
    }
}

#[cfg(test)]
mod tests;
