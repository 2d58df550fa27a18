//! The least client that can look closely at an answer: one request a connection, and what came back as it came.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest time without a byte. A model loads in about a second.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// An answer that ended.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Without the framing of chunks.
    pub(crate) body: Vec<u8>,
    /// The framing says that nothing is missing.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request and leaves the answer on the connection. A `body` of `None` sends no body and no length.
pub(crate) fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    head.push_str(body.unwrap_or_default());
    stream.write_all(head.as_bytes())?;
    Ok(stream)
}

/// Asks and reads the answer to its end.
pub(crate) fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> io::Result<Answer> {
    let mut stream = send(address, method, path, headers, body)?;
    let mut bytes = Vec::new();
    // A connection that breaks off leaves an answer that is not whole.
    let ended = stream.read_to_end(&mut bytes);
    if bytes.is_empty() {
        ended?;
    }
    parse(&bytes, method == "HEAD")
        .ok_or_else(|| io::Error::other(format!("no answer: {:?}", String::from_utf8_lossy(&bytes))))
}

/// Posts a body that must be answered with 200; gives the text.
pub(crate) fn post(address: &str, path: &str, body: &str) -> String {
    let answer = ask(address, "POST", path, &[], Some(body)).expect("it answers");
    assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
    assert!(answer.whole, "{path} {body} broke off: {}", answer.text());
    answer.text()
}

fn parse(bytes: &[u8], head_only: bool) -> Option<Answer> {
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..at]);
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: bytes[at + 4..].to_vec(), whole: true };
    if head_only {
        answer.whole = answer.body.is_empty();
    } else if answer.header("transfer-encoding") == Some("chunked") {
        (answer.body, answer.whole) = unchunked(&answer.body);
    } else if let Some(length) = answer.header("content-length") {
        answer.whole = length.parse() == Ok(answer.body.len());
    }
    Some(answer)
}

/// The body without its chunks' sizes, and whether the closing chunk was there.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line_end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..line_end]);
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        rest = &rest[line_end + 2..];
        if size == 0 {
            return (body, rest.starts_with(b"\r\n"));
        }
        if rest.len() < size + 2 {
            body.extend_from_slice(rest);
            break;
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
    (body, false)
}
