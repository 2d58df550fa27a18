//! Reading a request's body: how long it may be, how slowly it may come, and how much all of them together may hold.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::reply;

/// A body of up to so many bytes is copied out of the connection's buffer, which can then be filled again: else the connection
/// takes another buffer, several kilobytes, as long as the body lives.
const COPIED_BYTES_MAX: usize = 8 << 10;

/// Time for which a body may stand still.
const IDLE: Duration = Duration::from_secs(30);

/// Why a request's body could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    /// It is longer than allowed.
    TooLong,
    /// It stands still for too long.
    TooSlow,
    /// The connection broke, or the framing is wrong.
    Broken,
    /// Other bodies fill what there is for all.
    NoRoom,
}

impl Unreadable {
    /// What the client is told.
    pub(crate) fn told(self, bytes_max: usize) -> (StatusCode, String) {
        match self {
            Self::TooLong => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("request body too large: at most {bytes_max} bytes"))
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "request body too slow".into()),
            Self::Broken => (StatusCode::BAD_REQUEST, "unexpected EOF".into()),
            Self::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                "server busy, please try again.  no room for the request's body".into(),
            ),
        }
    }

    /// The same as an answer in Ollama's shape.
    pub(crate) fn answer(self, bytes_max: usize) -> hyper::Response<reply::Body> {
        let (status, message) = self.told(bytes_max);
        reply::error(status, &message)
    }
}

/// Room for all bodies that are held at a time.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

/// The part of the room that one body takes; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    room: Room,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for this many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes_max.min(Semaphore::MAX_PERMITS))))
    }

    fn hold_none(&self) -> Held {
        Held { room: self.clone(), permit: None }
    }
}

impl Held {
    fn grow(&mut self, bytes_len: usize) -> Result<(), Unreadable> {
        let bytes_len = u32::try_from(bytes_len).map_err(|_| Unreadable::NoRoom)?;
        let more = Arc::clone(&self.room.0).try_acquire_many_owned(bytes_len);
        let more = more.map_err(|_| Unreadable::NoRoom)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

/// Reads a whole body of at most `bytes_max`, inside the room that all bodies share. A length that is told beforehand and
/// is too much is refused before a byte is read.
pub(crate) async fn read_body<B>(
    mut body: B,
    bytes_max: usize,
    room: &Room,
) -> Result<(Bytes, Held), Unreadable>
where
    B: Body<Data = Bytes> + Unpin,
{
    let told_len = body.size_hint().lower();
    if told_len > bytes_max as u64 {
        return Err(Unreadable::TooLong);
    }
    let mut held = room.hold_none();
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    loop {
        let frame = match tokio::time::timeout(IDLE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Err(Unreadable::Broken),
            Ok(None) => break,
            Err(_) => return Err(Unreadable::TooSlow),
        };
        let Ok(chunk) = frame.into_data() else { continue };
        let so_far = first.len().max(joined.len());
        if so_far + chunk.len() > bytes_max {
            return Err(Unreadable::TooLong);
        }
        held.grow(chunk.len())?;
        // Most bodies come in one piece.
        if first.is_empty() && joined.is_empty() {
            let small = chunk.len() <= COPIED_BYTES_MAX;
            first = if small { Bytes::copy_from_slice(&chunk) } else { chunk };
            continue;
        }
        if joined.is_empty() {
            joined.reserve(first.len() + chunk.len());
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&chunk);
    }
    Ok((if joined.is_empty() { first } else { joined.freeze() }, held))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body_util::Full;
    use hyper::body::Frame;

    use super::*;

    /// A body in pieces; after them it ends, or stands still.
    struct Pieces {
        texts: std::slice::Iter<'static, &'static str>,
        ends: bool,
    }

    fn pieces(texts: &'static [&'static str]) -> Pieces {
        Pieces { texts: texts.iter(), ends: true }
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.texts.next() {
                Some(text) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))),
                None if self.ends => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test]
    async fn pieces_are_joined_and_their_room_is_given_back() {
        let room = Room::new(10);
        let (body, held) = read_body(pieces(&["ab", "", "cde", "f"]), 6, &room).await.expect("a body");
        assert_eq!(&body[..], b"abcdef");
        let full = read_body(pieces(&["abc", "de"]), 6, &room).await;
        assert_eq!(full.map(drop), Err(Unreadable::NoRoom), "6 + 5 bytes");
        drop(held);
        assert!(read_body(pieces(&["abc", "de"]), 6, &room).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_by_its_length_or_as_it_comes() {
        let room = Room::new(100);
        let told = read_body(Full::new(Bytes::from_static(b"abcdefg")), 6, &room).await;
        let untold = read_body(pieces(&["abc", "defg", "never read"]), 6, &room).await;
        for refused in [told, untold] {
            assert_eq!(refused.map(drop), Err(Unreadable::TooLong));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_given_up() {
        let room = Room::new(100);
        let silent = Pieces { ends: false, ..pieces(&["abc"]) };
        let begun = tokio::time::Instant::now();
        assert_eq!(read_body(silent, 6, &room).await.map(drop), Err(Unreadable::TooSlow));
        assert_eq!(begun.elapsed().as_secs(), IDLE.as_secs());
    }
}
