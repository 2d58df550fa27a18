//! The operator's commands against a gateway as a process: watch, change, read the file again by signal, stop in order.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

#[path = "served/speaking.rs"]
mod speaking;

use speaking::Process;

impl Process {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end: exit code, and standard error.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
        (self.child.wait().expect("it ends").code(), text)
    }
}

/// Runs the program: whether it went well, standard output, standard error.
fn herder(args: &[&str], key: Option<&str>) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_herder"));
    command.args(args).env_remove("HERDER_ADMIN_KEY");
    if let Some(key) = key {
        command.env("HERDER_ADMIN_KEY", key);
    }
    let output = command.output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_operator_watches_and_changes_a_gateway() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut host = Process::start(
        folder.path(),
        &[
            "host",
            "--profile",
            "rtx-4090",
            "--listen",
            "127.0.0.1:0",
            "--speed",
            "100",
            "--model",
            "llama3.2:3b",
        ],
        Stdio::piped(),
    );
    let host_at = host.word_after("http://");
    let (made, printed, _) = herder(&["key", "new", "on-call", "--role", "operate"], None);
    assert!(made);
    let (key, section) = printed.split_once("\n\n").expect("the key and its section");
    let config = |balancer: &str| {
        format!(
            "[serve]\nlisten = \"127.0.0.1:0\"\n[serve.admin]\nlisten = \"127.0.0.1:0\"\n{section}\
             [[serve.hosts]]\nname = \"gpu-1\"\nurl = \"http://{host_at}\"\n[control]\nbalancer = \"{balancer}\"\n"
        )
    };
    let file = folder.path().join("gateway.toml");
    fs::write(&file, config("round-robin")).expect("the config is written");
    let mut gateway = Process::start(folder.path(), &["serve", "--config", "gateway.toml"], Stdio::piped());
    gateway.word_after("http://");
    let address = gateway.word_after("--address ");
    let ctl = |args: &[&str]| herder(&[&["ctl", "--address", &address], args].concat(), Some(key));
    let good = |args: &[&str]| {
        let (went_well, out, error) = ctl(args);
        assert!(went_well, "{args:?}: {error}");
        out
    };
    let status = || -> Value { serde_json::from_str(&good(&["status", "--json"])).expect("JSON") };

    while status()["hosts_up"] != 1 {}
    let status_text = good(&["status"]);
    assert!(status_text.contains("balancer     round-robin\n"), "{status_text}");
    let hosts = good(&["hosts"]);
    assert!(hosts.contains("gpu-1") && hosts.contains(&host_at) && hosts.contains("  up "), "{hosts}");
    assert_eq!(good(&["hosts", "drain", "gpu-1"]), "host gpu-1 gets no new requests\n");
    assert!(good(&["hosts"]).contains("  drained "));
    assert!(good(&["status"]).contains("hosts up     1 of 1, 1 drained\n"));
    good(&["hosts", "undrain", "gpu-1"]);
    good(&["strategy", "set", "balancer.prequal.probes=5", "queue_requests_max=1_000"]);
    let control = good(&["strategy", "show"]);
    assert!(control.contains("probes = 5") && control.contains("queue_requests_max = 1000"), "{control}");
    assert!(control.contains("# differs from the file"), "{control}");
    good(&["flags", "set", "canary", "balancer=random", "share_permille=50"]);
    assert!(good(&["experiments"]).contains("canary"));
    good(&["log-level", "info,herder::request=off"]);
    assert!(good(&["models"]).contains("llama3.2:3b"));
    assert!(good(&["queue"]).starts_with("0 queued"));
    assert!(good(&["decisions"]).starts_with("request "));

    for (args, why) in [
        (&["hosts", "drain", "gpu-2"][..], "did you mean \"gpu-1\"?"),
        (&["log-level", "wran"], "found \"wran\", expected error, warn"),
        (&["strategy", "set", "balancer=randm"], "did you mean \"random\"?"),
        (&["reload"], "this key may operate only, and this needs admin"),
    ] {
        let (went_well, _, error) = ctl(args);
        assert!(!went_well && error.contains(why), "{args:?}: {error}");
    }
    let (_, _, error) = herder(&["ctl", "--address", &address, "status"], None);
    assert!(error.contains("HERDER_ADMIN_KEY"), "{error}");

    fs::write(&file, config("least-tokens")).expect("the config is written");
    gateway.signal("-HUP");
    while status()["balancer"] != "least-tokens" {}

    gateway.signal("-TERM");
    let (code, log) = gateway.end();
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told = |message: &str| lines.iter().find(|line| line["message"] == message);
    assert_eq!(told("an operator changed something").expect("told")["by"], "on-call", "{log}");
    assert!(told("the config file was read again").is_some(), "{log}");
    assert!(!log.contains(key), "keys are never written");

    let (_, _, error) = ctl(&["status"]);
    assert!(error.contains("is herder serve running"), "{error}");
}
