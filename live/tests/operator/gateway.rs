//! A gateway with an operator's side, and a client of both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::HeaderMap;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use live::{EmulatedHost, EmulatedOptions, Gateway, ServeConfig, ServeError, ServeSummary};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A test that waits for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The model that every emulated host has.
pub(crate) const MODEL: &str = "llama3.2:3b";

/// Runs a test; one that hangs fails.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(PATIENCE, test).await.expect("the test waits for something that never comes");
    });
}

/// An emulated host, a thousand times as fast as one.
pub(crate) async fn host() -> SocketAddr {
    let options = EmulatedOptions { models: vec![MODEL.into()], speed: 1_000, ..EmulatedOptions::default() };
    let host = EmulatedHost::bind(&options).await.expect("a host");
    let address = host.address();
    tokio::spawn(host.run(std::future::pending()));
    address
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: bool,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().expect("an error's text").to_owned()
    }
}

/// A running gateway.
pub(crate) struct Running {
    pool: Client<HttpConnector, Full<Bytes>>,
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Where its config stands, if it was read from a file.
    pub(crate) file: Option<PathBuf>,
    stop: Arc<Notify>,
    ended: JoinHandle<Result<ServeSummary, ServeError>>,
}

/// A config: `serve` in `[serve]`, `admin` in `[serve.admin]`, then the hosts, then `control` in `[control]`.
pub(crate) fn config(serve: &str, admin: &str, hosts: &[SocketAddr], control: &str) -> String {
    let mut text = format!(
        "[serve]\nlisten = \"127.0.0.1:0\"\npoll_millis = 20\n{serve}\n[serve.admin]\nlisten = \"127.0.0.1:0\"\n{admin}\n"
    );
    for (index, host) in hosts.iter().enumerate() {
        text += &format!("[[serve.hosts]]\nname = \"host-{index}\"\nurl = \"http://{host}\"\nslots = 4\n");
    }
    text + &format!("[control]\n{control}\n")
}

/// Starts a gateway on a config's text.
pub(crate) async fn start(text: &str) -> Running {
    begin(ServeConfig::parse(text, Path::new("test.toml")).expect("a good config")).await
}

/// Starts one on a file.
pub(crate) async fn start_on(file: &Path) -> Running {
    begin(ServeConfig::read(file).expect("a good config")).await
}

async fn begin(config: ServeConfig) -> Running {
    let file = config.file.clone();
    let gateway = Gateway::bind(config).await.expect("free ports");
    let (api, admin) = (gateway.address(), gateway.admin_address().expect("an operator's side"));
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let ended = tokio::spawn(gateway.run(async move { stopped.notified().await }));
    let pool = Client::builder(TokioExecutor::new()).build_http();
    let running = Running { pool, api, admin, file, stop, ended };
    while running.get("/readyz").await.status != 200 {}
    running
}

impl Running {
    /// Sends anything to the operator's side.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.ask(self.admin, method, path, headers, body.to_owned()).await
    }

    async fn ask(
        &self,
        to: SocketAddr,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{to}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).expect("a request");
        let response = self.pool.request(request).await.expect("an answer's head");
        let status = response.status().as_u16();
        let retry_after = response.headers().contains_key("retry-after");
        let body = response.into_body().collect().await.expect("an answer").to_bytes();
        Answer { status, retry_after, body: String::from_utf8(body.into()).expect("UTF-8") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Status and headers of a part of the operator's side.
    pub(crate) async fn head(&self, path: &str) -> (u16, HeaderMap) {
        let request = Request::builder().method(Method::HEAD).uri(format!("http://{}{path}", self.admin));
        let request = request.body(Full::default()).expect("a request");
        let response = self.pool.request(request).await.expect("an answer's head");
        (response.status().as_u16(), response.headers().clone())
    }

    /// A change without a key.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::POST, path, &json, &body.to_string()).await
    }

    /// A request of a client without a key.
    pub(crate) async fn generate(&self) -> Answer {
        self.generate_with(MODEL, &[]).await
    }

    /// A request of a client with these headers.
    pub(crate) async fn generate_with(&self, model: &str, headers: &[(&str, &str)]) -> Answer {
        let body = json!({"model": model, "prompt": "x", "options": {"num_predict": 3}});
        self.ask(self.api, Method::POST, "/api/generate", headers, body.to_string()).await
    }

    /// The last decisions, the newest first, when there are so many that ended.
    pub(crate) async fn decisions(&self, count: usize) -> Vec<Value> {
        loop {
            let answer = self.get("/api/v1/decisions").await.json();
            let decisions = answer["decisions"].as_array().expect("a list");
            let ended = decisions.iter().filter(|one| one["e2e_millis"].is_number()).count();
            if ended >= count {
                return decisions.clone();
            }
        }
    }

    /// A host as the operator sees it; `null` where there is none of this name.
    pub(crate) async fn host(&self, name: &str) -> Value {
        let answer = self.get("/api/v1/hosts").await.json();
        let hosts = answer["hosts"].as_array().expect("a list");
        hosts.iter().find(|host| host["name"] == name).cloned().unwrap_or_default()
    }

    /// Asks it to end.
    pub(crate) fn begin_stop(&self) {
        self.stop.notify_one();
    }

    pub(crate) async fn stop(self) -> ServeSummary {
        self.begin_stop();
        self.ended.await.expect("no panic").expect("a good end")
    }
}
