//! What is refused of a request's framing. Two parties that read a request's end in different places can be played
//! against each other, so what could be read in two ways is not read at all.
//!
//! hyper takes a head with both `Content-Length` and `Transfer-Encoding` (and hides the first from the service), and lines
//! that end in a bare line feed. [`Strict`] looks at the bytes before hyper does, and makes such a head unreadable: hyper
//! then answers 400 and closes, after it has answered what came before. The rest is seen in the head as hyper read it
//! ([`refusal`]). Two lengths, a final coding other than `chunked`, folded lines and blanks before colons hyper refuses
//! by itself.
//!
//! The same look at the bytes bounds how long a head may take from its first byte on ([`HEAD_TIMEOUT`]). hyper's own limit
//! begins before that byte, so it can only be the one for connections that stand idle.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::header::{CONNECTION, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::reply::{self, Body};

/// Time for a request's head to come in, from its first byte on.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What is wrong with a head that hyper has read; the answer closes the connection.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<Response<Body>> {
    let headers = request.headers();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coded = codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let (status, message) = if coded || codings.next().is_some() {
        (StatusCode::NOT_IMPLEMENTED, "the only transfer coding that is known is chunked")
    } else if headers.get_all(HOST).iter().count() != 1 && request.version() == Version::HTTP_11 {
        (StatusCode::BAD_REQUEST, "missing required Host header, or more than one")
    } else {
        return None;
    };
    let mut response = reply::error(status, message);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

