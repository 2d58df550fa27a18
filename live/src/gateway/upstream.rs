//! Connections to hosts. A connection that a client's leaving cut off is closed, which is how a host learns of it; the
//! others are kept. There is no limit on connections to a host: control decides how many requests it gets.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use control::ids::HostId;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::config::ServeConfig;
use crate::reply::BrokenOff;

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(30);
/// Largest answer to a poll that is read, in bytes.
const POLL_BYTES_MAX: usize = 16 << 20;

/// The way to all hosts.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    /// For bodies that are sent on as they come.
    uploads: Client<HttpConnector, UnsyncBoxBody<Bytes, BrokenOff>>,
    /// By host; replaced where an operator adds a host or moves one.
    authorities: Arc<RwLock<Vec<Authority>>>,
}

/// A poll that brought no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoAnswer;

impl Upstream {
    pub(super) fn new(config: &ServeConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_millis(config.connect_timeout_millis)));
        // A kept connection that the host has closed before a byte of the request went out is opened anew.
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        let (client, uploads) = (builder.build(connector.clone()), builder.build(connector));
        let parse = |host: &super::HostEntry| host.authority.parse().expect("the config was checked");
        let authorities = config.hosts.iter().map(parse).collect();
        Self { client, uploads, authorities: Arc::new(RwLock::new(authorities)) }
    }

    /// Says where a host is: one that is known, or the next.
    pub(super) fn set(&self, host: HostId, authority: Authority) {
        let mut authorities = self.authorities.write().unwrap_or_else(PoisonError::into_inner);
        match authorities.get_mut(host.index()) {
            Some(known) => *known = authority,
            None => authorities.push(authority),
        }
    }

    /// The address is made from the host's and our own path; the `Host` header follows from it. Nothing of the
    /// client's head goes to a host.
    fn uri(&self, host: HostId, path: PathAndQuery) -> Uri {
        let mut parts = hyper::http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        let authorities = self.authorities.read().unwrap_or_else(PoisonError::into_inner);
        parts.authority = Some(authorities[host.index()].clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).expect("scheme, authority and path make an address")
    }

    /// Posts a body; ends with the head of the answer.
    pub(super) async fn post(
        &self,
        host: HostId,
        path: &'static str,
        body: Bytes,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        self.send(host, Method::POST, PathAndQuery::from_static(path), body).await
    }

    /// Sends a body of JSON, which may be empty; ends with the head of the answer. The path is our own.
    pub(super) async fn send(
        &self,
        host: HostId,
        method: Method,
        path: PathAndQuery,
        body: Bytes,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(host, path);
        introduce(request.headers_mut(), "application/json");
        self.client.request(request).await
    }

    /// Posts bytes as they come; ends with the head of the answer.
    pub(super) async fn upload(
        &self,
        host: HostId,
        path: PathAndQuery,
        body: UnsyncBoxBody<Bytes, BrokenOff>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri(host, path);
        introduce(request.headers_mut(), "application/octet-stream");
        self.uploads.request(request).await
    }

    /// Gets a small answer within a time.
    pub(super) async fn get(
        &self,
        host: HostId,
        path: &'static str,
        timeout: Duration,
    ) -> Result<Bytes, NoAnswer> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.uri(host, PathAndQuery::from_static(path));
        let answer = async {
            let response = self.client.request(request).await.map_err(|_| NoAnswer)?;
            if !response.status().is_success() {
                return Err(NoAnswer);
            }
            let body = Limited::new(response.into_body(), POLL_BYTES_MAX).collect().await;
            body.map(http_body_util::Collected::to_bytes).map_err(|_| NoAnswer)
        };
        tokio::time::timeout(timeout, answer).await.unwrap_or(Err(NoAnswer))
    }
}

fn introduce(headers: &mut HeaderMap, content_type: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("herder/", env!("CARGO_PKG_VERSION"))));
}
