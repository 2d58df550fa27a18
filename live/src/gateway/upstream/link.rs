//! One connection to a host, which whoever holds it drives.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;

use super::Sent;

/// What is read of an answer at a time, in bytes, and the longest head. A connection keeps as much as it once read.
const BUFFER_BYTES: usize = 16 << 10;

/// Several hundred bytes, which are moved from hand to hand.
type Driven = Connection<TokioIo<TcpStream>, Sent>;

/// A connection, and where requests go in.
pub(super) struct Link {
    requests: SendRequest<Sent>,
    /// `None` once it has ended: dropped, it tells whoever still waits for something of it.
    connection: Option<Box<Driven>>,
}

/// How sending a request went.
pub(super) enum Sending {
    /// The head of the answer is here; its body comes as the link is driven.
    Answered(Response<Incoming>, Link),
    /// The connection was closed before a byte went out.
    NotBegun(Box<Request<Sent>>),
    /// The connection broke.
    Failed(hyper::Error),
}

impl Link {
    pub(super) async fn open(stream: TokioIo<TcpStream>) -> hyper::Result<Self> {
        let (requests, connection) =
            http1::Builder::new().max_buf_size(BUFFER_BYTES).handshake(stream).await?;
        Ok(Self { requests, connection: Some(Box::new(connection)) })
    }

    /// Sends a request; ends with the head of the answer. Dropped before, it closes the connection.
    pub(super) async fn send(mut self, request: Request<Sent>) -> Sending {
        let answer = {
            // Not held up by the task's budget, which would wake nobody.
            let mut answer = pin!(unconstrained(self.requests.try_send_request(request)));
            let connection = &mut self.connection;
            std::future::poll_fn(|cx| {
                drive(connection, cx);
                answer.as_mut().poll(&mut by_the_connection())
            })
            .await
        };
        match answer {
            Ok(response) => Sending::Answered(response, self),
            Err(mut error) => match error.take_message() {
                Some(request) => Sending::NotBegun(Box::new(request)),
                None => Sending::Failed(error.into_error()),
            },
        }
    }

    /// The next piece of the answer's body.
    pub(super) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<bytes::Bytes>>>> {
        // First for what is there already: taking a piece lets the connection go on, of which it would tell this very task.
        drive(&mut self.connection, &mut by_the_connection());
        let mut next = hyper::body::Body::poll_frame(Pin::new(&mut *body), &mut by_the_connection());
        if next.is_pending() {
            drive(&mut self.connection, cx);
            next = hyper::body::Body::poll_frame(Pin::new(body), &mut by_the_connection());
        }
        next
    }

    /// Whether another request can be sent. Only to be asked where nothing waits for this link.
    pub(super) fn is_free(&mut self) -> bool {
        drive(&mut self.connection, &mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.requests.is_ready()
    }
}

/// Lets the connection read and write.
fn drive(connection: &mut Option<Box<Driven>>, cx: &mut Context<'_>) {
    // How it ended is told where its answers are read.
    if connection.as_mut().is_some_and(|connection| Pin::new(&mut **connection).poll(cx).is_ready()) {
        *connection = None;
    }
}

/// For what only the connection moves, which was driven just before and whose own waker is set: no wake-up of its own.
fn by_the_connection() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
