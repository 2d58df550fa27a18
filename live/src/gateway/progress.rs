//! What a host says while it pulls, pushes or creates a model: a line of JSON at a time, and why it did not do it.

use std::time::Duration;

use bytes::BytesMut;
use http_body_util::{BodyExt, Limited};
use hyper::{Response, StatusCode};
use serde::Deserialize;

use super::upstream::Answer;

/// How long a host may take for what is short.
pub(in crate::gateway) const SHORT_MAX: Duration = Duration::from_secs(60);
/// Longest line of progress, and longest error that is read, in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Longest reason that is passed on, in bytes.
const WHY_BYTES_MAX: usize = 512;

/// A line of a host's progress.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct HostLine {
    pub(in crate::gateway) status: String,
    pub(in crate::gateway) digest: String,
    pub(in crate::gateway) total: u64,
    pub(in crate::gateway) completed: u64,
    pub(in crate::gateway) error: Option<String>,
}

impl HostLine {
    /// Whether it is the line that ends what went well.
    pub(in crate::gateway) fn is_success(&self) -> bool {
        self.status == "success"
    }
}

/// Why a host did not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::gateway) struct Failure {
    /// The status that it answered with, where it was no success.
    pub(in crate::gateway) status: Option<StatusCode>,
    pub(in crate::gateway) why: String,
}

impl Failure {
    pub(in crate::gateway) fn new(why: &str) -> Self {
        Self { status: None, why: why[..why.floor_char_boundary(WHY_BYTES_MAX)].to_owned() }
    }

    /// An answer that is no success, with what the host says.
    pub(in crate::gateway) async fn said(response: Response<Answer>) -> Self {
        #[derive(Deserialize)]
        struct Said {
            error: String,
        }
        let status = response.status();
        let read = Limited::new(response.into_body(), LINE_BYTES_MAX).collect();
        let body = tokio::time::timeout(SHORT_MAX, read).await.ok().and_then(Result::ok);
        let said = body.and_then(|body| serde_json::from_slice::<Said>(&body.to_bytes()).ok());
        let why =
            said.map_or_else(|| format!("it answered with status {}", status.as_u16()), |said| said.error);
        Self { status: Some(status), ..Self::new(&why) }
    }
}

/// Lines of progress as they come.
pub(in crate::gateway) struct Lines {
    body: Answer,
    unread: BytesMut,
    ended: bool,
}

impl Lines {
    pub(in crate::gateway) fn of(body: Answer) -> Self {
        Self { body, unread: BytesMut::new(), ended: false }
    }

    /// The next line; `None` at the end. Dropped before, it has lost nothing.
    ///
    /// # Errors
    /// Where the line tells of an error or is no progress, or the connection breaks.
    pub(in crate::gateway) async fn next(&mut self) -> Result<Option<HostLine>, Failure> {
        loop {
            while let Some(end) = memchr::memchr(b'\n', &self.unread) {
                let line = self.unread.split_to(end + 1);
                if let Some(line) = read_line(&line)? {
                    return Ok(Some(line));
                }
            }
            if self.unread.len() > LINE_BYTES_MAX {
                return Err(Failure::new("it told a line that is too long"));
            }
            if self.ended {
                return read_line(&self.unread.split());
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.unread.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(_)) => return Err(Failure::new("the connection broke")),
                None => self.ended = true,
            }
        }
    }
}

fn read_line(line: &[u8]) -> Result<Option<HostLine>, Failure> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let line: HostLine =
        serde_json::from_slice(line).map_err(|_| Failure::new("it told something that is no progress"))?;
    line.error.as_deref().map_or(Ok(()), |error| Err(Failure::new(error)))?;
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_progress_errors_or_neither() {
        let good = read_line(b"{\"status\":\"x\",\"completed\":3,\"more\":[]}\n").expect("progress");
        assert_eq!(good.expect("a line").completed, 3);
        assert_eq!(read_line(b" \r\n"), Ok(None));
        assert_eq!(read_line(b"{\"error\":\"disk full\"}").expect_err("an error").why, "disk full");
        assert!(read_line(b"<html>").is_err() && read_line(b"{\"total\":-1}").is_err());
    }
}
