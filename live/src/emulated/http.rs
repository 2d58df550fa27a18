//! Ollama's API in front of a driver: who may ask, faults, the table of paths.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Method, Request, Response};
use serde_json::json;
use sim_host::spec::Version;

use super::control_path;
use super::dialect::Api;
use super::embed;
use super::faults::{Effect, Harm};
use super::generate::{self, BODY_BYTES_MAX};
use super::models;
use super::origin;
use super::shared::Shared;
use super::stream::HarmedBody;
use super::transfer::{self, Transfer};
use crate::reply::{self, Body};
use crate::server;
use crate::wire::request::Route;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault was injected: the connection is dropped")]
pub(super) struct Dropped;

/// Answers requests with a host.
#[derive(Clone)]
pub(super) struct HostService(Arc<Shared>);

impl HostService {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Service<Request<Incoming>> for HostService {
    type Response = Response<Body>;
    type Error = Dropped;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Dropped>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { answer(&shared, request).await })
    }
}

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
    let path = request.uri().path().to_owned();
    if let Some(response) = origin::answer(request.method(), request.headers(), shared.local_only) {
        return Ok(response);
    }
    if path == control_path::FAULTS {
        return Ok(control_path::answer(shared, request).await);
    }
    let headers = request.headers().clone();
    let inference = Endpoint::of(&path).is_inference();
    let effect = shared.faults().at_door(&path, inference);
    let mut response = match effect {
        Some(Effect::Refuse) => return Err(Dropped),
        Some(Effect::Hang) => std::future::pending().await,
        Some(Effect::Error { status, text }) => {
            let api = if path.starts_with("/v1/") { Api::OpenAi } else { Api::Ollama };
            api.refusal(generate::status_code(status), &text)
        }
        Some(Effect::Harm { harm, .. }) => harmed(route(shared, &path, request).await, harm).await,
        // A request that runs no model crashes no runner.
        Some(Effect::RunnerCrash) | None => route(shared, &path, request).await,
    };
    origin::allow(&headers, &mut response);
    Ok(response)
}

/// The paths.
enum Endpoint<'a> {
    Root,
    Version,
    Tags,
    Ps,
    Show,
    Copy,
    Delete,
    Transfer(Transfer),
    Blob(&'a str),
    Generate(generate::Call),
    Embed(embed::Call),
    Models,
    Model(&'a str),
    Unknown,
}

impl<'a> Endpoint<'a> {
    fn of(path: &'a str) -> Self {
        use generate::Call;
        match path {
            "/" => Self::Root,
            "/api/version" => Self::Version,
            "/api/tags" => Self::Tags,
            "/api/ps" => Self::Ps,
            "/api/show" => Self::Show,
            "/api/copy" => Self::Copy,
            "/api/delete" => Self::Delete,
            "/api/pull" => Self::Transfer(Transfer::Pull),
            "/api/push" => Self::Transfer(Transfer::Push),
            "/api/create" => Self::Transfer(Transfer::Create),
            "/api/chat" => Self::Generate(Call::Ollama(Route::Chat)),
            "/api/generate" => Self::Generate(Call::Ollama(Route::Generate)),
            "/api/embed" => Self::Embed(embed::Call::Embed),
            "/api/embeddings" => Self::Embed(embed::Call::Embeddings),
            "/v1/chat/completions" => Self::Generate(Call::ChatCompletions),
            "/v1/completions" => Self::Generate(Call::Completions),
            "/v1/responses" => Self::Generate(Call::Responses),
            "/v1/messages" => Self::Generate(Call::Messages),
            "/v1/embeddings" => Self::Embed(embed::Call::OpenAi),
            "/v1/models" => Self::Models,
            _ => match (path.strip_prefix("/api/blobs/"), path.strip_prefix("/v1/models/")) {
                (Some(digest), _) if is_segment(digest) => Self::Blob(digest),
                (_, Some(model)) if is_segment(model) => Self::Model(model),
                _ => Self::Unknown,
            },
        }
    }

    const fn is_inference(&self) -> bool {
        matches!(self, Self::Generate(_) | Self::Embed(_))
    }

    fn methods(&self) -> &'static [Method] {
        match self {
            // In the order of Ollama's `Allow`.
            Self::Root | Self::Version | Self::Tags => &[Method::HEAD, Method::GET],
            Self::Ps | Self::Models | Self::Model(_) => &[Method::GET],
            Self::Delete => &[Method::DELETE],
            Self::Blob(_) => &[Method::HEAD, Method::POST],
            _ => &[Method::POST],
        }
    }

    /// Whether a host of this version serves it.
    const fn is_served(&self, version: Version) -> bool {
        match self {
            Self::Unknown => false,
            Self::Generate(generate::Call::Responses | generate::Call::Messages) => {
                matches!(version, Version::V0_24)
            }
            _ => true,
        }
    }
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

async fn route(shared: &Arc<Shared>, path: &str, request: Request<Incoming>) -> Response<Body> {
    let endpoint = Endpoint::of(path);
    if !endpoint.is_served(shared.version()) {
        return reply::unknown_path();
    }
    if !endpoint.methods().contains(request.method()) {
        return reply::wrong_method(endpoint.methods());
    }
    match endpoint {
        Endpoint::Unknown => reply::unknown_path(),
        Endpoint::Root => reply::greeting(),
        Endpoint::Version => models::value(&json!({ "version": version(shared) })),
        Endpoint::Tags => models::tags(shared),
        Endpoint::Ps => models::ps(shared).await,
        Endpoint::Models => models::openai_list(shared),
        Endpoint::Model(model) => models::openai_one(shared, &decoded(model)),
        Endpoint::Blob(digest) if request.method() == Method::HEAD => transfer::head_blob(shared, digest),
        Endpoint::Blob(digest) => transfer::create_blob(shared, digest, request.into_body()).await,
        Endpoint::Generate(call) => generate::answer(shared, call, path, request.into_body()).await,
        Endpoint::Embed(call) => embed::answer(shared, call, path, request.into_body()).await,
        Endpoint::Show | Endpoint::Copy | Endpoint::Delete | Endpoint::Transfer(_) => {
            let body = match server::read_body(request.into_body(), BODY_BYTES_MAX).await {
                Ok(body) => body,
                Err(unreadable) => return unreadable.answer(BODY_BYTES_MAX),
            };
            match endpoint {
                Endpoint::Show => models::show(shared, &body),
                Endpoint::Copy => models::copy(shared, &body),
                Endpoint::Transfer(transfer) => transfer::answer(shared, transfer, &body).await,
                _ => models::delete(shared, &body),
            }
        }
    }
}

fn version(shared: &Shared) -> &'static str {
    match shared.version() {
        Version::V0_10 => "0.10.1",
        Version::V0_24 => "0.24.0",
    }
}

/// A segment of a path without percent signs; what is no UTF-8 then names no model.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok());
        match hex {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer that is whole, harmed. One that does not end by itself is left as it is.
async fn harmed(response: Response<Body>, harm: Harm) -> Response<Body> {
    let (head, body) = response.into_parts();
    let whole = match body.collect().await {
        Ok(collected) => collected.to_bytes().to_vec(),
        Err(_) => Vec::new(),
    };
    let mut response = Response::from_parts(head, HarmedBody::new(harm, whole).boxed_unsync());
    // It may be longer or shorter now.
    response.headers_mut().remove(hyper::header::CONTENT_LENGTH);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(decoded("llama3.2%3A3b"), "llama3.2:3b");
        assert_eq!(decoded("a%253A"), "a%3A");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%C3%A4"), "%zzä");
    }
}
