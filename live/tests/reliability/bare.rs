//! A host down to its bytes: each request gets what a script says, on a bare socket. Polls are answered as they should be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// The model that every bare host has.
pub(crate) const MODEL: &str = "m:latest";
/// Heads of answers of three kinds, the body in chunks.
pub(crate) const LINES: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
pub(crate) const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// One step of an answer. After the last the next request may come on the same connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Say(Bytes),
    Pause(Duration),
    /// Closes the connection.
    Close,
    /// Resets it.
    Reset,
    /// Says no more until the gateway has closed the connection, and tells when that was.
    Hang,
}

/// A piece of a body in chunks.
pub(crate) fn chunk(text: impl AsRef<[u8]>) -> Act {
    let text = text.as_ref();
    Act::Say([format!("{:x}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat().into())
}

pub(crate) fn say(text: impl Into<Bytes>) -> Act {
    Act::Say(text.into())
}

/// A short answer that is whole.
pub(crate) fn whole() -> Vec<Act> {
    vec![say(LINES), chunk(DONE), say("0\r\n\r\n")]
}

/// The last line of an answer.
pub(crate) const DONE: &str = "{\"done\":true,\"prompt_eval_count\":3,\"eval_count\":2}\n";

/// Ollama's words for a full queue.
pub(crate) fn busy() -> Vec<Act> {
    let body = format!("{{\"error\":\"{}\"}}", live::wire::BUSY);
    let len = body.len();
    vec![say(format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n{body}"
    ))]
}

/// A running host.
pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    calls: Arc<AtomicUsize>,
    /// When the gateway left a request that hangs.
    left: mpsc::UnboundedReceiver<Instant>,
    server: JoinHandle<()>,
}

type Script = Arc<dyn Fn(usize) -> Vec<Act> + Send + Sync>;

impl Bare {
    /// Answers the request of each number, from 0, by a script.
    pub(crate) async fn start(script: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let calls = Arc::new(AtomicUsize::new(0));
        let (tell, left) = mpsc::unbounded_channel();
        let (script, counted): (Script, _) = (Arc::new(script), Arc::clone(&calls));
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                connections.spawn(converse(stream, Arc::clone(&script), Arc::clone(&counted), tell.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, calls, left, server }
    }

    /// Requests for answers so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Waits until it has had so many.
    pub(crate) async fn called(&self, count: usize) {
        while self.calls() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// When the gateway left the next request that hangs.
    pub(crate) async fn left(&mut self) -> Instant {
        self.left.recv().await.expect("the host runs")
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Reads a request, body and all; its path, or nothing where the connection ended.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.lines().next().unwrap_or_default().parse().expect("a length"));
            if buffer.len() >= end + 4 + length {
                buffer.drain(..end + 4 + length);
                return head.split(' ').nth(1).map(str::to_owned);
            }
        }
        if !matches!(stream.read_buf(buffer).await, Ok(1..)) {
            return None;
        }
    }
}

async fn converse(
    mut stream: TcpStream,
    script: Script,
    calls: Arc<AtomicUsize>,
    left: mpsc::UnboundedSender<Instant>,
) {
    // What an answer's pieces are must not depend on the other side's acknowledgements.
    stream.set_nodelay(true).expect("a socket");
    let mut buffer = Vec::new();
    while let Some(path) = request(&mut stream, &mut buffer).await {
        let list = match path.as_str() {
            "/api/version" => Some("{\"version\":\"0.24.0\"}".to_owned()),
            "/api/tags" => Some(format!("{{\"models\":[{{\"name\":\"{MODEL}\",\"size\":1000}}]}}")),
            "/api/ps" => {
                Some(format!("{{\"models\":[{{\"name\":\"{MODEL}\",\"size\":1000,\"size_vram\":1000}}]}}"))
            }
            _ => None,
        };
        let acts = match list {
            Some(list) => {
                let len = list.len();
                vec![say(format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n{list}"
                ))]
            }
            None => script(calls.fetch_add(1, Ordering::Relaxed)),
        };
        for act in acts {
            match act {
                Act::Say(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Act::Pause(pause) => tokio::time::sleep(pause).await,
                Act::Close => return,
                Act::Reset => {
                    stream.set_zero_linger().expect("a socket");
                    return;
                }
                Act::Hang => {
                    let _ = stream.read(&mut [0]).await;
                    // Nobody listens where the test has ended.
                    let _ = left.send(Instant::now());
                    return;
                }
            }
        }
    }
}
