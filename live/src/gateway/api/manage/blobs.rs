//! `/api/blobs/{digest}`: files that models are made from. A blob goes to all hosts that lack it at once, chunk by chunk:
//! the slowest sets the pace, and no more than a few chunks are ever held. Hosts check the digest.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::choice::{self, Host};
use super::work::Outcome;
use super::{No, Operation, blob_path};
use crate::gateway::api::Shared;
use crate::gateway::progress::Failure;
use crate::gateway::upstream::Upstream;
use crate::reply::{self, Body, BrokenOff};

/// Chunks that wait for a host; then the client waits.
const CHUNKS_MAX: usize = 8;
/// How long a client may send nothing, and a host take nothing.
const STILL_MAX: Duration = Duration::from_secs(30);
/// How long a host may take to answer when it has all: it has hashed while it read.
const ANSWER_MAX: Duration = Duration::from_secs(600);

/// A part of a blob on its way to a host. A channel that ends without the last one breaks the upload off, so that no
/// host takes a part for the whole.
enum Part {
    Data(Bytes),
    End,
}

/// A blob as it is sent to a host.
struct Upload {
    parts: mpsc::Receiver<Part>,
    ended: bool,
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.parts.poll_recv(cx).map(|part| match part {
            Some(Part::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Part::End) => {
                self.ended = true;
                None
            }
            None => Some(Err(BrokenOff)),
        })
    }
}

/// Whether a host has a blob.
async fn is_there(
    upstream: &Upstream,
    host: &Host,
    digest: &str,
    timeout: Duration,
) -> Result<bool, Failure> {
    let asked = upstream.send(host.id, Method::HEAD, blob_path(digest), Bytes::new());
    match tokio::time::timeout(timeout, asked).await {
        Ok(Ok(response)) if response.status() == StatusCode::OK => Ok(true),
        Ok(Ok(response)) if response.status() == StatusCode::NOT_FOUND => Ok(false),
        Ok(Ok(response)) => Err(Failure::said(response).await),
        Ok(Err(_)) => Err(Failure::new("it could not be asked for the blob")),
        Err(_) => Err(Failure::new("it did not say in time whether it has the blob")),
    }
}

/// The first of the digests that each host lacks, by place.
async fn lacking(shared: &Shared, hosts: &[Host], digests: &[String]) -> Result<Vec<Option<String>>, No> {
    let mut asked = JoinSet::new();
    for (index, host) in hosts.iter().enumerate() {
        let (upstream, timeout) = (shared.upstream.clone(), shared.info_timeout);
        let (host, digests) = (host.clone(), digests.to_vec());
        asked.spawn(async move {
            for digest in digests {
                match is_there(&upstream, &host, &digest, timeout).await {
                    Ok(true) => {}
                    Ok(false) => return Ok((index, Some(digest))),
                    Err(failure) => return Err(format!("{}: {}", host.name, failure.why)),
                }
            }
            Ok((index, None))
        });
    }
    let mut lacking = vec![None; hosts.len()];
    while let Some(answered) = asked.join_next().await {
        let answered = answered.expect("asking does not panic, and nobody aborts it");
        let (index, digest) = answered.map_err(|why| No::new(StatusCode::BAD_GATEWAY, why))?;
        lacking[index] = digest;
    }
    Ok(lacking)
}

/// Refuses where a host lacks one of the blobs.
pub(super) async fn all_there(shared: &Shared, hosts: &[Host], digests: &[String]) -> Result<(), No> {
    let lacking = lacking(shared, hosts, digests).await?;
    let first = hosts.iter().zip(lacking).find_map(|(host, digest)| Some((host, digest?)));
    first.map_or(Ok(()), |(host, digest)| {
        let message = format!("blob \"{digest}\" not found on host '{}'", host.name);
        Err(No::new(StatusCode::NOT_FOUND, message))
    })
}

/// `HEAD`: whether all hosts have it.
pub(super) async fn head(operation: &mut Operation<'_>, digest: &str) -> Result<Response<Body>, No> {
    let hosts = choice::chosen(&operation.shared.hosts, operation.headers)?;
    operation.record.of(digest, &hosts);
    all_there(operation.shared, &hosts, &[digest.to_owned()]).await?;
    operation.record.ended(&Outcome { hosts_len: hosts.len(), failures: Vec::new() });
    Ok(reply::empty(StatusCode::OK))
}

