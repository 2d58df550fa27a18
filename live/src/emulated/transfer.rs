//! What takes time and tells how far it is: `/api/pull`, `push`, `create`; and the blobs that `create` is made from.
//!
//! A pull takes what its size and the registry's speed say; a model that is there already takes no time. A model that is
//! created from a file of weights behaves as the host's first model: weights are not read.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sim_host::spec::ModelSpec;
use tokio::sync::mpsc;

use super::disk::{Stored, digest_of};
use super::models::{empty, named, object};
use super::shared::Shared;
use crate::reply::{self, Body, Written};
use crate::wire::{error_object, name};

/// How often progress is told, as by Ollama.
const TICK: Duration = Duration::from_millis(60);
/// Lines that wait for a client at most; then the transfer waits.
const LINES_MAX: usize = 16;
/// Size of a model's configuration, in bytes.
const CONFIG_BYTES: u64 = 487;

/// What goes wrong within a transfer.
struct Failed {
    status: StatusCode,
    message: String,
}

impl Failed {
    fn new(status: StatusCode, message: impl ToString) -> Self {
        Self { status, message: message.to_string() }
    }

    fn internal(message: impl ToString) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

/// A line of progress.
enum Line {
    Progress(Value),
    Error(Failed),
}

/// Where lines of progress go. The client may have left: then nothing is told, and the next wait ends.
struct Told(mpsc::Sender<Line>);

/// The client left.
struct Left;

impl Told {
    async fn progress(&self, line: Value) -> Result<(), Left> {
        self.0.send(Line::Progress(line)).await.map_err(|_| Left)
    }

    async fn status(&self, status: &str) -> Result<(), Left> {
        self.progress(json!({ "status": status })).await
    }

    async fn fail(&self, failed: Failed) -> Result<(), Left> {
        self.0.send(Line::Error(failed)).await.map_err(|_| Left)
    }
}

/// Which transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transfer {
    /// `/api/pull`.
    Pull,
    /// `/api/push`.
    Push,
    /// `/api/create`.
    Create,
}

/// Begins a transfer and answers with its progress, or with its end where the client wants no stream.
pub(super) async fn answer(shared: &Arc<Shared>, transfer: Transfer, body: &[u8]) -> Response<Body> {
    let body = match object(body) {
        Ok(body) => body,
        Err(message) => return reply::error(StatusCode::BAD_REQUEST, &message),
    };
    let written = named(&body).to_owned();
    if written.is_empty() && transfer == Transfer::Push {
        return reply::error(StatusCode::BAD_REQUEST, "model is required");
    }
    let Some(name) = name::normalise(&written) else {
        return reply::error(StatusCode::BAD_REQUEST, "invalid model name");
    };
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(true);
    let (sender, lines) = mpsc::channel(LINES_MAX);
    let (shared, told) = (Arc::clone(shared), Told(sender));
    // Ends by itself: at the latest with the next line after its client left.
    tokio::spawn(async move {
        let done = match transfer {
            Transfer::Pull => pull(&shared, &name, &told).await,
            Transfer::Push => push(&shared, &name, &told).await,
            Transfer::Create => create(&shared, &name, &body, &told).await,
        };
        // Nobody is told where the client has left.
        drop(done);
    });
    if stream { streamed(lines).await } else { last(lines).await }
}

/// The last line; an error has its status.
async fn last(mut lines: mpsc::Receiver<Line>) -> Response<Body> {
    let mut latest = json!({ "status": "" });
    while let Some(line) = lines.recv().await {
        match line {
            Line::Progress(line) => latest = line,
            Line::Error(failed) => {
                return reply::whole(failed.status, "application/json", error_object(&failed.message));
            }
        }
    }
    reply::whole(StatusCode::OK, "application/json", latest.to_string())
}

/// All lines as they come. An error that comes first is an answer of its own.
async fn streamed(mut lines: mpsc::Receiver<Line>) -> Response<Body> {
    let first = match lines.recv().await {
        Some(Line::Progress(line)) => bytes_of(&Line::Progress(line)),
        Some(Line::Error(failed)) => {
            return reply::whole(failed.status, "application/json", error_object(&failed.message));
        }
        None => return reply::whole(StatusCode::OK, reply::NDJSON, ""),
    };
    let (sender, rest) = mpsc::channel(LINES_MAX);
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            if sender.send(bytes_of(&line)).await.is_err() {
                break;
            }
        }
    });
    let body = Written::after(first, rest).boxed_unsync();
    reply::typed(StatusCode::OK, HeaderValue::from_static(reply::NDJSON), body)
}