/// A connection whose incoming bytes are looked at.
#[derive(Debug)]
pub(super) struct Strict<S> {
    stream: S,
    scan: Scan,
    /// Runs while a head has begun and not ended. Most come in one piece, and need none.
    head_timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Strict<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, scan: Scan::default(), head_timer: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) else {
            // Only now: what is there counts, however late it is asked for.
            let Some(timer) = &mut this.head_timer else { return Poll::Pending };
            ready!(timer.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        read?;
        let ended = this.scan.read(&mut buf.filled_mut()[before..]);
        if !this.scan.head_begun {
            this.head_timer = None;
        } else if ended || this.head_timer.is_none() {
            this.head_timer = Some(Box::pin(sleep(HEAD_TIMEOUT)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Bytes of a line that are looked at: names and values of the headers that matter are shorter.
const LINE_BYTES: usize = 64;

/// Where in the stream of requests the next byte stands.
#[derive(Debug, Default)]
struct Scan {
    part: Part,
    /// A head has begun and not ended.
    head_begun: bool,
    /// The beginning of the line under way.
    line: Vec<u8>,
    /// Bytes of the line so far.
    line_len: usize,
    /// The last byte was a carriage return.
    returned: bool,
    length: Option<u64>,
    coded: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Part {
    /// In a head.
    #[default]
    Head,
    /// In what ends after this many bytes: a body, or with chunks a chunk and its line end.
    Bytes { left: u64, chunked: bool },
    /// In the line that tells a chunk's size.
    ChunkSize,
    /// In what follows the last chunk.
    Trailers,
    /// hyper refuses what came, or was made to: nothing more is read.
    Over,
}

impl Scan {
    /// Looks at the next bytes, and makes unreadable where they are wrong. Whether a head ended among them.
    fn read(&mut self, mut bytes: &mut [u8]) -> bool {
        let mut head_ended = false;
        while !bytes.is_empty() {
            let begun = self.head_begun;
            let taken = match self.part {
                Part::Over => break,
                Part::Bytes { left, chunked } => {
                    let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    self.part = match left - now as u64 {
                        0 if chunked => Part::ChunkSize,
                        0 => Part::Head,
                        left => Part::Bytes { left, chunked },
                    };
                    now
                }
                Part::Head | Part::ChunkSize | Part::Trailers => self.read_line(bytes),
            };
            head_ended |= begun && !self.head_begun;
            bytes = &mut bytes[taken..];
        }
        head_ended
    }

    /// Takes bytes up to a line's end, or all.
    fn read_line(&mut self, bytes: &mut [u8]) -> usize {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.keep(bytes);
            return bytes.len();
        };
        self.keep(&bytes[..end]);
        if !self.returned || !self.line_ended() {
            // No byte that a head or the size of a chunk may hold.
            bytes[end] = 0;
            self.part = Part::Over;
            self.head_begun = false;
        }
        self.line.clear();
        self.line_len = 0;
        self.returned = false;
        end + 1
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES - self.line.len();
        self.line.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.line_len += bytes.len();
        // Empty lines before a head are passed over.
        self.head_begun |= self.part == Part::Head && self.line.first().is_some_and(|&first| first != b'\r');
        self.returned = bytes.last().map_or(self.returned, |&last| last == b'\r');
    }

    /// Goes on after a line, which ended as it should. `false` where it may not stand there.
    fn line_ended(&mut self) -> bool {
        // The carriage return counts.
        let empty = self.line_len == 1;
        match self.part {
            Part::Head if empty => return self.head_ended(),
            Part::Head => self.header(),
            Part::ChunkSize => {
                let digits = self.line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                let size = std::str::from_utf8(&self.line[..digits]).unwrap_or_default();
                match u64::from_str_radix(size, 16) {
                    Ok(0) => self.part = Part::Trailers,
                    Ok(size) if size < 1 << 62 => self.part = Part::Bytes { left: size + 2, chunked: true },
                    _ => return false,
                }
            }
            Part::Trailers if empty => self.part = Part::Head,
            Part::Trailers | Part::Bytes { .. } | Part::Over => {}
        }
        true
    }

    fn header(&mut self) {
        let Some(colon) = self.line.iter().position(|&byte| byte == b':') else { return };
        let (name, value) = (&self.line[..colon], self.line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.coded = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            // hyper refuses what is no number, and numbers that differ.
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            self.length = length.or(self.length).or(Some(0));
        }
    }

    fn head_ended(&mut self) -> bool {
        self.head_begun = false;
        let (length, coded) = (self.length.take(), std::mem::take(&mut self.coded));
        self.part = match (length, coded) {
            (Some(_), true) => return false,
            (_, true) => Part::ChunkSize,
            (None | Some(0), false) => Part::Head,
            (Some(left), false) => Part::Bytes { left, chunked: false },
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a text that comes in pieces of `step` bytes, with `~` for what was made unreadable.
    fn scanned(text: &str, step: usize) -> String {
        let (mut scan, mut bytes) = (Scan::default(), text.as_bytes().to_vec());
        for piece in bytes.chunks_mut(step) {
            scan.read(piece);
        }
        String::from_utf8(bytes).expect("text").replace('\0', "~")
    }

    #[test]
    fn good_requests_pass_as_they_are_wherever_they_are_cut() {
        let text = "\r\nPOST / HTTP/1.1\r\nContent-Length: 6\r\nHost: x\r\n\r\n\n\nabc\nGET / HTTP/1.1\r\nHost: x\r\n\r\n\
            POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nA;x=y\r\n\n\n34567\n\r\n\r\n0\r\nT: x\r\n\r\n\
            POST / HTTP/1.1\r\nContent-length:0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        for step in 1..text.len() {
            assert_eq!(scanned(text, step), text, "in pieces of {step}");
        }
    }

    #[test]
    fn heads_that_can_be_read_in_two_ways_are_made_unreadable() {
        let before = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n";
        for (text, left) in [
            (
                "POST / HTTP/1.1\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r\n\r~0\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: x\r\nA: b\r\ncontent-length: x\r\n\r\n",
                "POST / HTTP/1.1\r\nTransfer-Encoding: x\r\nA: b\r\ncontent-length: x\r\n\r~",
            ),
            ("GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1~Host: x\r\n\r\n"),
            ("GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\r\nHost: x~\r\n"),
            ("GET / HTTP/1.1\r\nHost: x\r\n\n", "GET / HTTP/1.1\r\nHost: x\r\n~"),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\n",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1~",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r~",
            ),
        ] {
            for step in 1..text.len() {
                assert_eq!(scanned(&format!("{before}{text}"), step), format!("{before}{left}"), "{step}");
            }
        }
    }
}
