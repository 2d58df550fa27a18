//! What clients ask about the fleet: lists of all hosts as one, and what one host says of a model.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::{Shared, authorization};
use crate::gateway::unix_millis;
use crate::gateway::upstream::Answer;
use crate::reply::{self, Body, BrokenOff};
use crate::server;
use crate::wire;
use crate::wire::dialect::Dialect;
use crate::wire::models;
use crate::wire::request::ShowFacts;

/// Hosts that are asked about a model at most.
const SHOW_HOSTS_MAX: usize = 2;

/// A list in Ollama's words.
pub(super) fn list(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(value).expect("lists have string keys only");
    reply::whole(StatusCode::OK, reply::JSON, text)
}

/// `GET /v1/models`.
pub(super) fn models(shared: &Shared) -> Response<Body> {
    reply::whole(StatusCode::OK, reply::JSON, models::list(&shared.hosts.tags()))
}

/// `GET /v1/models/{id}`.
pub(super) fn model(shared: &Shared, id: &str) -> Response<Body> {
    match models::one(&shared.hosts.tags(), id) {
        Some(model) => reply::whole(StatusCode::OK, reply::JSON, model),
        None => reply::error_in(Dialect::OpenAi, StatusCode::NOT_FOUND, &wire::model_missing(id)),
    }
}

/// `POST /api/show`: the answer of a host that has the model. Control has no part in it: it takes no slot.
pub(super) async fn show(shared: &Shared, headers: &HeaderMap, body: Incoming) -> Response<Body> {
    let (body, held) = match server::read_body_in(body, shared.body_bytes_max, &shared.bodies).await {
        Ok(read) => read,
        Err(unreadable) => return super::unread(unreadable, Dialect::Ollama, shared.body_bytes_max),
    };
    let facts = match ShowFacts::read(&body) {
        Ok(facts) => facts,
        Err(error) => return reply::error(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let Some(model) = shared.admitted(facts.model, &facts.model_written) else {
        return reply::error(StatusCode::FORBIDDEN, &super::cloud_refusal(&facts.model_written));
    };
    // Held until the answer's head is here.
    let _caller = match shared.keys.check(unix_millis(), authorization(headers), Some(&model)) {
        Ok(caller) => caller,
        Err(denied) => return denied.answer(Dialect::Ollama),
    };
    let having = shared.hosts.having(&model);
    if having.is_empty() {
        return reply::error(StatusCode::NOT_FOUND, &wire::model_missing(&facts.model_written));
    }
    for host in having.into_iter().take(SHOW_HOSTS_MAX) {
        let asked = shared.upstream.post(host, "/api/show", body.clone());
        match tokio::time::timeout(shared.info_timeout, asked).await {
            Ok(Ok(response)) if !response.status().is_server_error() => {
                drop(held);
                let mut response = passed_on(response);
                shared.name_host(response.headers_mut(), host);
                return response;
            }
            Ok(Ok(_) | Err(_)) | Err(_) => {
                tracing::debug!(host = ?shared.hosts.header(host), "a host did not show a model");
            }
        }
    }
    reply::error(StatusCode::BAD_GATEWAY, "no host that has the model answers")
}

fn passed_on(response: Response<Answer>) -> Response<Body> {
    let (head, body) = response.into_parts();
    let content_type =
        head.headers.get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(reply::JSON));
    reply::typed(head.status, content_type, body.map_err(|_| BrokenOff).boxed_unsync())
}