fn bytes_of(line: &Line) -> Bytes {
    let text = match line {
        Line::Progress(line) => line.to_string(),
        Line::Error(failed) => error_object(&failed.message),
    };
    Bytes::from(text + "\n")
}

/// The digest of a model's weights; profiles without one get one of their own.
fn blob_digest(spec: &ModelSpec) -> String {
    match spec.blob.strip_prefix("sha256:") {
        Some(_) => spec.blob.clone(),
        None => format!("sha256:{}", blake3::hash(spec.blob.as_bytes()).to_hex()),
    }
}

/// Moves a layer of `total` bytes, telling how far it is; at once where it is there already.
async fn layer(
    shared: &Shared,
    told: &Told,
    verb: &str,
    digest: &str,
    total: u64,
    there: bool,
) -> Result<(), Left> {
    let status = format!("{verb} {}", &digest[7..19]);
    let line = |completed: u64| {
        let mut line = json!({ "status": status, "digest": digest, "total": total });
        // Ollama leaves out what is zero.
        if completed > 0 {
            line["completed"] = completed.into();
        }
        line
    };
    if !there {
        let started = tokio::time::Instant::now();
        loop {
            let moved =
                started.elapsed().as_nanos() * u128::from(shared.pull_bytes_per_second) / 1_000_000_000;
            if moved >= u128::from(total) {
                break;
            }
            told.progress(line(moved as u64)).await?;
            let left = (u128::from(total) - moved) * 1_000_000_000 / u128::from(shared.pull_bytes_per_second);
            let left = Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX).max(1));
            tokio::time::sleep(left.min(TICK)).await;
        }
    }
    told.progress(line(total)).await
}

/// Both layers of a model: its weights, and its configuration.
async fn layers(shared: &Shared, told: &Told, verb: &str, index: usize, there: bool) -> Result<(), Left> {
    let spec = &shared.handle.spec().models[index].profile.model;
    let config = format!("sha256:{}", digest_of(&spec.name, &Map::new()));
    layer(shared, told, verb, &blob_digest(spec), spec.weights().0, there).await?;
    layer(shared, told, verb, &config, CONFIG_BYTES, there).await
}

async fn pull(shared: &Shared, name: &str, told: &Told) -> Result<(), Left> {
    if fetch(shared, name, told).await? {
        told.status("success").await?;
    }
    Ok(())
}

/// Brings a model of the registry to the disk; whether it is there now.
async fn fetch(shared: &Shared, name: &str, told: &Told) -> Result<bool, Left> {
    told.status("pulling manifest").await?;
    // Every registry has the same here: what matters is the name in it.
    let in_registry = name::registry(name).map_or(name, |_| name.rsplit('/').next().unwrap_or(name));
    let Some(&index) = shared.registry.get(in_registry) else {
        told.fail(Failed::internal("pull model manifest: file does not exist")).await?;
        return Ok(false);
    };
    let there = shared.disk().iter().any(|(_, stored)| stored.profile == index);
    layers(shared, told, "pulling", index, there).await?;
    told.status("verifying sha256 digest").await?;
    told.status("writing manifest").await?;
    let stored = Stored::plain(name, index, SystemTime::now());
    let written = shared.disk().write(name.to_owned(), stored);
    if let Err(full) = written {
        told.fail(Failed::internal(full)).await?;
        return Ok(false);
    }
    Ok(true)
}

async fn push(shared: &Shared, name: &str, told: &Told) -> Result<(), Left> {
    told.status("retrieving manifest").await?;
    let index = shared.disk().find(name).map(|stored| stored.profile);
    let Some(index) = index else {
        told.status("couldn't retrieve manifest").await?;
        return told.fail(Failed::internal("file does not exist")).await;
    };
    layers(shared, told, "pushing", index, false).await?;
    told.status("pushing manifest").await?;
    told.status("success").await
}

async fn create(shared: &Shared, name: &str, body: &Map<String, Value>, told: &Told) -> Result<(), Left> {
    let stored = match base(shared, body, told).await? {
        Ok(stored) => stored,
        Err(failed) => return told.fail(failed).await,
    };
    told.status("writing manifest").await?;
    let written = shared.disk().write(name.to_owned(), stored);
    match written {
        Ok(()) => told.status("success").await,
        Err(full) => told.fail(Failed::internal(full)).await,
    }
}

