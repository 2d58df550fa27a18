//! Two real hosts, a registry and a gateway that may move models between them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::http;
use super::process::{Installed, Process, empty_host, gateway_on, real_host, say};

/// Longest time until what is expected has happened. A pull takes seconds, a load one.
const PATIENCE: Duration = Duration::from_secs(120);

/// What `docker-registry` is told. Ollama (v0.24) takes a blob only from an answer with a `Location`, as registries that redirect have
/// one; `?` leads to the blob itself.
const REGISTRY: &str = "version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: registry}}
http: {addr: \"127.0.0.1:0\", headers: {Location: [\"?\"]}}
";

/// The first host has the installed models, the second none.
pub(crate) struct Fleet {
    pub(crate) registry: Process,
    pub(crate) hosts: [Process; 2],
}

impl Fleet {
    /// Starts all but the gateway; `None` says why not.
    pub(crate) fn start(installed: &Installed, version: &str, folder: &Path) -> Option<Self> {
        let program = installed.folder.join("bin/docker-registry");
        if !program.is_file() {
            say("models that move: skipped, no docker-registry: run tests/real/install.sh");
            return None;
        }
        fs::write(folder.join("registry.yml"), REGISTRY).expect("the folder can be written");
        let mut command = Command::new(program);
        command.current_dir(folder).args(["serve", "registry.yml"]);
        let registry = Process::start(command, &folder.join("registry.txt"), false, "listening on ");
        let hosts = [
            real_host(installed, version, folder, "first"),
            empty_host(installed, version, folder, "second"),
        ];
        Some(Self { registry, hosts })
    }

    /// The name of a model in the registry.
    pub(crate) fn name(&self, model: &str) -> String {
        format!("{}/library/{model}:latest", self.registry.address)
    }

    /// Makes another content of a model that a host has, there alone.
    pub(crate) fn create(&self, host: usize, model: &str, temperature: f32) {
        let (name, address) = (self.name(model), &self.hosts[host].address);
        let parameters = format!("{{\"num_thread\":1,\"temperature\":{temperature}}}");
        let body = format!(
            "{{\"model\":\"{name}\",\"from\":\"{name}\",\"parameters\":{parameters},\"stream\":false}}"
        );
        assert!(http::post(address, "/api/create", &body).contains("success"));
    }

    /// Makes a model on a host out of one that is there, and pushes it.
    pub(crate) fn publish(&self, host: usize, model: &str, from: &str, temperature: f32) {
        let (name, address) = (self.name(model), &self.hosts[host].address);
        let parameters = format!("{{\"num_thread\":1,\"temperature\":{temperature}}}");
        let body = format!(
            "{{\"model\":\"{name}\",\"from\":\"{from}\",\"parameters\":{parameters},\"stream\":false}}"
        );
        assert!(http::post(address, "/api/create", &body).contains("success"));
        let body = format!("{{\"model\":\"{name}\",\"insecure\":true,\"stream\":false}}");
        let said = http::post(address, "/api/push", &body);
        assert!(said.contains("success"), "{said}");
    }

    /// A gateway in front of both; `control` follows in `[control]`. Its files are `NAME.toml`, the decision log `NAME`.
    pub(crate) fn gateway(&self, folder: &Path, name: &str, control: &str) -> Process {
        let mut config = format!(
            "[serve]\nlisten = \"127.0.0.1:0\"\npoll_millis = 200\nlog_dir = \"{name}\"\n\
             insecure_registries = [\"{}\"]\nregistry_poll_seconds = 1\n[serve.admin]\nlisten = \"127.0.0.1:0\"\n",
            self.registry.address
        );
        for (index, host) in self.hosts.iter().enumerate() {
            let address = &host.address;
            config.push_str(&format!(
                "[[serve.hosts]]\nname = \"host-{index}\"\nurl = \"http://{address}\"\nmemory_gib = 4\n"
            ));
        }
        config.push_str(&format!("[control]\nbalancer = \"round-robin\"\n{control}\n"));
        gateway_on(folder, name, &config)
    }
}

/// Where a gateway's operators ask.
pub(crate) fn admin_of(gateway: &Process) -> String {
    let said = until("the gateway says where operators ask", || {
        gateway.said().split("--address ").nth(1).map(str::to_owned)
    });
    said.split(',').next().unwrap_or_default().to_owned()
}

/// Asks a path of a host or of a gateway's operator's side.
pub(crate) fn get(address: &str, path: &str) -> serde_json::Value {
    let answer = http::ask(address, "GET", path, &[], None).expect("it answers");
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", answer.text()))
}

/// Waits until something is there.
pub(crate) fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
    }
}
