//! Ollama's API in front of a driver.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use control::ids::ModelId;
use control::request::{DoneReason, Kind, Usage};
use control::units::Nanos;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use sim_host::api::{HostError, HostRequest, RequestKey};

use super::answer;
use super::driver::{Flight, Handle, Told};
use super::stream::AnswerBody;
use crate::reply::{self, Body};
use crate::server;
use crate::wire::request::{RequestFacts, Route};
use crate::wire::{self, answer::done_word, stamp};

/// Largest body that is read. Ollama has no limit.
const BODY_BYTES_MAX: usize = 256 << 20;

/// Answers requests with a host.
#[derive(Clone)]
pub(super) struct HostService {
    handle: Handle,
}

impl HostService {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }
}

impl Service<Request<Incoming>> for HostService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let handle = self.handle.clone();
        Box::pin(async move { Ok(answer(&handle, request).await) })
    }
}

async fn answer(handle: &Handle, request: Request<Incoming>) -> Response<Body> {
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    let post = request.method() == Method::POST;
    match request.uri().path() {
        "/" if get => reply::greeting(),
        "/api/version" if get => list(handle, |_, seen| json!({ "version": seen.version })).await,
        "/api/tags" if get => list(handle, tags).await,
        "/api/ps" if get => list(handle, ps).await,
        "/api/chat" if post => generate(handle, Route::Chat, request).await,
        "/api/generate" if post => generate(handle, Route::Generate, request).await,
        "/" | "/api/version" | "/api/tags" | "/api/ps" | "/api/chat" | "/api/generate" => {
            reply::wrong_method()
        }
        _ => reply::unknown_path(),
    }
}

fn ended() -> Response<Body> {
    reply::error(StatusCode::INTERNAL_SERVER_ERROR, "the host has ended")
}

async fn list(handle: &Handle, show: fn(&Handle, &control::door::Observation) -> Value) -> Response<Body> {
    match handle.look().await {
        Some(seen) => reply::whole(StatusCode::OK, reply::JSON, show(handle, &seen).to_string()),
        None => ended(),
    }
}

/// What both lists say of a model.
fn shown(handle: &Handle, model: ModelId, size: u64) -> Value {
    let spec = &handle.spec().models[model.index()].profile.model;
    json!({
        "name": spec.name, "model": spec.name, "size": size, "digest": spec.blob,
        "details": {
            "parent_model": "", "format": "gguf", "family": spec.family, "families": [spec.family],
            "parameter_size": parameter_size(spec.parameters), "quantization_level": spec.quantisation,
        },
    })
}

/// `8.0B`, `270.00M`, as Ollama writes it.
fn parameter_size(parameters: u64) -> String {
    match parameters {
        1_000_000_000.. => format!("{}.{}B", parameters / 1_000_000_000, parameters / 100_000_000 % 10),
        1_000_000.. => format!("{}.{:02}M", parameters / 1_000_000, parameters / 10_000 % 100),
        _ => parameters.to_string(),
    }
}

fn tags(handle: &Handle, seen: &control::door::Observation) -> Value {
    let models = seen.stored.iter().map(|stored| {
        let mut shown = shown(handle, stored.model, stored.bytes.0);
        shown["modified_at"] = "2026-01-01T00:00:00Z".into();
        shown
    });
    json!({ "models": models.collect::<Vec<_>>() })
}

fn ps(handle: &Handle, seen: &control::door::Observation) -> Value {
    let models = seen.loaded.iter().map(|loaded| {
        let mut shown = shown(handle, loaded.model, loaded.bytes.0);
        shown["size_vram"] = loaded.vram.0.into();
        // The host model does not tell when a runner expires.
        shown["expires_at"] = stamp::rfc3339(SystemTime::now()).into();
        shown
    });
    json!({ "models": models.collect::<Vec<_>>() })
}

