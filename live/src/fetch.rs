//! Downloads a file whose content is known beforehand: over HTTP or HTTPS, checked by length and SHA-256, whole or not at all.
//!
//! Redirects are followed, but never from HTTPS to HTTP. Bounds: redirects ([`REDIRECTS_MAX`]), time without news
//! ([`SILENCE_MAX`]), and the known length, beyond which nothing is written. Left out: proxies, logins, going on where an
//! earlier download ended.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use control::digest::Digest;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use traces::atomic::AtomicFile;

use crate::trust::Trust;

/// Most redirects that are followed.
pub const REDIRECTS_MAX: usize = 5;

/// How long a server may say nothing.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What is to come.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Where it is: `http://…` or `https://…`.
    pub url: &'a str,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No address that is understood.
    #[error(
        "{url}: found {found}, expected an address that begins with http:// or https:// and names a host"
    )]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        found: String,
    },
    /// The server cannot be reached, or stops before the end.
    #[error("{url}: {why}")]
    Connection {
        /// The address.
        url: String,
        /// Why.
        why: String,
    },
    /// The server has no such file, or does not give it.
    #[error("{url}: found status {status}, expected 200")]
    Status {
        /// The address.
        url: String,
        /// The status, with its reason.
        status: StatusCode,
    },
    /// Too many redirects, or one that leads nowhere good.
    #[error("{url}: found {found}, expected at most {REDIRECTS_MAX} redirects, none from https to http")]
    Redirect {
        /// The address that redirects.
        url: String,
        /// What it does.
        found: String,
    },
    /// More or fewer bytes than there should be.
    #[error("{url}: found {found} bytes, expected {expected}; nothing is kept")]
    Length {
        /// The address.
        url: String,
        /// `only 5`, `more than 7`.
        found: String,
        /// The known length.
        expected: u64,
    },
    /// Other content.
    #[error("{url}: found a file with SHA-256 {found}, expected {expected}; nothing is kept")]
    Content {
        /// The address.
        url: String,
        /// What came.
        found: Digest,
        /// What should have come.
        expected: Digest,
    },
    /// The file cannot be written.
    #[error("{}: {source}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Downloads to `target`, which appears when all of it is there and right, replacing what had that name. `told` hears
/// how many bytes have come.
///
/// # Errors
/// Where the file cannot be had, is another one, or cannot be written; `target` is then as it was.
pub async fn fetch(wanted: Wanted<'_>, target: &Path, told: &mut dyn FnMut(u64)) -> Result<(), FetchError> {
    let mut url = wanted.url.to_owned();
    for _ in 0..=REDIRECTS_MAX {
        let place = Place::of(&url)?;
        let stream = within(&url, TcpStream::connect((place.host.as_str(), place.port))).await?;
        let next = if place.secure {
            let trust = Trust::of_this_machine().await.map_err(|why| broken(&url, why))?;
            let stream = within(&url, trust.secure(&place.host, stream)).await?;
            exchange(stream, &place, wanted, target, told).await?
        } else {
            exchange(stream, &place, wanted, target, told).await?
        };
        match next {
            None => return Ok(()),
            Some(next) => url = next,
        }
    }
    Err(FetchError::Redirect { url, found: "one redirect more".to_owned() })
}

/// An address, taken apart.
struct Place {
    url: String,
    secure: bool,
    host: String,
    port: u16,
    /// Host and port as written, for the request.
    authority: String,
    path: String,
}

impl Place {
    fn of(url: &str) -> Result<Self, FetchError> {
        let wrong = |found: &str| FetchError::Url { url: url.to_owned(), found: found.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong("no address"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(wrong("another scheme")),
            None => return Err(wrong("no scheme")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a login"));
        }
        // An address of IPv6 stands in brackets in a URL, and without them everywhere else.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { url: url.to_owned(), secure, host, port, authority: authority.to_string(), path })
    }

    /// Where a redirect leads.
    fn redirected(&self, to: &str) -> Result<String, FetchError> {
        let scheme = if self.secure { "https" } else { "http" };
        let wrong = |found: String| FetchError::Redirect { url: self.url.clone(), found };
        let next = match to {
            to if to.starts_with("//") => format!("{scheme}:{to}"),
            to if to.starts_with('/') => format!("{scheme}://{}{to}", self.authority),
            to => to.to_owned(),
        };
        if self.secure && !next.starts_with("https://") {
            return Err(wrong(format!("a redirect to {next}")));
        }
        Ok(next)
    }
}

fn broken(url: &str, why: impl ToString) -> FetchError {
    FetchError::Connection { url: url.to_owned(), why: why.to_string() }
}

/// Waits for news, but not for ever.
async fn within<T, E: ToString>(
    url: &str,
    news: impl Future<Output = Result<T, E>>,
) -> Result<T, FetchError> {
    match tokio::time::timeout(SILENCE_MAX, news).await {
        Ok(news) => news.map_err(|why| broken(url, why)),
        Err(_) => Err(broken(url, format!("no news for {} s", SILENCE_MAX.as_secs()))),
    }
}

/// Asks for the file on a connection; `Some` where it is elsewhere.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    place: &Place,
    wanted: Wanted<'_>,
    target: &Path,
    told: &mut dyn FnMut(u64),
) -> Result<Option<String>, FetchError> {
    let request = Request::get(&place.path)
        .header(HOST, &place.authority)
        .header(USER_AGENT, concat!("herder/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(&place.url, error))?;
    let (mut sender, connection) = within(&place.url, http1::handshake(TokioIo::new(stream))).await?;
    let answer = async {
        let response = within(&place.url, sender.send_request(request)).await?;
        match response.status() {
            StatusCode::OK => receive(response, &place.url, wanted, target, told).await.map(|()| None),
            status if status.is_redirection() => {
                let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                let found = || format!("status {status} that says not where to");
                let to = to.ok_or_else(|| FetchError::Redirect { url: place.url.clone(), found: found() })?;
                place.redirected(to).map(Some)
            }
            status => Err(FetchError::Status { url: place.url.clone(), status }),
        }
    };
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // What it has read by its end is still to be taken.
        _ = &mut connection => answer.await,
    }
}

async fn receive(
    mut response: Response<Incoming>,
    url: &str,
    wanted: Wanted<'_>,
    target: &Path,
    told: &mut dyn FnMut(u64),
) -> Result<(), FetchError> {
    let failed = |source| FetchError::Write { file: target.to_owned(), source };
    let length = |found| FetchError::Length { url: url.to_owned(), found, expected: wanted.bytes };
    let mut file = AtomicFile::create(target).map_err(failed)?;
    let (mut hash, mut received) = (Sha256::new(), 0_u64);
    loop {
        let frame = match tokio::time::timeout(SILENCE_MAX, response.body_mut().frame()).await {
            Ok(frame) => frame,
            Err(_) => return Err(broken(url, format!("no news for {} s", SILENCE_MAX.as_secs()))),
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| broken(url, format!("cut off after {received} bytes: {error}")))?;
        let Ok(bytes) = frame.into_data() else { continue };
        received += bytes.len() as u64;
        if received > wanted.bytes {
            return Err(length(format!("more than {}", wanted.bytes)));
        }
        hash.update(&bytes);
        file.write_all(&bytes).map_err(failed)?;
        told(received);
    }
    if received < wanted.bytes {
        return Err(length(format!("only {received}")));
    }
    let found = Digest(hash.finalize().into());
    if found != wanted.sha256 {
        return Err(FetchError::Content { url: url.to_owned(), found, expected: wanted.sha256 });
    }
    file.commit().map_err(failed)
}

#[cfg(test)]
mod tests;