/// The model that is to be created, from one that is there (or is pulled first) or from files.
async fn base(
    shared: &Shared,
    body: &Map<String, Value>,
    told: &Told,
) -> Result<Result<Stored, Failed>, Left> {
    let from = body.get("from").and_then(Value::as_str).unwrap_or_default();
    let files = body.get("files").and_then(Value::as_object);
    let mut stored = if !from.is_empty() {
        let Some(from) = name::normalise(from) else {
            return Ok(Err(Failed::new(StatusCode::BAD_REQUEST, "invalid model name")));
        };
        let mut found = shared.disk().find(&from).cloned();
        if found.is_none() && shared.registry.contains_key(&from) && fetch(shared, &from, told).await? {
            found = shared.disk().find(&from).cloned();
        }
        let Some(found) = found else {
            return Ok(Err(Failed::internal("pull model manifest: file does not exist")));
        };
        Stored { parent: from, ..found }
    } else if let Some(files) = files {
        let mut digests = files.values().filter_map(Value::as_str).peekable();
        if digests.peek().is_none() {
            return Ok(Err(Failed::new(StatusCode::BAD_REQUEST, "no files provided to convert")));
        }
        let missing = digests.find(|digest| !shared.disk().has_blob(digest));
        if let Some(digest) = missing {
            return Ok(Err(Failed::internal(format_args!("blob \"{digest}\" not found"))));
        }
        told.status("parsing GGUF").await?;
        Stored::plain("", 0, SystemTime::now())
    } else {
        let message = "neither 'from' or 'files' was specified";
        return Ok(Err(Failed::new(StatusCode::BAD_REQUEST, message)));
    };
    let said = ["system", "template", "parameters", "license", "files"];
    let said = body.iter().filter(|(key, _)| said.contains(&key.as_str()));
    stored.said.extend(said.map(|(key, value)| (key.clone(), value.clone())));
    stored.digest = digest_of(&stored.digest, &stored.said);
    stored.modified = SystemTime::now();
    told.status("using existing layer").await?;
    Ok(Ok(stored))
}

/// Whether a digest is one that Ollama takes: `sha256:` and 64 hexadecimal digits.
fn digest(written: &str) -> Option<String> {
    let hex = written.strip_prefix("sha256:").or_else(|| written.strip_prefix("sha256-"))?;
    let good = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| format!("sha256:{hex}"))
}

/// `HEAD /api/blobs/{digest}`.
pub(super) fn head_blob(shared: &Shared, written: &str) -> Response<Body> {
    match digest(written) {
        None => reply::error(StatusCode::BAD_REQUEST, "invalid digest format"),
        Some(digest) if shared.disk().has_blob(&digest) => empty(StatusCode::OK),
        Some(_) => reply::error(StatusCode::NOT_FOUND, &format!("blob \"{written}\" not found")),
    }
}

/// `POST /api/blobs/{digest}`: bytes of any number, hashed as they come and kept nowhere.
pub(super) async fn create_blob(shared: &Shared, written: &str, mut body: Incoming) -> Response<Body> {
    let Some(digest) = digest(written) else {
        return reply::error(StatusCode::BAD_REQUEST, "invalid digest format");
    };
    if shared.disk().has_blob(&digest) {
        return empty(StatusCode::OK);
    }
    let mut hasher = Sha256::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => hasher.update(frame.data_ref().map_or(&[][..], |data| data)),
            Err(_) => return reply::error(StatusCode::INTERNAL_SERVER_ERROR, "unexpected EOF"),
        }
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let found = format!("sha256:{hex}");
    if found != digest {
        let message = format!("digest mismatch, expected \"{written}\", got \"{found}\"");
        return reply::error(StatusCode::BAD_REQUEST, &message);
    }
    match shared.disk().write_blob(digest) {
        Ok(()) => empty(StatusCode::CREATED),
        Err(full) => reply::error(StatusCode::INTERNAL_SERVER_ERROR, &full.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digests_of_sha256_are_taken() {
        let hex = "a".repeat(64);
        assert_eq!(digest(&format!("sha256-{hex}")), Some(format!("sha256:{hex}")));
        for bad in ["", "sha256:", "../../etc/passwd", &format!("sha256:{hex}0"), &format!("md5:{hex}")] {
            assert_eq!(digest(bad), None, "{bad}");
        }
    }
}
