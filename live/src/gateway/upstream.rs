//! Requests to hosts, over kept connections. There is no limit on connections to a host: control decides how many requests
//! it gets.
//!
//! Whoever waits for an answer drives its connection: hyper's HTTP/1.1, without a task of its own that hands on each piece
//! and is woken for it. Dropping an answer that has not ended closes its connection, which is how a host learns that a
//! client left. One that has ended gives its connection back.

mod answer;
mod link;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::ids::HostId;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use super::config::ServeConfig;
use crate::reply::BrokenOff;
pub(super) use answer::Answer;
use link::{Link, Sending};
use pool::Pool;

/// Largest answer to a poll that is read, in bytes.
const POLL_BYTES_MAX: usize = 16 << 20;

/// What is sent to a host: all at once, or as it comes.
type Sent = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BrokenOff>>;

/// The way to all hosts.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    connector: HttpConnector,
    pool: Arc<Pool>,
}

/// No head of an answer came.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    /// There is no connection to the host.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// It broke.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl NotSent {
    pub(super) fn is_connect(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

/// A poll that brought no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoAnswer;

impl Upstream {
    pub(super) fn new(config: &ServeConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_millis(config.connect_timeout_millis)));
        let parse = |host: &super::HostEntry| host.authority.parse().expect("the config was checked");
        let pool = Pool::default();
        for (index, host) in config.hosts.iter().enumerate() {
            pool.set(HostId(index as u32), parse(host));
        }
        Self { connector, pool: Arc::new(pool) }
    }

    /// Says where a host is: one that is known, or the next.
    pub(super) fn set(&self, host: HostId, authority: Authority) {
        self.pool.set(host, authority);
    }

    /// Closes the connections to a host that are kept.
    pub(super) fn close_kept(&self, host: HostId) {
        self.pool.close_kept(host);
    }

    /// Posts a body; ends with the head of the answer.
    pub(super) async fn post(
        &self,
        host: HostId,
        path: &'static str,
        body: Bytes,
    ) -> Result<Response<Answer>, NotSent> {
        self.send(host, Method::POST, PathAndQuery::from_static(path), body).await
    }

    /// Sends a body of JSON, which may be empty; ends with the head of the answer. The path is our own.
    pub(super) async fn send(
        &self,
        host: HostId,
        method: Method,
        path: PathAndQuery,
        body: Bytes,
    ) -> Result<Response<Answer>, NotSent> {
        self.exchange(host, method, path, "application/json", Either::Left(Full::new(body))).await
    }

    /// Posts bytes as they come; ends with the head of the answer.
    pub(super) async fn upload(
        &self,
        host: HostId,
        path: PathAndQuery,
        body: UnsyncBoxBody<Bytes, BrokenOff>,
    ) -> Result<Response<Answer>, NotSent> {
        self.exchange(host, Method::POST, path, "application/octet-stream", Either::Right(body)).await
    }

    /// Gets a small answer within a time.
    pub(super) async fn get(
        &self,
        host: HostId,
        path: &'static str,
        timeout: Duration,
    ) -> Result<Bytes, NoAnswer> {
        let answer = async {
            let asked = self.send(host, Method::GET, PathAndQuery::from_static(path), Bytes::new());
            let response = asked.await.map_err(|_| NoAnswer)?;
            if !response.status().is_success() {
                return Err(NoAnswer);
            }
            let body = Limited::new(response.into_body(), POLL_BYTES_MAX).collect().await;
            body.map(http_body_util::Collected::to_bytes).map_err(|_| NoAnswer)
        };
        tokio::time::timeout(timeout, answer).await.unwrap_or(Err(NoAnswer))
    }

    async fn exchange(
        &self,
        host: HostId,
        method: Method,
        path: PathAndQuery,
        content_type: &'static str,
        body: Sent,
    ) -> Result<Response<Answer>, NotSent> {
        let mut place = self.pool.place(host);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from(path);
        introduce(&mut request, &place.authority, content_type);
        loop {
            let kept = place.kept.take();
            let was_kept = kept.is_some();
            let link = match kept {
                Some((_, link)) => link,
                None => self.connect(&place.authority).await?,
            };
            match link.send(request).await {
                Sending::Answered(response, link) => {
                    let home = Arc::clone(&self.pool);
                    return Ok(response.map(|body| Answer::new(body, link, home, (host, place.epoch))));
                }
                // The host had closed it before a byte went out.
                Sending::NotBegun(unsent) if was_kept => {
                    request = *unsent;
                    place = self.pool.place(host);
                    request.headers_mut().insert(HOST, host_header(&place.authority));
                }
                Sending::NotBegun(_) => return Err(NotSent::Unreachable("it closed at once".into())),
                Sending::Failed(error) => return Err(NotSent::Broken(error)),
            }
        }
    }

    async fn connect(&self, authority: &Authority) -> Result<Link, NotSent> {
        let mut address = hyper::http::uri::Parts::default();
        address.scheme = Some(Scheme::HTTP);
        address.authority = Some(authority.clone());
        address.path_and_query = Some(PathAndQuery::from_static("/"));
        let address = Uri::from_parts(address).expect("scheme, authority and path make an address");
        // Always ready: it opens as many as it is asked for.
        let stream = self.connector.clone().call(address).await;
        let stream = stream.map_err(|error| NotSent::Unreachable(error.to_string()))?;
        Ok(Link::open(stream).await?)
    }
}

/// The head of a request is our own: nothing of the client's goes to a host.
fn introduce(request: &mut Request<Sent>, authority: &Authority, content_type: &'static str) {
    let headers = request.headers_mut();
    headers.insert(HOST, host_header(authority));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("herder/", env!("CARGO_PKG_VERSION"))));
}

fn host_header(authority: &Authority) -> HeaderValue {
    HeaderValue::from_str(authority.as_str()).expect("an authority has no bytes that a header may not")
}
