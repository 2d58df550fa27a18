//! Answers in the shapes that Ollama gives them, and the one type of body that both servers send.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::sync::mpsc;

use crate::wire;
use crate::wire::dialect::Dialect;

/// The stream ended where it should not have: hyper closes the connection without the closing chunk, so that no
/// client can take the answer for a whole one.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(crate) struct BrokenOff;

/// What is sent to a client.
pub(crate) type Body = UnsyncBoxBody<Bytes, BrokenOff>;

/// A body that another task writes, until all its senders are gone.
pub(crate) struct Written {
    /// What was looked at already.
    first: Option<Bytes>,
    rest: mpsc::Receiver<Bytes>,
}

impl Written {
    /// What comes.
    pub(crate) fn new(rest: mpsc::Receiver<Bytes>) -> Self {
        Self { first: None, rest }
    }

    /// `first`, then what comes.
    pub(crate) fn after(first: Bytes, rest: mpsc::Receiver<Bytes>) -> Self {
        Self { first: Some(first), rest }
    }
}

impl hyper::body::Body for Written {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.rest.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

/// Lines of JSON, one after the other.
pub(crate) const NDJSON: &str = "application/x-ndjson";
/// One JSON value.
pub(crate) const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A body that is there as a whole.
pub(crate) fn whole(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    typed(status, HeaderValue::from_static(content_type), body)
}

/// An answer with its content type.
pub(crate) fn typed(status: StatusCode, content_type: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// An error in a dialect's shape.
pub(crate) fn error_in(dialect: Dialect, status: StatusCode, message: &str) -> Response<Body> {
    whole(status, JSON, dialect.error(status.as_u16(), message))
}

/// An error in Ollama's shape.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Body> {
    whole(status, JSON, wire::error_object(message))
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let body = Full::default().map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// What Ollama's router says to a path that it does not know.
pub(crate) fn unknown_path() -> Response<Body> {
    whole(StatusCode::NOT_FOUND, TEXT, "404 page not found")
}

/// What it says to another method than these on a path that it knows.
pub(crate) fn wrong_method(methods: &[Method]) -> Response<Body> {
    let mut response = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, "405 method not allowed");
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    let names = HeaderValue::from_str(&names.join(", ")).expect("names of methods are tokens");
    response.headers_mut().insert(ALLOW, names);
    response
}

/// `GET /`.
pub(crate) fn greeting() -> Response<Body> {
    whole(StatusCode::OK, TEXT, "Ollama is running")
}
