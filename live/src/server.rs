//! An HTTP/1.1 server: accepts, bounds what a client may send before a request is read, and ends in order.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::reply::{self, Body};

/// Time for a request's head to come in, and for which a connection may stand idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a request's body to come in.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// Room for a request's head, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Pause after an accept that failed (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` ends; then refuses new requests with 503, lets running ones finish for at most `drain`, and
/// cuts the rest off. Gives the number of connections that were cut off. Dropping the future cuts all off at once.
pub(crate) async fn serve<S, F>(
    listener: TcpListener,
    service: S,
    connections_max: usize,
    shutdown: F,
    drain: Duration,
) -> usize
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    F: Future<Output = ()>,
{
    let mut connections = JoinSet::new();
    let (stop, stopping) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < connections_max => {
                if let Some(stream) = taken(accepted).await {
                    connections.spawn(connection(stream, service.clone(), stopping.clone()));
                }
            }
        }
    }
    stop.send_replace(true);
    // Whoever comes now is told to go elsewhere: a refused connection would look like a crash.
    let (_never_told, never) = watch::channel(false);
    let mut late = JoinSet::new();
    let mut over = pin!(tokio::time::sleep(drain));
    while !connections.is_empty() {
        tokio::select! {
            () = &mut over => break,
            _ = connections.join_next() => {}
            Some(_) = late.join_next(), if !late.is_empty() => {}
            accepted = listener.accept(), if late.len() < connections_max => {
                if let Some(stream) = taken(accepted).await {
                    late.spawn(connection(stream, service_fn(refuse), never.clone()));
                }
            }
        }
    }
    drop(listener);
    let cut_off = connections.len();
    connections.shutdown().await;
    cut_off
}

async fn taken(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<TcpStream> {
    match accepted {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// What a server that is stopping says.
async fn refuse(_: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mut answer = reply::error(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
    let headers = answer.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(answer)
}

async fn connection<S>(stream: TcpStream, service: S, mut stopping: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    // Tokens are small and must not wait for one another. Where this fails the connection is gone already.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let told = async { drop(stopping.wait_for(|&stop| stop).await) };
    let ended = tokio::select! {
        ended = &mut connection => ended,
        // Ends too where the server is gone.
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Why a request's body could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    /// It is longer than allowed.
    TooLong,
    /// It takes too long to come in.
    TooSlow,
    /// The connection broke, or the framing is wrong.
    Broken,
}

impl Unreadable {
    /// What the client is told.
    pub(crate) fn answer(self, bytes_max: usize) -> Response<Body> {
        match self {
            Self::TooLong => {
                let message = format!("request body too large: at most {bytes_max} bytes");
                reply::error(StatusCode::PAYLOAD_TOO_LARGE, &message)
            }
            Self::TooSlow => reply::error(StatusCode::REQUEST_TIMEOUT, "request body too slow"),
            Self::Broken => reply::error(StatusCode::BAD_REQUEST, "unexpected EOF"),
        }
    }
}

/// Reads a whole body of at most `bytes_max`.
pub(crate) async fn read_body(body: Incoming, bytes_max: usize) -> Result<Bytes, Unreadable> {
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unreadable::TooLong),
        Ok(Err(_)) => Err(Unreadable::Broken),
        Err(_) => Err(Unreadable::TooSlow),
    }
}