/// `POST`: sends it to all that lack it.
pub(super) async fn receive(
    operation: &mut Operation<'_>,
    digest: &str,
    body: Incoming,
) -> Result<Response<Body>, No> {
    let hosts = choice::chosen(&operation.shared.hosts, operation.headers)?;
    operation.record.of(digest, &hosts);
    let bytes_max = operation.shared.manage.config.blob_bytes_max;
    if body.size_hint().lower() > bytes_max {
        return Err(too_long(bytes_max));
    }
    let lacking = lacking(operation.shared, &hosts, &[digest.to_owned()]).await?;
    let hosts: Vec<Host> =
        hosts.into_iter().zip(lacking).filter_map(|(host, lacks)| lacks.map(|_| host)).collect();
    let outcome = if hosts.is_empty() {
        Outcome { hosts_len: 0, failures: Vec::new() }
    } else {
        spread(&operation.shared.upstream, &hosts, digest, body, bytes_max).await?
    };
    operation.record.ended(&outcome);
    let status = if hosts.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = outcome.answer(|| reply::empty(status));
    if status == StatusCode::OK || !response.status().is_success() {
        // Not all of the body was read.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn too_long(bytes_max: u64) -> No {
    No::new(StatusCode::PAYLOAD_TOO_LARGE, format!("blob too large: at most {bytes_max} bytes"))
}

/// Sends a body to several hosts as it comes.
async fn spread(
    upstream: &Upstream,
    hosts: &[Host],
    digest: &str,
    mut body: Incoming,
    bytes_max: u64,
) -> Result<Outcome, No> {
    let mut uploads = JoinSet::new();
    let mut ways: Vec<Option<mpsc::Sender<Part>>> = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let (sender, parts) = mpsc::channel(CHUNKS_MAX);
        let (upstream, host, path) = (upstream.clone(), host.id, blob_path(digest));
        uploads.spawn(async move {
            let body = Upload { parts, ended: false }.boxed_unsync();
            let ended = match upstream.upload(host, path, body).await {
                Ok(response) if response.status().is_success() => Ok(()),
                Ok(response) => Err(Failure::said(response).await),
                Err(error) if error.is_connect() => Err(Failure::new("it could not be reached")),
                Err(_) => Err(Failure::new("the connection broke")),
            };
            (index, ended)
        });
        ways.push(Some(sender));
    }
    let mut bytes_len = 0_u64;
    let mut stalled = vec![false; hosts.len()];
    // A host that has answered or failed is sent nothing more; where none is left, neither is the rest read.
    while ways.iter().any(Option::is_some) {
        // Leaving here drops the ways: all uploads break off.
        let frame = match tokio::time::timeout(STILL_MAX, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Err(No::bad("unexpected EOF")),
            Ok(None) => break,
            Err(_) => return Err(No::new(StatusCode::REQUEST_TIMEOUT, "request body too slow")),
        };
        let chunk = frame.into_data().unwrap_or_default();
        bytes_len += chunk.len() as u64;
        if bytes_len > bytes_max {
            return Err(too_long(bytes_max));
        }
        send_all(&mut ways, &mut stalled, || Part::Data(chunk.clone())).await;
    }
    send_all(&mut ways, &mut stalled, || Part::End).await;
    let mut failures: Vec<Option<Failure>> =
        stalled.iter().map(|&stalled| stalled.then(|| Failure::new("it stopped reading"))).collect();
    let until = tokio::time::Instant::now() + ANSWER_MAX;
    let mut answered = vec![false; hosts.len()];
    while let Ok(Some(ended)) = tokio::time::timeout_at(until, uploads.join_next()).await {
        let (index, ended) = ended.expect("uploads do not panic, and nobody aborts them");
        answered[index] = true;
        if let Err(failure) = ended {
            failures[index].get_or_insert(failure);
        }
    }
    for (failure, answered) in failures.iter_mut().zip(answered) {
        if !answered {
            failure.get_or_insert_with(|| Failure::new("it did not answer in time"));
        }
    }
    let failed = hosts.iter().zip(failures);
    let failures = failed.filter_map(|(host, failure)| Some((host.name.clone(), failure?))).collect();
    Ok(Outcome { hosts_len: hosts.len(), failures })
}

/// Hands a part to every host that still takes some.
async fn send_all(ways: &mut [Option<mpsc::Sender<Part>>], stalled: &mut [bool], part: impl Fn() -> Part) {
    for (way, stalled) in ways.iter_mut().zip(stalled) {
        let Some(sender) = way else { continue };
        match tokio::time::timeout(STILL_MAX, sender.send(part())).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => *way = None,
            Err(_) => {
                *stalled = true;
                *way = None;
            }
        }
    }
}
