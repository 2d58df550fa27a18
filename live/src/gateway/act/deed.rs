//! How each deed is asked of a host.
//!
//! Source: Ollama v0.24.0, `server/routes.go`, `server/images.go`, `server/download.go`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::request::{Failure as HostFailure, KeepAlive};
use http_body_util::{BodyExt, Limited};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::Wrong;
use super::permit::{Order, Work};
use crate::gateway::copies;
use crate::gateway::hosts::Hosts;
use crate::gateway::progress::{Failure, HostLine, Lines, SHORT_MAX};
use crate::gateway::upstream::{Answer, Upstream};

/// Longest answer to something short, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A load: Ollama gives up by itself when one stands still for five minutes.
    pub(super) load: Duration,
    /// A pull or push in all.
    pub(super) transfer: Duration,
    /// Until the figures of a transfer change.
    pub(super) stall: Duration,
    /// The same while there are none: a host hashes what came, a registry what it got.
    pub(super) hashing: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            load: Duration::from_secs(15 * 60),
            transfer: Duration::from_secs(12 * 3_600),
            stall: Duration::from_secs(60),
            hashing: Duration::from_secs(30 * 60),
        }
    }
}

/// The way to hosts, and what is known of them.
pub(super) struct Reach {
    pub(super) upstream: Upstream,
    pub(super) hosts: Arc<Hosts>,
    /// Told after a push.
    pub(super) pushed: Arc<Notify>,
    /// How long a list of models may take.
    pub(super) info_timeout: Duration,
    pub(super) limits: Limits,
}

impl Reach {
    /// Does it.
    ///
    /// # Errors
    /// Why it could not be done, or not to its end.
    pub(super) async fn carry_out(&self, order: &Order) -> Result<(), Wrong> {
        let named = json!({ "model": order.model });
        match &order.work {
            Work::Load(keep) => self.load(order, *keep).await,
            Work::Unload => {
                let body = json!({ "model": order.model, "keep_alive": 0, "stream": false });
                self.short(order, Method::POST, "/api/generate", &body).await
            }
            Work::Pull { insecure } => self.transfer(order, "/api/pull", *insecure, Wrong::pulling).await,
            Work::Push { insecure } => {
                self.transfer(order, "/api/push", *insecure, Wrong::pushing).await?;
                self.pushed.notify_one();
                Ok(())
            }
            Work::Branch { to } => {
                let body = json!({ "source": order.model, "destination": to });
                self.short(order, Method::POST, "/api/copy", &body).await
            }
            Work::Delete { copies_min } => {
                // Two that each leave a copy to the other would leave none.
                let _alone = self.hosts.deleting.lock().await;
                self.leaves_copies(order, *copies_min).await?;
                self.short(order, Method::DELETE, "/api/delete", &named).await
            }
        }
    }

    /// A request without a prompt loads. One that only embeds has no prompt, and is loaded by a request to embed nothing.
    async fn load(&self, order: &Order, keep: Option<KeepAlive>) -> Result<(), Wrong> {
        let mut body = json!({ "model": order.model, "stream": false });
        match keep {
            Some(KeepAlive::Forever) => body["keep_alive"] = (-1).into(),
            Some(KeepAlive::For(span)) => body["keep_alive"] = format!("{}ns", span.0).into(),
            None => {}
        }
        let limit = self.limits.load;
        let asked = self.ask(order, Method::POST, "/api/generate", &body, limit).await;
        match asked {
            Err(wrong) if wrong.why.contains("does not support generate") => {
                body["input"] = json!([]);
                self.ask(order, Method::POST, "/api/embed", &body, limit).await
            }
            asked => asked,
        }
    }

    /// Whether enough other hosts have the model: by their own word, now.
    async fn leaves_copies(&self, order: &Order, copies_min: usize) -> Result<(), Wrong> {
        let others = self.hosts.having(&order.model).into_iter().filter(|other| *other != order.host);
        let said = copies::ask(&self.upstream, others, &order.model, self.info_timeout).await;
        let copies = said.values().filter(|has| **has == Some(true)).count();
        if copies < copies_min {
            let why = format!("{copies} other hosts that answer have it, {copies_min} must");
            return Err(Wrong::refused(&why));
        }
        Ok(())
    }

    async fn short(
        &self,
        order: &Order,
        method: Method,
        path: &'static str,
        body: &Value,
    ) -> Result<(), Wrong> {
        self.ask(order, method, path, body, SHORT_MAX).await
    }

    /// Asks for something that is answered in one piece.
    async fn ask(
        &self,
        order: &Order,
        method: Method,
        path: &'static str,
        body: &Value,
        limit: Duration,
    ) -> Result<(), Wrong> {
        let asked = async {
            let response = self.send(order, method, path, body).await?;
            if response.status() != StatusCode::OK {
                return Err(Wrong::said(Failure::said(response).await));
            }
            let read = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            read.map(drop).map_err(|error| Wrong::host(HostFailure::Broken, error.to_string()))
        };
        let late = || Wrong::host(HostFailure::FirstByteTimeout, "it did not answer in time");
        timeout(limit, asked).await.unwrap_or_else(|_| Err(late()))
    }

    async fn send(
        &self,
        order: &Order,
        method: Method,
        path: &'static str,
        body: &Value,
    ) -> Result<Response<Answer>, Wrong> {
        let body = Bytes::from(body.to_string());
        let sent = self.upstream.send(order.host, method, PathAndQuery::from_static(path), body).await;
        sent.map_err(|error| {
            let failure = if error.is_connect() { HostFailure::Unreachable } else { HostFailure::Broken };
            Wrong::host(failure, error.to_string())
        })
    }

    /// Asks for something that tells how far it is.
    async fn transfer(
        &self,
        order: &Order,
        path: &'static str,
        insecure: bool,
        wrong: fn(Failure) -> Wrong,
    ) -> Result<(), Wrong> {
        let mut body = json!({ "model": order.model, "stream": true });
        if insecure {
            body["insecure"] = true.into();
        }
        let moved = async {
            let sent = self.send(order, Method::POST, path, &body);
            let response =
                timeout(self.limits.stall, sent).await.unwrap_or_else(|_| Err(Wrong::stalled()))?;
            if response.status() != StatusCode::OK {
                return Err(wrong(Failure::said(response).await));
            }
            self.follow(response.into_body(), wrong).await
        };
        timeout(self.limits.transfer, moved).await.unwrap_or_else(|_| Err(Wrong::stalled()))
    }

    /// Reads progress to its end. A host repeats the same line while nothing moves.
    async fn follow(&self, body: Answer, wrong: fn(Failure) -> Wrong) -> Result<(), Wrong> {
        let mut lines = Lines::of(body);
        let (mut last, mut moved) = (HostLine::default(), Instant::now());
        loop {
            let patience = if is_hashed(&last) { self.limits.hashing } else { self.limits.stall };
            let next = timeout_at(moved + patience, lines.next()).await.map_err(|_| Wrong::stalled())?;
            match next.map_err(wrong)? {
                Some(line) if line != last => (last, moved) = (line, Instant::now()),
                Some(_) if moved.elapsed() > patience => return Err(Wrong::stalled()),
                Some(_) => {}
                None if last.is_success() => return Ok(()),
                None => return Err(Wrong::host(HostFailure::Broken, "its answer broke off")),
            }
        }
    }
}

/// Whether what moved is all there, and only looked at.
fn is_hashed(line: &HostLine) -> bool {
    line.status.starts_with("verifying") || line.total > 0 && line.completed >= line.total
}
