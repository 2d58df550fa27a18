//! Requests that generate: `/api/chat`, `/api/generate` and those that Ollama translates into them.

use std::borrow::Cow;

use control::ids::ModelId;
use control::request::Kind;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use serde_json::Value;
use sim_host::api::{HostError, HostRequest, RequestKey};
use sim_host::spec::Version;

use super::answer;
use super::capabilities;
use super::dialect::ollama::Ollama;
use super::dialect::openai::Translated;
use super::dialect::{Api, End, Voice, messages, openai, responses};
use super::disk::Stored;
use super::driver::{Flight, Told};
use super::faults::{Effect, Harm};
use super::script::Script;
use super::shared::Shared;
use super::stream::{AnswerBody, HarmedBody};
use super::wishes::Wishes;
use crate::reply::{self, Body};
use crate::server;
use crate::wire;
use crate::wire::request::{BadBody, RequestFacts, Route};

/// Largest body that is read. Ollama has no limit.
pub(super) const BODY_BYTES_MAX: usize = 256 << 20;
/// What Ollama says of a runner that crashed (v0.24.0, `llm/server.go`).
pub(super) const CRASHED: &str = "model runner has unexpectedly stopped, this may be due to resource limitations or an \
                                  internal error, check ollama server logs for details";

/// A call that generates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// One of Ollama's own.
    Ollama(Route),
    /// `/v1/chat/completions`.
    ChatCompletions,
    /// `/v1/completions`.
    Completions,
    /// `/v1/responses`.
    Responses,
    /// `/v1/messages`.
    Messages,
}

impl Call {
    const fn api(self) -> Api {
        match self {
            Self::Ollama(_) => Api::Ollama,
            Self::Messages => Api::Anthropic,
            _ => Api::OpenAi,
        }
    }

    /// The body in Ollama's words; `None` where it is written in them.
    fn translate(self, body: &[u8]) -> Result<Option<Translated>, String> {
        if let Self::Ollama(_) = self {
            return Ok(None);
        }
        if body.is_empty() {
            return Err("EOF".into());
        }
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        match self {
            Self::Ollama(_) => Ok(None),
            Self::ChatCompletions => openai::chat(&body).map(Some),
            Self::Completions => Ok(Some(openai::completion(&body))),
            Self::Responses => responses::translate(&body).map(Some),
            Self::Messages => messages::translate(&body).map(Some),
        }
    }
}

/// The host model has ended; so does the program.
pub(super) fn ended() -> Response<Body> {
    reply::error(StatusCode::INTERNAL_SERVER_ERROR, "the host has ended")
}

/// What is said of a body that cannot be taken.
pub(super) fn bad_body(version: Version, route: Route, error: &BadBody) -> (StatusCode, String) {
    let (status, message) = match error {
        BadBody::Name(written) if version == Version::V0_10 => route.nameless(written),
        _ => error.told(route),
    };
    (status_code(status), message)
}

