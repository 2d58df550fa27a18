//! The gateway and two emulated hosts as processes: requests over sockets, then the log replayed.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[path = "served/process.rs"]
mod process;

use process::Process;

impl Process {
    /// Asks it to end; returns its exit code.
    fn interrupt(&mut self) -> Option<i32> {
        let asked =
            Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().expect("kill runs");
        assert!(asked.success());
        self.0.wait().expect("the child ends").code()
    }
}

/// Posts a body; returns the whole answer, headers and all.
fn post(address: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it is sent");
    stream.write_all(body.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    answer
}

#[test]
fn gateway_relays_over_two_hosts_and_its_log_replays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = |gpu: &str| {
        let args = ["host", "--profile", gpu, "--listen", "127.0.0.1:0", "--speed", "100"];
        Process::start(
            folder.path(),
            &[&args[..], &["--model", "llama3.2:3b", "--model", "gemma3:4b"]].concat(),
            Stdio::piped(),
        )
    };
    let ((mut first, first_at), (mut second, second_at)) = (host("rtx-4090"), host("rtx-3090"));
    let entry = |name: &str, at: &str| {
        format!("[[serve.hosts]]\nname = \"{name}\"\nurl = \"http://{at}\"\nslots = 4\n")
    };
    let config = format!(
        "[serve]\nlisten = \"127.0.0.1:0\"\nlog_dir = \"decisions\"\n{}{}[control]\nbalancer = \"round-robin\"\n",
        entry("first", &first_at),
        entry("second", &second_at)
    );
    fs::write(folder.path().join("gateway.toml"), config).expect("the folder can be written");
    let (mut gateway, at) =
        Process::start(folder.path(), &["serve", "--config", "gateway.toml"], Stdio::piped());

    std::thread::scope(|scope| {
        for client in 0..4 {
            let at = &at;
            scope.spawn(move || {
                for turn in 0..10 {
                    let model = if (client + turn) % 3 == 0 { "gemma3:4b" } else { "llama3.2:3b" };
                    let body = format!(
                        "{{\"model\": \"{model}\", \"prompt\": \"Count to {turn}.\", \"options\": {{\"num_predict\": 8}}}}"
                    );
                    let answer = post(at, "/api/generate", &body);
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                    assert!(answer.contains("\"done\":true"), "{answer}");
                }
            });
        }
    });
    let missing = post(&at, "/api/chat", "{\"model\": \"no-such-model\", \"messages\": []}");
    assert!(!missing.starts_with("HTTP/1.1 200"), "{missing}");

    assert_eq!(gateway.interrupt(), Some(0));
    assert_eq!(first.interrupt(), Some(0));
    assert_eq!(second.interrupt(), Some(0));
    let replay = Command::new(env!("CARGO_BIN_EXE_herder"))
        .args(["replay", "decisions"])
        .current_dir(folder.path())
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&replay.stdout);
    assert_eq!(replay.status.code(), Some(0), "{text}");
    assert!(text.contains("same decisions"), "{text}");
}

#[test]
fn the_demonstration_answers_a_chat_and_ends_when_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut demo, at) =
        Process::start(folder.path(), &["serve", "--demo", "--demo-load", "5"], Stdio::piped());
    let body = "{\"model\": \"llama3.2:3b\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \
                \"options\": {\"num_predict\": 4}}";
    let answer = post(&at, "/api/chat", body);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"done\":true"), "{answer}");
    assert_eq!(demo.interrupt(), Some(0));
    let mut told = String::new();
    demo.0.stderr.take().expect("piped").read_to_string(&mut told).expect("text");
    assert!(!told.contains('\x1b'), "no terminal, no escapes: {told}");
    let last = told.lines().last().expect("a summary");
    assert!(last.contains("requests: ") && last.contains(" finished, 0 rejected, 0 failed"), "{told}");
    assert!(TcpStream::connect(&at).is_err(), "nothing listens any more");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "it leaves nothing behind");
}

#[test]
fn a_changed_log_is_found_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_herder"));
        command.args(args).current_dir(folder.path()).output().expect("the program starts")
    };
    let made = run(&["run", "--set", "workload.requests=50", "--out", "a", "--log"]);
    assert!(made.status.success());
    // The same steps under another seed: draws, and with them decisions, come out differently.
    let folder_of_log = folder.path().join("a/decisions");
    let mut changed = traces::log::LogWriter::open(&folder.path().join("b"), traces::log::Rotation::ByCaller)
        .expect("the folder can be written");
    for record in traces::log::LogReader::open(&folder_of_log).expect("it was just written") {
        let record = record.expect("it is whole");
        let decoded = control::log::Record::decode(&record.payload).expect("it is a record");
        let payload = match decoded {
            control::log::Record::Open { version, seed, snapshot } => {
                control::log::Record::Open { version, seed: seed + 1, snapshot }.encode(Vec::new())
            }
            other => other.encode(Vec::new()),
        };
        changed.append(record.kind, &payload).expect("the folder can be written");
    }
    changed.flush().expect("the folder can be written");
    let replayed = run(&["replay", "b"]);
    let text = String::from_utf8_lossy(&replayed.stdout);
    assert_eq!(replayed.status.code(), Some(3), "{text}");
    assert!(text.contains("first difference at step"), "{text}");
    assert!(text.contains("recorded:") && text.contains("replayed:"), "{text}");
}

#[test]
fn every_key_of_the_config_is_in_the_docs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/serving.md")).expect("text");
    let keys = page.split("## Every key").nth(1).and_then(|page| page.split("\n## ").next()).expect("a part");
    for (table, more) in [("[serve]", ""), ("[[serve.hosts]]", "[serve]\n")] {
        let config = format!("{more}{table}\nno_such_key = 1\n");
        fs::write(folder.path().join("serve.toml"), config).expect("the config is written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_herder"));
        let refused = command.args(["serve", "--config", "serve.toml"]).current_dir(folder.path()).output();
        let said = String::from_utf8(refused.expect("it runs").stderr).expect("text");
        let known = said.split("expected one of ").nth(1).unwrap_or_else(|| panic!("no keys in {said:?}"));
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        assert!(known.len() > 10, "{known:?}");
        for key in known {
            assert!(keys.contains(&format!("`{key}`")), "{table}: {key} is not in docs/serving.md");
        }
    }
}
