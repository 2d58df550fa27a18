//! Calls that change what hosts have on their disks, as operations on the fleet: pull, push, create, copy, delete, blobs.
//!
//! Off unless the config says otherwise, and then for keys with `admin = true` only. Nothing of what a client sends
//! goes on as it is: names are normalised, registries looked up in a list, bodies written anew. Hosts follow a registry's
//! redirects by themselves, so what they can reach is the firewall's business. One line of log tells of each call.
//!
//! Bounds: calls at a time ([`OPERATIONS_MAX`]), hosts at a time (`pulls_at_once`), a blob's size (`blob_gib_max`).

mod asked;
mod blobs;
mod choice;
mod progress;
mod record;
mod work;

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Response, StatusCode};
use tokio::sync::{Semaphore, mpsc};

use super::routes::Managed;
use super::{Shared, authorization, busy, cloud_refusal, unread};
use crate::gateway::config::{ManageConfig, ServeConfig};
use crate::gateway::keys::Caller;
use crate::gateway::unix_millis;
use crate::reply::{self, Body, Written};
use crate::server;
use crate::wire::dialect::Dialect;
use crate::wire::{self, error_object};
use asked::{Copied, Created, Deleted, Moved, Named};
use choice::Host;
use progress::Teller;
use record::Record;
use work::{Ask, Outcome, Work};

/// Management calls under way at most; more get 503.
const OPERATIONS_MAX: usize = 16;
/// Lines of progress that wait for a client.
const LINES_MAX: usize = 64;
/// Asks for the model's last copy to be deleted too.
const LAST_COPY_HEADER: HeaderName = HeaderName::from_static("x-herder-last-copy");

/// What management calls share.
pub(super) struct Manage {
    config: ManageConfig,
    /// Whether only this machine reaches the gateway.
    local_only: bool,
    operations: Arc<Semaphore>,
}

impl Manage {
    pub(super) fn new(config: &ServeConfig, local_only: bool) -> Self {
        Self {
            config: config.manage.clone(),
            local_only,
            operations: Arc::new(Semaphore::new(OPERATIONS_MAX)),
        }
    }

    /// Whether a host may be sent to a name's registry, with the protection that is asked for.
    fn allow_registry(&self, name: &Named, insecure: bool) -> Result<(), No> {
        let registry = name.registry().to_ascii_lowercase();
        if !self.config.registries.contains(&registry) {
            let message =
                format!("registry '{registry}' is not in serve.manage.registries of the gateway's config");
            return Err(No::new(StatusCode::FORBIDDEN, message));
        }
        if insecure && !self.config.insecure_registries.contains(&registry) {
            let message = format!(
                "insecure: registry '{registry}' is not in serve.manage.insecure_registries of the gateway's config"
            );
            return Err(No::new(StatusCode::FORBIDDEN, message));
        }
        Ok(())
    }
}

/// Why a call is refused, in the words for the client.
#[derive(Debug)]
struct No {
    status: StatusCode,
    message: String,
}

