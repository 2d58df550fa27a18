//! An emulated host, and a client of it that keeps whatever it is sent.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use live::{EmulatedHost, EmulatedOptions};
use serde_json::{Value, json};

/// A test that waits for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test; one that hangs fails.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(PATIENCE, test).await.expect("the test waits for something that never comes");
    });
}

/// A host that runs as long as the test.
pub(crate) struct Host {
    pool: Pool<HttpConnector, Full<Bytes>>,
    pub(crate) address: SocketAddr,
}

/// An answer read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
    /// The connection ended without the end of the body.
    pub(crate) broken: bool,
}

/// A host with these models, a thousand times faster than its profile.
pub(crate) async fn host(models: &[&str]) -> Host {
    host_with(models, |_| {}).await
}

pub(crate) async fn host_with(models: &[&str], change: impl FnOnce(&mut EmulatedOptions)) -> Host {
    let mut options = EmulatedOptions {
        models: models.iter().map(|&model| model.to_owned()).collect(),
        speed: 1_000,
        ..EmulatedOptions::default()
    };
    change(&mut options);
    let host = EmulatedHost::bind(&options).await.expect("a host");
    let address = host.address();
    tokio::spawn(host.run(std::future::pending()));
    Host { pool: Pool::builder(TokioExecutor::new()).build_http(), address }
}

impl Host {
    /// Sends a request; an error where the connection ends without an answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.pool.request(request.body(Full::new(body.into())).expect("a request")).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        read(self.send(method, path, &[], body).await.expect("an answer's head")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, "").await
    }

    pub(crate) async fn set_faults(&self, faults: Value) -> Answer {
        self.ask(Method::PUT, "/emulated/faults", json!({ "faults": faults }).to_string()).await
    }

    /// Names of the models on its disk.
    pub(crate) async fn names(&self) -> Vec<String> {
        names(&self.get("/api/tags").await.json())
    }

    /// Names of the models that are loaded.
    pub(crate) async fn loaded(&self) -> Vec<String> {
        names(&self.get("/api/ps").await.json())
    }
}

fn names(list: &Value) -> Vec<String> {
    let models = list["models"].as_array().expect("a list");
    let mut names: Vec<String> = models.iter().map(|model| text(&model["name"]).to_owned()).collect();
    names.sort();
    names
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// Reads an answer to its end.
pub(crate) async fn read(response: Response<Incoming>) -> Answer {
    let (head, mut body) = response.into_parts();
    let (mut bytes, mut broken) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    Answer { status: head.status.as_u16(), headers: head.headers, bytes, broken }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("JSON")
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Server-sent events: name and data.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let parts = self.text().split_terminator("\n\n").map(|block| {
            let (mut name, mut data) = (String::new(), String::new());
            for line in block.lines() {
                match line.split_once(": ").expect("a field") {
                    ("event", value) => name = value.into(),
                    ("data", value) => data = value.into(),
                    other => panic!("{other:?}"),
                }
            }
            (name, data)
        });
        parts.collect()
    }
}

/// The value with all that differs from run to run replaced by its key in brackets.
pub(crate) fn masked(mut value: Value) -> Value {
    const VARYING: &[&str] = &[
        "created_at",
        "created",
        "completed_at",
        "expires_at",
        "modified_at",
        "total_duration",
        "load_duration",
        "prompt_eval_duration",
        "eval_duration",
        "id",
    ];
    match &mut value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                *field = if VARYING.contains(&key.as_str()) && !field.is_null() {
                    format!("[{key}]").into()
                } else {
                    masked(field.take())
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = masked(item.take())),
        _ => {}
    }
    value
}