/// Answers a call that came in on `path`.
pub(super) async fn answer(shared: &Shared, call: Call, path: &str, body: Incoming) -> Response<Body> {
    let api = call.api();
    let body = match server::read_body(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(unreadable) => return unreadable.answer(BODY_BYTES_MAX),
    };
    let translated = match call.translate(&body) {
        Ok(translated) => translated,
        Err(message) => return api.refusal(StatusCode::BAD_REQUEST, &message),
    };
    let (route, body, dialect) = match (call, translated) {
        (_, Some(translated)) => {
            let body = translated.body.to_string().into_bytes();
            (translated.route, Cow::Owned(body), Some(translated.dialect))
        }
        (Call::Ollama(route), None) => (route, Cow::Borrowed(&body[..]), None),
        (_, None) => unreachable!("what is not in Ollama's words was translated"),
    };
    let version = shared.version();
    let refused = |status: StatusCode, message: &str| api.translated_refusal(version, status, message);
    let facts = match RequestFacts::read(route, &body) {
        Ok(facts) => facts,
        Err(error) => {
            let (status, message) = bad_body(version, route, &error);
            return refused(status, &message);
        }
    };
    let wishes = match Wishes::read(&body) {
        Ok(wishes) => wishes,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let effect = shared.faults().at_model(path, &facts.model);
    match effect {
        Some(Effect::Error { status, text }) => return refused(status_code(status), &text),
        Some(Effect::Hang) => std::future::pending().await,
        _ => {}
    }
    let Some(stored) = shared.disk().find(&facts.model).cloned() else {
        let message = match (version, route) {
            (Version::V0_10, Route::Chat) => wire::pull_first(&facts.model_written),
            _ => wire::model_missing(&facts.model_written),
        };
        return refused(StatusCode::NOT_FOUND, &message);
    };
    let thinks = match thinks(shared, &stored, call, route, &facts, &wishes) {
        Ok(thinks) => thinks,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    if let Some(format) = wishes.unknown_format().filter(|_| !facts.only_loads) {
        let message = format!("invalid format: {format:?}; expected \"json\" or a valid JSON Schema object");
        return refused(StatusCode::INTERNAL_SERVER_ERROR, &message);
    }

    let mut sized = answer::size(&facts.model, &facts.prompt, facts.only_loads);
    sized.add_images(&wishes.images);
    let script = Script::new(sized.hash, &wishes, thinks);
    let wanted = script.tokens();
    let asked = Asked {
        api,
        version,
        name: facts.model_written.clone(),
        stream: facts.stream,
        tokens: wanted.min(facts.num_predict.unwrap_or(u32::MAX)),
        effect,
    };
    let mut options = facts.options;
    options.num_ctx = options.num_ctx.or(stored.num_ctx());
    let request = HostRequest {
        key: RequestKey(0),
        model: ModelId(stored.profile as u32),
        kind: Kind::Completion,
        prompt_tokens: sized.tokens,
        blocks: sized.blocks,
        answer_block: 0,
        output_tokens: wanted,
        num_predict: facts.num_predict,
        options,
        truncate: facts.truncate,
        shift: facts.shift,
        run_nanos: None,
    };
    let crashes = asked.effect == Some(Effect::RunnerCrash);
    let dialect =
        dialect.unwrap_or_else(|| Box::new(Ollama::new(route, &asked.name, script.hash(), wishes.raw)));
    let voice = Voice::new(script, dialect);
    match shared.handle.submit(&facts.model, request, crashes).await {
        Some(flight) => respond(flight, voice, asked).await,
        None => ended(),
    }
}

/// The status of an injected error, which was checked when it was read.
pub(super) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whether the model thinks first; an error where it cannot do what is asked.
fn thinks(
    shared: &Shared,
    stored: &Stored,
    call: Call,
    route: Route,
    facts: &RequestFacts<'_>,
    wishes: &Wishes,
) -> Result<bool, String> {
    let can = capabilities::of(shared.spec(stored));
    let written = &facts.model_written;
    if !can.contains(&"completion") {
        let what = if route == Route::Chat { "chat" } else { "generate" };
        return Err(format!("\"{written}\" does not support {what}"));
    }
    let needed = [("tools", !wishes.tools.is_empty()), ("insert", wishes.suffix)];
    if let Some((what, _)) = needed.iter().find(|(what, needed)| *needed && !can.contains(what)) {
        return Err(format!("{} does not support {what}", qualified(&facts.model)));
    }
    match (can.contains(&"thinking"), wishes.think) {
        (true, think) => Ok(think != Some(false)),
        // Clients of Anthropic's API ask for it in any case.
        (false, Some(true)) if call != Call::Messages => {
            let name = match shared.version() {
                Version::V0_10 => qualified(&facts.model),
                Version::V0_24 => format!("\"{written}\""),
            };
            Err(format!("{name} does not support thinking"))
        }
        _ => Ok(false),
    }
}

/// A normalised name with the host and namespace that it leaves out.
fn qualified(name: &str) -> String {
    match name.matches('/').count() {
        0 => format!("registry.ollama.ai/library/{name}"),
        1 => format!("registry.ollama.ai/{name}"),
        _ => name.to_owned(),
    }
}

/// A request that is under way.
struct Asked {
    api: Api,
    version: Version,
    /// The model as the client calls it.
    name: String,
    stream: bool,
    /// How long the answer is to be, the cap included.
    tokens: u32,
    effect: Option<Effect>,
}

impl Asked {
    fn refused(&self, status: StatusCode, message: &str) -> Response<Body> {
        self.api.translated_refusal(self.version, status, message)
    }

    fn harm(&self) -> Option<(Harm, u32)> {
        match self.effect {
            Some(Effect::Harm { harm, after_tokens }) => Some((harm, after_tokens)),
            _ => None,
        }
    }
}

/// Waits for the first token (where not streamed, for the last) and answers. Dropped before, it cancels.
async fn respond(mut flight: Flight, mut voice: Voice, asked: Asked) -> Response<Body> {
    loop {
        match flight.told().await {
            Some(Told::FirstToken { pace }) if asked.stream => {
                let content_type = HeaderValue::from_static(voice.content_type(true));
                let body = AnswerBody::new(flight, voice, pace, asked.tokens, asked.harm()).boxed_unsync();
                return reply::typed(StatusCode::OK, content_type, body);
            }
            Some(Told::FirstToken { .. }) => {}
            Some(Told::Finished { usage, total }) => {
                let end = End { usage, total };
                // Nothing was generated: Ollama answers with one object, which its translations make an end of.
                let stream = asked.stream && asked.api != Api::Ollama;
                let mut body = Vec::new();
                if stream {
                    voice.end(&end, &mut body);
                } else {
                    body = voice.whole(&end);
                }
                let content_type = voice.content_type(stream);
                let Some((harm, _)) = asked.harm() else {
                    return reply::whole(StatusCode::OK, content_type, body);
                };
                let body = HarmedBody::new(harm, body).boxed_unsync();
                return reply::typed(StatusCode::OK, HeaderValue::from_static(content_type), body);
            }
            Some(Told::Error(error)) => {
                let (status, message) = said(asked.version, error, &asked.name);
                return asked.refused(status, &message);
            }
            Some(Told::Crashed) => return asked.refused(StatusCode::INTERNAL_SERVER_ERROR, CRASHED),
            None => return ended(),
        }
    }
}

/// Status and text of an error of the host.
pub(super) fn said(version: Version, error: HostError, name: &str) -> (StatusCode, String) {
    match error {
        HostError::Busy => (StatusCode::SERVICE_UNAVAILABLE, wire::BUSY.into()),
        HostError::ModelMissing => (StatusCode::NOT_FOUND, wire::model_missing(name)),
        HostError::OutOfMemory => {
            (StatusCode::INTERNAL_SERVER_ERROR, "model requires more system memory than is available".into())
        }
        HostError::RunnerGone => (StatusCode::INTERNAL_SERVER_ERROR, CRASHED.into()),
        HostError::Damaged => (StatusCode::INTERNAL_SERVER_ERROR, "unable to load model".into()),
        HostError::PromptTooLong => {
            (StatusCode::BAD_REQUEST, "the input length exceeds the context length".into())
        }
        HostError::Unsupported => {
            let status = match version {
                Version::V0_10 => StatusCode::INTERNAL_SERVER_ERROR,
                Version::V0_24 => StatusCode::NOT_IMPLEMENTED,
            };
            (status, "this model does not support embeddings".into())
        }
    }
}
