//! The same asked of several hosts, some at a time, and what came of it. Dropping it closes the connections, by which
//! hosts learn that they are to stop.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Response, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::choice::Host;
use super::progress::Teller;
use crate::gateway::progress::{Failure, HostLine, Lines, SHORT_MAX};
use crate::gateway::upstream::{Answer, Upstream};
use crate::reply::{self, Body};

/// How long a host may be silent within a transfer: large files are hashed and converted without a word.
const SILENCE_MAX: Duration = Duration::from_secs(30 * 60);
/// Lines of hosts that wait to be passed on.
const SAID_MAX: usize = 64;

/// What is asked of each host.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    method: Method,
    path: &'static str,
    body: Bytes,
    /// The answer is a stream of progress.
    progress: bool,
}

impl Ask {
    /// Something that takes long and tells how far it is.
    pub(super) fn progress(path: &'static str, body: Bytes) -> Self {
        Self { method: Method::POST, path, body, progress: true }
    }

    /// Something short.
    pub(super) fn plain(method: Method, path: &'static str, body: Bytes) -> Self {
        Self { method, path, body, progress: false }
    }
}

/// What came of it on all hosts.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) hosts_len: usize,
    /// In order of host.
    pub(super) failures: Vec<(Arc<str>, Failure)>,
}

impl Outcome {
    /// What went wrong, if anything did.
    pub(super) fn error(&self) -> Option<String> {
        let one = |(name, failure): &(Arc<str>, Failure)| format!("{name}: {}", failure.why);
        let whys: Vec<String> = self.failures.iter().map(one).collect();
        let (failed, hosts_len) = (whys.len(), self.hosts_len);
        (failed > 0).then(|| format!("{failed} of {hosts_len} hosts failed: {}", whys.join("; ")))
    }

    /// The answer where it is not streamed. Where all that failed blame the request alike, so does it.
    pub(super) fn answer(&self, done: impl FnOnce() -> Response<Body>) -> Response<Body> {
        let Some(error) = self.error() else { return done() };
        let first = self.failures[0].1.status;
        let alike = self.failures.iter().all(|(_, failure)| failure.status == first);
        let status = first.filter(|status| alike && status.is_client_error());
        reply::error(status.unwrap_or(StatusCode::BAD_GATEWAY), &error)
    }
}

/// The same for several hosts.
pub(super) struct Work {
    pub(super) upstream: Upstream,
    pub(super) hosts: Vec<Host>,
    pub(super) hosts_at_once: usize,
    pub(super) ask: Ask,
}

/// What is heard of a host.
enum Heard {
    Line(HostLine),
    Ended(Result<(), Failure>),
}

type Ear = mpsc::Sender<(usize, Heard)>;

impl Work {
    /// Does it on all hosts.
    pub(super) async fn run(&self, mut teller: Option<Teller>) -> Outcome {
        let (ear, mut heard) = mpsc::channel(SAID_MAX);
        let mut running = JoinSet::new();
        let mut next = self.hosts.iter().enumerate();
        let mut begin = |running: &mut JoinSet<()>| {
            if let Some((index, host)) = next.next() {
                running.spawn(one(self.upstream.clone(), host.clone(), self.ask.clone(), index, ear.clone()));
            }
        };
        for _ in 0..self.hosts_at_once {
            begin(&mut running);
        }
        let (mut left, mut failures) = (self.hosts.len(), Vec::new());
        while left > 0 {
            let (index, heard) = heard.recv().await.expect("a sender is held here");
            match heard {
                Heard::Line(line) => {
                    if let Some(teller) = &mut teller {
                        teller.said(index, &line).await;
                    }
                }
                Heard::Ended(ended) => {
                    left -= 1;
                    begin(&mut running);
                    if let Err(failure) = ended {
                        if let Some(teller) = &mut teller {
                            teller.failed(index, &failure.why).await;
                        }
                        failures.push((index, failure));
                    }
                }
            }
        }
        failures.sort_by_key(|(index, _)| *index);
        let named = |(index, failure): (usize, Failure)| (Arc::clone(&self.hosts[index].name), failure);
        Outcome { hosts_len: self.hosts.len(), failures: failures.into_iter().map(named).collect() }
    }
}

async fn one(upstream: Upstream, host: Host, ask: Ask, index: usize, ear: Ear) {
    let ended = ask_one(&upstream, &host, ask, index, &ear).await;
    // Nobody hears where the work was dropped.
    let _ = ear.send((index, Heard::Ended(ended))).await;
}

async fn ask_one(upstream: &Upstream, host: &Host, ask: Ask, index: usize, ear: &Ear) -> Result<(), Failure> {
    let limit = if ask.progress { SILENCE_MAX } else { SHORT_MAX };
    let sent = upstream.send(host.id, ask.method, PathAndQuery::from_static(ask.path), ask.body);
    let response = match tokio::time::timeout(limit, sent).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) if error.is_connect() => return Err(Failure::new("it could not be reached")),
        Ok(Err(_)) => return Err(Failure::new("the connection broke")),
        Err(_) => return Err(Failure::new("it did not answer in time")),
    };
    if response.status() != StatusCode::OK {
        return Err(Failure::said(response).await);
    }
    if ask.progress { follow(response.into_body(), index, ear).await } else { Ok(()) }
}

/// Reads progress to its end.
async fn follow(body: Answer, index: usize, ear: &Ear) -> Result<(), Failure> {
    let mut lines = Lines::of(body);
    let mut last = HostLine::default();
    loop {
        let line = tokio::time::timeout(SILENCE_MAX, lines.next()).await;
        let line = line.unwrap_or_else(|_| Err(Failure::new("it was silent for too long")));
        let Some(line) = line? else { break };
        last = line;
        // Nobody hears where the work was dropped.
        let _ = ear.send((index, Heard::Line(last.clone()))).await;
    }
    if last.is_success() { Ok(()) } else { Err(Failure::new("its answer broke off")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(failures: &[(&str, Option<u16>)]) -> Outcome {
        let failure = |&(name, status): &(&str, Option<u16>)| {
            let status = status.map(|status| StatusCode::from_u16(status).expect("a status"));
            (Arc::from(name), Failure { status, why: "no".into() })
        };
        Outcome { hosts_len: 3, failures: failures.iter().map(failure).collect() }
    }

    #[test]
    fn an_outcome_names_each_host_that_failed() {
        assert_eq!(outcome(&[]).error(), None);
        let two = outcome(&[("a", None), ("c", Some(500))]);
        assert_eq!(two.error().as_deref(), Some("2 of 3 hosts failed: a: no; c: no"));
    }

    #[test]
    fn a_request_is_blamed_only_where_all_that_failed_blame_it() {
        let status = |failures: &[(&str, Option<u16>)]| {
            outcome(failures).answer(|| reply::empty(StatusCode::OK)).status().as_u16()
        };
        assert_eq!(status(&[]), 200);
        assert_eq!(status(&[("a", Some(400)), ("b", Some(400))]), 400);
        assert_eq!(status(&[("a", Some(400)), ("b", None)]), 502);
        assert_eq!(status(&[("a", Some(500))]), 502);
    }
}
