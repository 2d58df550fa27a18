//! As much of HTTP/1.1 as the bench needs, on a bare socket: a full client and server would cost as much as what is
//! measured. Bodies with a length or in chunks; no answer that ends with its connection, since kept connections are
//! what is measured.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Room for one read, in bytes.
const READ_BYTES: usize = 8 << 10;
/// Most headers of a message.
const HEADERS_MAX: usize = 32;

/// One end of a connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read; all before `start` is dealt with.
    buffer: Vec<u8>,
    start: usize,
    /// What remains of the body that is being read.
    body: Framing,
}

/// How a body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// After so many more bytes.
    Length(usize),
    /// With an empty chunk; at the start of a chunk's size.
    ChunkSize,
    /// After so many more bytes of this chunk there is a line end, then the next size.
    ChunkData(usize),
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new(), start: 0, body: Framing::Length(0) })
    }

    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::new(TcpStream::connect(address).await?)
    }

    /// Sends all of it.
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = poll_fn(|cx| Pin::new(&mut self.stream).poll_write(cx, bytes)).await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Reads what is there, at least a byte. False at the end of the connection.
    async fn fill(&mut self) -> io::Result<bool> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        let read = poll_fn(|cx| {
            let mut room = [const { MaybeUninit::uninit() }; READ_BYTES];
            let mut room = ReadBuf::uninit(&mut room);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room))?;
            self.buffer.extend_from_slice(room.filled());
            Poll::Ready(io::Result::Ok(room.filled().len()))
        });
        Ok(read.await? > 0)
    }

    /// Reads the head of a request: its path. `None` where the client left instead of asking again.
    pub(crate) async fn request_head(&mut self) -> io::Result<Option<String>> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut head = httparse::Request::new(&mut headers);
            let parsed = head.parse(&self.buffer[self.start..]);
            if let httparse::Status::Complete(bytes) = parsed.map_err(|_| malformed("head"))? {
                let path = head.path.ok_or(malformed("no path"))?.to_owned();
                self.body = framing(head.headers)?;
                self.start += bytes;
                return Ok(Some(path));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads the head of an answer: its status.
    pub(crate) async fn answer_head(&mut self) -> io::Result<u16> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut head = httparse::Response::new(&mut headers);
            let parsed = head.parse(&self.buffer[self.start..]);
            if let httparse::Status::Complete(bytes) = parsed.map_err(|_| malformed("head"))? {
                let status = head.code.ok_or(malformed("no status"))?;
                self.body = framing(head.headers)?;
                self.start += bytes;
                return Ok(status);
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next piece of the body, as it comes; `None` at its end.
    pub(crate) async fn piece(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            match step(&self.buffer[self.start..], self.body)? {
                Step::More => {
                    if !self.fill().await? {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Step::Skip { bytes, then } => {
                    self.start += bytes;
                    self.body = then;
                }
                Step::Data { bytes, then } => {
                    let piece = self.start..self.start + bytes;
                    self.start += bytes;
                    self.body = then;
                    return Ok(Some(&self.buffer[piece]));
                }
                Step::End { bytes } => {
                    self.start += bytes;
                    self.body = Framing::Length(0);
                    return Ok(None);
                }
            }
        }
    }

    /// The rest of the body.
    pub(crate) async fn whole(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        while let Some(piece) = self.piece().await? {
            into.extend_from_slice(piece);
        }
        Ok(())
    }
}

fn framing(headers: &[httparse::Header<'_>]) -> io::Result<Framing> {
    let find = |name: &str| headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    if find("transfer-encoding").is_some() {
        return Ok(Framing::ChunkSize);
    }
    let Some(length) = find("content-length") else { return Ok(Framing::Length(0)) };
    let length = std::str::from_utf8(length.value).ok().and_then(|length| length.parse().ok());
    length.map(Framing::Length).ok_or(malformed("length"))
}

/// What to do with the bytes at hand.
#[derive(PartialEq, Eq, Debug)]
enum Step {
    /// Nothing before there are more.
    More,
    /// Pass over framing.
    Skip { bytes: usize, then: Framing },
    /// Give the reader these bytes.
    Data { bytes: usize, then: Framing },
    /// The body ends after these bytes.
    End { bytes: usize },
}

fn step(at_hand: &[u8], body: Framing) -> io::Result<Step> {
    Ok(match body {
        Framing::Length(0) => Step::End { bytes: 0 },
        _ if at_hand.is_empty() => Step::More,
        Framing::Length(rest) => {
            let bytes = rest.min(at_hand.len());
            Step::Data { bytes, then: Framing::Length(rest - bytes) }
        }
        Framing::ChunkData(0) if at_hand.len() < 2 => Step::More,
        Framing::ChunkData(0) => Step::Skip { bytes: 2, then: Framing::ChunkSize },
        Framing::ChunkData(rest) => {
            let bytes = rest.min(at_hand.len());
            Step::Data { bytes, then: Framing::ChunkData(rest - bytes) }
        }
        Framing::ChunkSize => match httparse::parse_chunk_size(at_hand) {
            Ok(httparse::Status::Complete((bytes, 0))) => {
                // Trailers are none of ours: an empty line ends the body.
                let end = bytes + 2;
                if at_hand.len() < end { Step::More } else { Step::End { bytes: end } }
            }
            Ok(httparse::Status::Complete((bytes, size))) => {
                Step::Skip { bytes, then: Framing::ChunkData(size as usize) }
            }
            Ok(httparse::Status::Partial) => Step::More,
            Err(_) => return Err(malformed("chunk")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body that comes in pieces of `size` bytes.
    fn read(text: &[u8], size: usize, mut body: Framing) -> Option<Vec<u8>> {
        let (mut at_hand, mut start, mut given) = (0, 0, Vec::new());
        loop {
            match step(&text[start..at_hand], body).ok()? {
                Step::More if at_hand == text.len() => return None,
                Step::More => at_hand = text.len().min(at_hand + size),
                Step::Skip { bytes, then } => (start, body) = (start + bytes, then),
                Step::Data { bytes, then } => {
                    given.extend_from_slice(&text[start..start + bytes]);
                    (start, body) = (start + bytes, then);
                }
                Step::End { .. } => return Some(given),
            }
        }
    }

    #[test]
    fn chunks_are_read_however_they_are_cut() {
        let text = b"5\r\nhello\r\nA\r\n, worlds!\n\r\n0\r\n\r\n";
        for size in 1..=text.len() {
            assert_eq!(read(text, size, Framing::ChunkSize).expect("it is whole"), b"hello, worlds!\n");
        }
    }

    #[test]
    fn a_body_that_breaks_off_has_no_end() {
        assert_eq!(read(b"5\r\nhello\r\n", 3, Framing::ChunkSize), None);
        assert_eq!(read(b"5\r\nhello\r\n0\r\n", 3, Framing::ChunkSize), None);
        assert_eq!(read(b"hell", 3, Framing::Length(5)), None);
        assert_eq!(read(b"hello", 3, Framing::Length(5)).expect("it is whole"), b"hello");
    }
}