impl No {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

/// Answers.
pub(super) async fn answer(
    shared: &Shared,
    (managed, method): (Managed<'_>, &Method),
    headers: &HeaderMap,
    body: Incoming,
) -> Response<Body> {
    if !shared.manage.config.enabled {
        let message =
            "management calls are off: the gateway's config has no enabled = true in [serve.manage]";
        return reply::error(StatusCode::FORBIDDEN, message);
    }
    let caller = match shared.keys.check(unix_millis(), authorization(headers), None) {
        Ok(caller) => caller,
        Err(denied) => return denied.answer(Dialect::Ollama),
    };
    let Ok(permit) = Arc::clone(&shared.manage.operations).try_acquire_owned() else {
        return busy(Dialect::Ollama, "server busy, please try again.  too many management calls at once");
    };
    let allowed = allow(shared, &caller);
    let mut record = Record::new(word(managed), caller, permit);
    let answered = match allowed {
        Ok(()) => call(shared, (managed, method), headers, body, &mut record).await,
        Err(no) => Err(no),
    };
    answered.unwrap_or_else(|no| {
        record.refused(no.status);
        let mut response = reply::error(no.status, &no.message);
        if matches!(managed, Managed::Blob(_)) {
            // What is left of the body may be long.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    })
}

fn word(managed: Managed<'_>) -> &'static str {
    match managed {
        Managed::Pull => "pull",
        Managed::Push => "push",
        Managed::Create => "create",
        Managed::Copy => "copy",
        Managed::Delete => "delete",
        Managed::Blob(_) => "blob",
    }
}

/// Whether the caller may manage models at all.
fn allow(shared: &Shared, caller: &Caller) -> Result<(), No> {
    let message = match caller.name() {
        Some(_) if caller.is_admin() => return Ok(()),
        Some(_) => "this API key may not manage models: it has no admin = true in the gateway's config",
        None if shared.manage.local_only => return Ok(()),
        None => {
            "management calls need a [[serve.keys]] with admin = true where other machines reach the gateway"
        }
    };
    Err(No::new(StatusCode::FORBIDDEN, message))
}

/// An operation that is let in.
struct Operation<'a> {
    shared: &'a Shared,
    headers: &'a HeaderMap,
    record: &'a mut Record,
}

async fn call(
    shared: &Shared,
    (managed, method): (Managed<'_>, &Method),
    headers: &HeaderMap,
    body: Incoming,
    record: &mut Record,
) -> Result<Response<Body>, No> {
    let mut operation = Operation { shared, headers, record };
    if let Managed::Blob(digest) = managed {
        return if method == Method::HEAD {
            blobs::head(&mut operation, digest).await
        } else {
            blobs::receive(&mut operation, digest, body).await
        };
    }
    let (body, _held) = match server::read_body_in(body, shared.body_bytes_max, &shared.bodies).await {
        Ok(read) => read,
        Err(unreadable) => {
            let response = unread(unreadable, Dialect::Ollama, shared.body_bytes_max);
            record.refused(response.status());
            return Ok(response);
        }
    };
    match managed {
        Managed::Pull => operation.pull(Moved::read(&body)?).await,
        Managed::Push => operation.push(Moved::read(&body)?).await,
        Managed::Create => operation.create(Created::read(&body)?).await,
        Managed::Copy => operation.copy(Copied::read(&body)?).await,
        Managed::Delete => operation.delete(Deleted::read(&body)?).await,
        Managed::Blob(_) => unreachable!("answered above"),
    }
}

impl Operation<'_> {
    /// The name as hosts write it, where the caller may ask for it.
    fn spelt(&self, named: &Named) -> Result<String, No> {
        let (model, _) = self.shared.hosts.spelt(named.model.clone());
        if !self.record.caller().allows(&model) {
            let message = format!("this API key does not allow the model '{model}'");
            return Err(No::new(StatusCode::FORBIDDEN, message));
        }
        Ok(model)
    }

    /// The same, where the model does not forward to a cloud service that is not allowed.
    fn admitted(&self, named: &Named) -> Result<String, No> {
        self.spelt(named)?;
        let admitted = self.shared.admitted(named.model.clone(), &named.written);
        admitted.ok_or_else(|| No::new(StatusCode::FORBIDDEN, cloud_refusal(&named.written)))
    }

    async fn pull(self, asked: Moved) -> Result<Response<Body>, No> {
        self.shared.manage.allow_registry(&asked.named, asked.insecure)?;
        let model = self.admitted(&asked.named)?;
        let hosts = choice::chosen(&self.shared.hosts, self.headers)?;
        let ask = Ask::progress("/api/pull", asked.body(&model));
        Ok(self.transfer(&model, hosts, ask, asked.stream).await)
    }

    async fn push(self, asked: Moved) -> Result<Response<Body>, No> {
        self.shared.manage.allow_registry(&asked.named, asked.insecure)?;
        let model = self.admitted(&asked.named)?;
        let chosen = choice::chosen(&self.shared.hosts, self.headers)?;
        let holding = choice::holding(self.shared, chosen, &model).await;
        let host = holding.into_iter().next().ok_or_else(|| missing(&asked.named))?.host;
        let ask = Ask::progress("/api/push", asked.body(&model));
        Ok(self.transfer(&model, vec![host], ask, asked.stream).await)
    }

    async fn create(self, asked: Created) -> Result<Response<Body>, No> {
        let model = self.admitted(&asked.named)?;
        let hosts = choice::chosen(&self.shared.hosts, self.headers)?;
        let mut from = None;
        if let Some(named) = &asked.from {
            // A host that has lost it meanwhile would pull it.
            self.shared.manage.allow_registry(named, false)?;
            let source = self.admitted(named)?;
            choice::all_hold(self.shared, &hosts, &source).await?;
            from = Some(source);
        }
        blobs::all_there(self.shared, &hosts, &asked.digests).await?;
        let stream = asked.stream;
        let ask = Ask::progress("/api/create", asked.body(&model, from.as_deref()));
        Ok(self.transfer(&model, hosts, ask, stream).await)
    }

    async fn copy(self, asked: Copied) -> Result<Response<Body>, No> {
        let source = self.admitted(&asked.source)?;
        let destination = self.admitted(&asked.destination)?;
        let hosts = choice::chosen(&self.shared.hosts, self.headers)?;
        if choice::is_written(self.headers) {
            choice::all_hold(self.shared, &hosts, &source).await?;
        }
        let holding = choice::holding(self.shared, hosts, &source).await;
        let hosts: Vec<Host> = holding.into_iter().map(|holding| holding.host).collect();
        if hosts.is_empty() {
            return Err(missing(&asked.source));
        }
        let ask = Ask::plain(Method::POST, "/api/copy", asked::copy(&source, &destination));
        Ok(self.at_once(&format!("{source} to {destination}"), hosts, ask).await)
    }

    async fn delete(self, asked: Deleted) -> Result<Response<Body>, No> {
        // A model that forwards to a cloud may go.
        let model = self.spelt(&asked.named)?;
        let last_too = match self.headers.get(LAST_COPY_HEADER) {
            None => false,
            Some(value) if value == "delete" => true,
            Some(_) => {
                return Err(No::bad(format!("{LAST_COPY_HEADER}: expected delete, or no such header")));
            }
        };
        let chosen = choice::chosen(&self.shared.hosts, self.headers)?;
        let shared = self.shared;
        let _alone = shared.hosts.deleting.lock().await;
        // All are asked, and now: what polls said a moment ago may be deleted since.
        let holding = choice::holding(shared, choice::up(&shared.hosts)?, &model).await;
        let is_chosen = |host: &Host| chosen.iter().any(|chosen| chosen.id == host.id);
        if choice::is_written(self.headers)
            && let Some(lacking) =
                chosen.iter().find(|chosen| holding.iter().all(|it| it.host.id != chosen.id))
        {
            return Err(choice::lacks(lacking, &model));
        }
        let (gone, kept): (Vec<_>, Vec<_>) = holding.into_iter().partition(|it| is_chosen(&it.host));
        if gone.is_empty() {
            return Err(missing(&asked.named));
        }
        if !last_too && !kept.iter().any(|it| it.said_now) {
            let names: Vec<&str> = gone.iter().map(|it| &*it.host.name).collect();
            let message = format!(
                "model '{model}' is on no other host that answers than {}: keep one of them out of {}, or send the \
                 header {LAST_COPY_HEADER}: delete",
                names.join(", "),
                choice::HOSTS_HEADER
            );
            return Err(No::new(StatusCode::CONFLICT, message));
        }
        let hosts = gone.into_iter().map(|it| it.host).collect();
        let ask = Ask::plain(Method::DELETE, "/api/delete", asked::delete(&model));
        Ok(self.at_once(&model, hosts, ask).await)
    }

    /// Does something short on all hosts at once.
    async fn at_once(self, what: &str, hosts: Vec<Host>, ask: Ask) -> Response<Body> {
        self.record.of(what, &hosts);
        let work = Work { upstream: self.shared.upstream.clone(), hosts_at_once: hosts.len(), hosts, ask };
        let outcome = work.run(None).await;
        self.record.ended(&outcome);
        outcome.answer(|| reply::empty(StatusCode::OK))
    }

    /// Does something long on some hosts at a time, and tells how far it is.
    async fn transfer(self, what: &str, hosts: Vec<Host>, ask: Ask, stream: bool) -> Response<Body> {
        self.record.of(what, &hosts);
        let (upstream, hosts_at_once) =
            (self.shared.upstream.clone(), self.shared.manage.config.pulls_at_once);
        let work = Work { upstream, hosts_at_once, hosts, ask };
        if !stream {
            let outcome = work.run(None).await;
            self.record.ended(&outcome);
            return outcome.answer(|| reply::whole(StatusCode::OK, reply::JSON, progress::SUCCESS));
        }
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let mut record = self.record.take();
        tokio::spawn(async move {
            let teller = Teller::new(sender.clone(), &work.hosts);
            let outcome = tokio::select! {
                outcome = work.run(Some(teller)) => outcome,
                // The client left: what runs is dropped, and with it the connections to hosts.
                () = sender.closed() => return,
            };
            record.ended(&outcome);
            // A client that has left by now needs no last line.
            let _ = sender.send(last_line(&outcome)).await;
        });
        let content_type = HeaderValue::from_static(reply::NDJSON);
        reply::typed(StatusCode::OK, content_type, Written::new(lines).boxed_unsync())
    }
}

fn last_line(outcome: &Outcome) -> bytes::Bytes {
    let line = outcome.error().map_or_else(|| progress::SUCCESS.to_owned(), |error| error_object(&error));
    (line + "\n").into()
}

fn missing(named: &Named) -> No {
    No::new(StatusCode::NOT_FOUND, wire::model_missing(&named.written))
}

/// The path of a blob.
fn blob_path(digest: &str) -> PathAndQuery {
    PathAndQuery::try_from(format!("/api/blobs/{digest}")).expect("digests are hexadecimal")
}