async fn generate(handle: &Handle, route: Route, request: Request<Incoming>) -> Response<Body> {
    let body = match server::read_body(request.into_body(), BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(unreadable) => return unreadable.answer(BODY_BYTES_MAX),
    };
    let facts = match RequestFacts::read(route, &body) {
        Ok(facts) => facts,
        Err(error) => return reply::error(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let models = &handle.spec().models;
    let Some(model) = models.iter().find(|entry| entry.profile.model.name == facts.model) else {
        return reply::error(StatusCode::NOT_FOUND, &wire::model_missing(&facts.model_written));
    };
    let sized = answer::size(&facts.model, &facts.prompt, facts.only_loads);
    let wanted = answer::answer_tokens(sized.hash);
    let cap = facts.num_predict.unwrap_or(u32::MAX);
    let voice = Voice { route, model: facts.model_written.clone(), hash: sized.hash };
    let request = HostRequest {
        key: RequestKey(0),
        model: model.model,
        kind: Kind::Completion,
        prompt_tokens: sized.tokens,
        blocks: sized.blocks,
        answer_block: 0,
        output_tokens: wanted,
        num_predict: facts.num_predict,
        options: facts.options,
        truncate: facts.truncate,
        shift: facts.shift,
    };
    let stream = facts.stream;
    drop(facts);
    match handle.submit(request).await {
        Some(flight) => respond(flight, voice, stream, wanted.min(cap)).await,
        None => ended(),
    }
}

/// Waits for the first token (where not streamed, for the last) and answers. Dropped before, it cancels.
async fn respond(mut flight: Flight, voice: Voice, stream: bool, tokens: u32) -> Response<Body> {
    loop {
        match flight.told().await {
            Some(Told::FirstToken { pace }) if stream => {
                let body = AnswerBody::new(flight, voice, pace, tokens).boxed_unsync();
                return reply::typed(StatusCode::OK, HeaderValue::from_static(reply::NDJSON), body);
            }
            Some(Told::FirstToken { .. }) => {}
            Some(Told::Finished { usage, total }) => {
                let text: String =
                    (0..usage.output_tokens).map(|index| answer::word(voice.hash, index)).collect();
                let mut line = Vec::new();
                voice.last_line(&usage, total, &text, &mut line);
                let content_type = if stream { reply::NDJSON } else { reply::JSON };
                return reply::whole(StatusCode::OK, content_type, line);
            }
            Some(Told::Error(error)) => return refused(error, &voice.model),
            None => return ended(),
        }
    }
}

fn refused(error: HostError, model: &str) -> Response<Body> {
    match error {
        HostError::Busy => reply::error(StatusCode::SERVICE_UNAVAILABLE, wire::BUSY),
        HostError::ModelMissing => reply::error(StatusCode::NOT_FOUND, &wire::model_missing(model)),
        HostError::OutOfMemory => reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "model requires more system memory than is available",
        ),
        HostError::PromptTooLong => {
            reply::error(StatusCode::BAD_REQUEST, "the input length exceeds the context length")
        }
        HostError::Unsupported => {
            reply::error(StatusCode::BAD_REQUEST, &format!("\"{model}\" does not support generate"))
        }
    }
}

/// How an answer is written down.
pub(super) struct Voice {
    route: Route,
    model: String,
    hash: u64,
}

impl Voice {
    fn line(&self, text: &str) -> Value {
        let mut line = json!({ "model": self.model, "created_at": stamp::rfc3339(SystemTime::now()) });
        match self.route {
            Route::Chat => line["message"] = json!({ "role": "assistant", "content": text }),
            _ => line["response"] = text.into(),
        }
        line["done"] = false.into();
        line
    }

    /// Appends the line of one token.
    pub(super) fn token_line(&self, index: u32, out: &mut Vec<u8>) {
        let line = self.line(answer::word(self.hash, index));
        out.extend_from_slice(line.to_string().as_bytes());
        out.push(b'\n');
    }

    /// Appends the last line, with the host's figures. Times are those of the host model, whatever its speed.
    pub(super) fn last_line(&self, usage: &Usage, total: Nanos, text: &str, out: &mut Vec<u8>) {
        let mut line = self.line(text);
        line["done"] = true.into();
        line["done_reason"] = done_word(usage.done).into();
        if !matches!(usage.done, DoneReason::Load | DoneReason::Unload) {
            line["total_duration"] = total.0.into();
            line["load_duration"] = usage.load.0.into();
            line["prompt_eval_count"] = usage.prompt_tokens.into();
            line["prompt_eval_duration"] = usage.prompt_eval.0.into();
            line["eval_count"] = usage.output_tokens.into();
            line["eval_duration"] = usage.eval.0.into();
        }
        out.extend_from_slice(line.to_string().as_bytes());
        out.push(b'\n');
    }
}
