//! An HTTP/1.1 server: accepts, bounds what a client may send before a request is read, refuses what can be read in
//! two ways, and ends in order.

mod body;
mod strict;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use body::{Held, Room, Unreadable};
use strict::Strict;
#[cfg(feature = "tls")]
pub(crate) use tls::Tls;

/// There is no TLS in this build.
#[cfg(not(feature = "tls"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tls {}

use crate::reply::{self, Body};

/// How long a connection may stand idle between two requests, or before the first. Clients keep connections for up to a
/// minute, most of them, and one that is closed as they send is a failed request to them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Connections that may wait to be accepted, where the system allows as many. One that does not fit is tried again by its
/// client's system, but only after a second; the 128 that are usual are full within milliseconds.
const BACKLOG: u32 = 4_096;
/// Pause after an accept that failed (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens; a server that ended just now may have listened there.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Elsewhere this would let another program take the address over.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown` ends; then refuses new requests with 503, lets running ones finish for at most `drain`, and
/// cuts the rest off. Gives the number of connections that were cut off. Dropping the future cuts all off at once. Where the
/// service gives an error, the connection is closed without an answer.
pub(crate) async fn serve<S, F>(
    listener: TcpListener,
    service: S,
    tls: Option<Tls>,
    connections_max: usize,
    shutdown: F,
    drain: Duration,
) -> usize
where
    S: Service<Request<Incoming>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
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
                    connections.spawn(greeted(stream, tls.clone(), service.clone(), stopping.clone()));
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
                    late.spawn(greeted(stream, tls.clone(), service_fn(refuse), never.clone()));
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
        Ok((stream, _)) => {
            // Tokens are small and must not wait for one another. Where this fails the connection is gone already.
            let _ = stream.set_nodelay(true);
            Some(stream)
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// A connection, in TLS where that is spoken here.
async fn greeted<S>(stream: TcpStream, tls: Option<Tls>, service: S, stopping: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<Body>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    #[cfg(feature = "tls")]
    if let Some(tls) = tls {
        match tokio::time::timeout(strict::HEAD_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => connection(stream, service, stopping).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client and this server found no common TLS"),
            Err(_) => tracing::debug!("a client did not begin to speak TLS"),
        }
        return;
    }
    #[cfg(not(feature = "tls"))]
    if let Some(never) = tls {
        match never {}
    }
    connection(stream, service, stopping).await;
}

/// What a server that is stopping says.
async fn refuse(_: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mut answer = reply::error(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
    let headers = answer.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(answer)
}

async fn connection<I, S>(stream: I, service: S, mut stopping: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<Body>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let service = service_fn(move |request| {
        let answered = strict::refusal(&request).map_or_else(|| Err(service.call(request)), Ok);
        async move {
            match answered {
                Ok(refused) => Ok(refused),
                Err(answer) => answer.await,
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Strict::new(stream)), service);
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

/// Reads a whole body of at most `bytes_max`, inside the room that all bodies share; gives the part of it that it takes.
pub(crate) async fn read_body_in(
    body: Incoming,
    bytes_max: usize,
    room: &Room,
) -> Result<(Bytes, Held), Unreadable> {
    body::read_body(body, bytes_max, room).await
}

/// Reads a whole body of at most `bytes_max`, where bodies share no room.
pub(crate) async fn read_body(body: Incoming, bytes_max: usize) -> Result<Bytes, Unreadable> {
    let (body, _) = body::read_body(body, bytes_max, &Room::new(bytes_max)).await?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// How many seconds a connection lives on which these are sent, each after its seconds, and nothing more; and what it
    /// answers.
    async fn lives(sent: &[(u64, &str)]) -> (u64, String) {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let greeting = service_fn(async |_: Request<Incoming>| Ok::<_, Infallible>(crate::reply::greeting()));
        let (_stop, stopping) = watch::channel(false);
        let mut serving = tokio::spawn(connection(server, greeting, stopping));
        let begun = tokio::time::Instant::now();
        for (seconds, text) in sent {
            tokio::select! {
                ended = &mut serving => ended.expect("no panic"),
                () = tokio::time::sleep(Duration::from_secs(*seconds)) => {
                    client.write_all(text.as_bytes()).await.expect("room");
                    continue;
                }
            }
            break;
        }
        if !serving.is_finished() {
            serving.await.expect("no panic");
        }
        let lived = begun.elapsed().as_secs();
        let mut said = String::new();
        client.read_to_string(&mut said).await.expect("text");
        (lived, said)
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_burst_of_connections_waits_to_be_accepted() {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut waiting = Vec::new();
        let burst = async {
            while waiting.len() < 400 {
                waiting.push(TcpStream::connect(address).await.expect("a connection"));
            }
        };
        tokio::time::timeout(Duration::from_secs(20), burst).await.expect("all fit, and none is accepted");
    }

    const WHOLE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_given_up_ten_seconds_after_its_first_byte() {
        let head = strict::HEAD_TIMEOUT.as_secs();
        for begun in ["G", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\n"] {
            let (seconds, said) = lives(&[(20, begun)]).await;
            assert_eq!((seconds, said.as_str()), (20 + head, ""), "{begun:?}");
            let (seconds, said) = lives(&[(0, WHOLE), (20, begun)]).await;
            assert_eq!((seconds, said.matches("200 OK").count()), (20 + head, 1), "{begun:?}");
        }
        let mut dripped = vec![(3, "GET / HTTP/1.1\r\n")];
        dripped.extend([(3, "X: y\r\n"); 20]);
        assert_eq!(lives(&dripped).await.0, 3 + head, "a line now and then is not enough");
        let pipelined = WHOLE.to_owned() + "GET";
        let (seconds, said) = lives(&[(0, "GET"), (8, &pipelined[3..]), (8, &WHOLE[3..])]).await;
        assert_eq!((seconds, said.matches("200 OK").count()), (16 + 75, 2), "each head has its own time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_stand_idle_for_longer_than_a_head_may_take() {
        for (sent, requests) in [(&[][..], 0), (&[(0, WHOLE)], 1), (&[(0, WHOLE), (70, WHOLE)], 2)] {
            let idle_since: u64 = sent.iter().map(|(seconds, _)| seconds).sum();
            let (seconds, said) = lives(sent).await;
            assert_eq!(
                (seconds, said.matches("200 OK").count()),
                (idle_since + IDLE_TIMEOUT.as_secs(), requests),
                "{said}"
            );
        }
    }
}
