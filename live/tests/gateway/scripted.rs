//! A host that does what the test says, when it says so.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// The model that every scripted host has.
pub(crate) const MODEL: &str = "m:latest";
/// The last line of an answer.
pub(crate) const DONE: &str = "{\"done\":true,\"prompt_eval_count\":3,\"eval_count\":2}\n";

/// A request that a host got, and the way to answer it.
pub(crate) struct Call {
    pub(crate) body: Bytes,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) path: String,
    head: oneshot::Sender<Head>,
}

/// How an answer is to begin.
struct Head {
    status: StatusCode,
    content_type: &'static str,
    chunks: mpsc::Receiver<Bytes>,
    /// All bytes that will come, where that is told beforehand.
    len: Option<u64>,
}

impl Call {
    /// Answers with an error.
    pub(crate) async fn refuse(self, status: u16, body: &str) {
        let mut chunks = self.begin(status);
        chunks.say(body).await;
    }

    /// Begins an answer of lines. Dropping what is returned ends it.
    pub(crate) fn begin(self, status: u16) -> Answering {
        self.begin_as(status, "application/x-ndjson", None)
    }

    /// Begins an answer of another type, of a length that is told beforehand or not.
    pub(crate) fn begin_as(self, status: u16, content_type: &'static str, len: Option<u64>) -> Answering {
        let (sender, chunks) = mpsc::channel(1);
        let status = StatusCode::from_u16(status).expect("a status");
        // A client that left meanwhile is seen by the first chunk.
        let _ = self.head.send(Head { status, content_type, chunks, len });
        Answering(sender)
    }

    /// Answers with one value, its length told.
    pub(crate) async fn give(self, body: &str) {
        let mut answering = self.begin_as(200, "application/json", Some(body.len() as u64));
        // Where nothing is told, nobody listens.
        if !body.is_empty() {
            answering.say(body).await;
        }
    }

    /// Waits until the gateway has closed the connection, without having answered.
    pub(crate) async fn abandoned(mut self) {
        self.head.closed().await;
    }
}

/// An answer that has begun.
pub(crate) struct Answering(mpsc::Sender<Bytes>);

impl Answering {
    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Bytes::copy_from_slice(text.as_bytes())).await.expect("the gateway listens");
    }

    /// Says what the gateway may not want to hear any more. `false` where it has closed the connection.
    pub(crate) async fn try_say(&mut self, bytes: Bytes) -> bool {
        self.0.send(bytes).await.is_ok()
    }

    /// Waits until the gateway has closed the connection.
    pub(crate) async fn abandoned(self) {
        self.0.closed().await;
    }
}

/// A host of the test's.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    calls: mpsc::Receiver<Call>,
    server: JoinHandle<()>,
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Where one has died, for instance.
    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        Self::start_with(address, format!("{{\"models\":[{{\"name\":\"{MODEL}\",\"size\":1000}}]}}")).await
    }

    /// One whose disk holds something else.
    pub(crate) async fn start_holding(tags: &str) -> Self {
        Self::start_with(SocketAddr::from(([127, 0, 0, 1], 0)), tags.to_owned()).await
    }

    async fn start_with(address: SocketAddr, tags: String) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (calls, receiver) = mpsc::channel(16);
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (calls, tags) = (calls.clone(), tags.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(calls.clone(), tags.clone(), request));
                    // How a connection ends is for the other side to see.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, calls: receiver, server }
    }

    /// The next request for an answer.
    pub(crate) async fn call(&mut self) -> Call {
        self.calls.recv().await.expect("the host runs")
    }

    /// Dies at once: all connections break, nothing listens any more.
    pub(crate) async fn die(self) {
        self.server.abort();
        // Aborted: the error says so.
        let _ = self.server.await;
    }
}

async fn answer(
    calls: mpsc::Sender<Call>,
    tags: String,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let said = |text: String| Ok(Response::new(Full::new(Bytes::from(text)).boxed_unsync()));
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/api/version" => return said("{\"version\":\"0.24.0\"}".into()),
        "/api/tags" => return said(tags),
        "/api/ps" => return said("{\"models\":[]}".into()),
        _ => {}
    }
    let headers = request.headers().clone();
    let body = request.into_body().collect().await.map_or(Bytes::new(), http_body_util::Collected::to_bytes);
    let (head, wanted) = oneshot::channel();
    if calls.send(Call { body, headers, path, head }).await.is_err() {
        return said("nobody scripts this host".into());
    }
    let Ok(head) = wanted.await else { return said(String::new()) };
    let mut response = Response::new(Chunks(head.chunks).boxed_unsync());
    *response.status_mut() = head.status;
    response.headers_mut().insert("content-type", head.content_type.parse().expect("a type"));
    if let Some(len) = head.len {
        response.headers_mut().insert("content-length", len.into());
    }
    Ok(response)
}

struct Chunks(mpsc::Receiver<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
