//! How an answer is written down: Ollama's own lines, or one of the three other APIs that Ollama speaks.
//!
//! As in Ollama itself the others are translations: each part of an answer is one of Ollama's lines, and what a line
//! becomes is the dialect's business. An answer that is not streamed is one line with everything.
//!
//! Source of the shapes: Ollama v0.24.0, `api/types.go`, `openai`, `anthropic` and `middleware`.

pub(super) mod messages;
pub(super) mod ollama;
pub(super) mod openai;
pub(super) mod responses;

use std::time::{SystemTime, UNIX_EPOCH};

use control::request::Usage;
use control::units::Nanos;
use hyper::{Response, StatusCode};
use serde_json::Value;
use sim_host::spec::Version;

use super::script::{Call, Script, Token};
use crate::reply::{self, Body};
use crate::wire;
use crate::wire::answer::done_word;

/// Content type of server-sent events.
const EVENTS: &str = "text/event-stream";
/// Content type of one value, where the answer was translated.
const JSON: &str = "application/json";

/// A part of an answer, as one of Ollama's lines has it.
#[derive(Clone, Copy, Default)]
pub(super) struct Part<'a> {
    thought: &'a str,
    said: &'a str,
    call: Option<&'a Call>,
    end: Option<&'a End>,
}

/// The end of an answer.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// The host's figures. Times are those of the host model, whatever its speed.
    pub(super) usage: Usage,
    /// Time from the request's arrival to its end.
    pub(super) total: Nanos,
}

impl End {
    const fn reason(&self) -> &'static str {
        done_word(self.usage.done)
    }

    fn tokens(&self) -> (u32, u32) {
        (self.usage.prompt_tokens, self.usage.output_tokens)
    }
}

/// A way to write answers down.
pub(super) trait Dialect: Send {
    /// Appends a part of a streamed answer.
    fn part(&mut self, part: &Part<'_>, out: &mut Vec<u8>);

    /// Appends an answer that is not streamed.
    fn whole(&mut self, part: &Part<'_>, out: &mut Vec<u8>);

    /// Appends an error within a streamed answer. Ollama's translations lose it and make an empty part of it.
    fn error(&mut self, _message: &str, out: &mut Vec<u8>) {
        self.part(&Part::default(), out);
    }

    /// Content type of a streamed answer.
    fn stream_type(&self) -> &'static str {
        EVENTS
    }

    /// Content type of one that is not.
    fn whole_type(&self) -> &'static str {
        JSON
    }
}

/// Whose errors a path answers with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Api {
    /// `/api/…`.
    Ollama,
    /// `/v1/…`.
    OpenAi,
    /// `/v1/messages`.
    Anthropic,
}

impl Api {
    const fn words(self) -> wire::dialect::Dialect {
        match self {
            Self::Ollama => wire::dialect::Dialect::Ollama,
            Self::OpenAi => wire::dialect::Dialect::OpenAi,
            Self::Anthropic => wire::dialect::Dialect::Anthropic,
        }
    }

    /// An error in the shape that clients of this API parse.
    pub(super) fn refusal(self, status: StatusCode, message: &str) -> Response<Body> {
        self.refused(status, status, message)
    }

    /// An error of the call that a request was translated into: v0.10 does not look at its status to name its type.
    ///
    /// Source: Ollama v0.10.1, `openai/openai.go` (`writeError`).
    pub(super) fn translated_refusal(
        self,
        version: Version,
        status: StatusCode,
        message: &str,
    ) -> Response<Body> {
        let typed = match version {
            Version::V0_10 => StatusCode::INTERNAL_SERVER_ERROR,
            Version::V0_24 => status,
        };
        self.refused(status, typed, message)
    }

    fn refused(self, status: StatusCode, typed: StatusCode, message: &str) -> Response<Body> {
        let content_type = if self == Self::Ollama { reply::JSON } else { JSON };
        reply::whole(status, content_type, self.words().error(typed.as_u16(), message))
    }
}

/// An answer and the way in which it is written down.
pub(super) struct Voice {
    script: Script,
    dialect: Box<dyn Dialect>,
}

impl Voice {
    pub(super) fn new(script: Script, dialect: Box<dyn Dialect>) -> Self {
        Self { script, dialect }
    }

    /// Content type of the answer.
    pub(super) fn content_type(&self, stream: bool) -> &'static str {
        if stream { self.dialect.stream_type() } else { self.dialect.whole_type() }
    }

    /// Appends the token at `index`; nothing where it is not heard.
    pub(super) fn token(&mut self, index: u32, out: &mut Vec<u8>) {
        let part = match self.script.token(index) {
            Token::Thought(thought) => Part { thought, ..Part::default() },
            Token::Said(said) => Part { said, ..Part::default() },
            Token::Silent => return,
        };
        self.dialect.part(&part, out);
    }

    /// Appends a token of another text.
    pub(super) fn other(&mut self, said: &str, out: &mut Vec<u8>) {
        self.dialect.part(&Part { said, ..Part::default() }, out);
    }

    /// Appends what follows the last token: the call of a tool, and the end.
    pub(super) fn end(&mut self, end: &End, out: &mut Vec<u8>) {
        let call = self.script.call(end.usage.output_tokens);
        if call.is_some() {
            self.dialect.part(&Part { call, ..Part::default() }, out);
        }
        self.dialect.part(&Part { end: Some(end), ..Part::default() }, out);
    }

    /// Appends an error within the stream.
    pub(super) fn error(&mut self, message: &str, out: &mut Vec<u8>) {
        self.dialect.error(message, out);
    }

    /// The answer that is not streamed.
    pub(super) fn whole(&mut self, end: &End) -> Vec<u8> {
        let tokens = end.usage.output_tokens;
        let (thought, said) = self.script.whole(tokens);
        let call = self.script.call(tokens);
        let mut out = Vec::new();
        self.dialect.whole(&Part { thought: &thought, said: &said, call, end: Some(end) }, &mut out);
        out
    }
}

/// Seconds since 1970.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Appends a server-sent event without a name.
fn data(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("data: {value}\n\n").as_bytes());
}

/// Appends a server-sent event.
fn event(name: &str, value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event: {name}\ndata: {value}\n\n").as_bytes());
}
