//! `herder serve` as a process: killed or asked to end in the middle of its work, and with more
//! connections than work.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

#[path = "served/process.rs"]
mod process;
#[path = "served/restarts.rs"]
mod restarts;
#[path = "served/slow.rs"]
#[expect(clippy::disallowed_methods, reason = "clients wait on the wall clock")]
mod slow;

use process::Process;

/// Memory that a connection that does nothing may take, in bytes.
const IDLE_BYTES_MAX: usize = 20 << 10;

impl Process {
    /// Two emulated hosts, so many times faster than real ones, and where they listen.
    fn hosts(folder: &Path, speed: &str) -> ([Self; 2], [String; 2]) {
        let host = || {
            let args = ["host", "--profile", "rtx-4090", "--listen", "127.0.0.1:0", "--speed", speed];
            Self::start(folder, &[&args[..], &["--model", "llama3.2:3b"]].concat(), Stdio::null())
        };
        let ((first, first_at), (second, second_at)) = (host(), host());
        ([first, second], [first_at, second_at])
    }

    /// A gateway that listens somewhere, in front of hosts.
    fn gateway(folder: &Path, listen: &str, [first, second]: &[String; 2], stderr: Stdio) -> (Self, String) {
        let config = format!(
            "[serve]\nlisten = \"{listen}\"\nlog_dir = \"decisions\"\nlog_fsync_millis = 50\n\
             [[serve.hosts]]\nname = \"first\"\nurl = \"http://{first}\"\nslots = 4\n\
             [[serve.hosts]]\nname = \"second\"\nurl = \"http://{second}\"\nslots = 4\n"
        );
        fs::write(folder.join("gateway.toml"), config).expect("the folder can be written");
        Self::start(folder, &["serve", "--config", "gateway.toml"], stderr)
    }

    /// Hosts, and a gateway in front of them.
    fn fleet(folder: &Path) -> ([Self; 2], Self, String) {
        let (hosts, addresses) = Self::hosts(folder, "100");
        let (gateway, at) = Self::gateway(folder, "127.0.0.1:0", &addresses, Stdio::null());
        (hosts, gateway, at)
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }

    /// Its memory in bytes.
    fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") << 10
    }
}

/// Replays the decision log; gives what the program says.
fn replay(folder: &Path) -> String {
    let replay = Command::new(env!("CARGO_BIN_EXE_herder"))
        .args(["replay", "decisions"])
        .current_dir(folder)
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&replay.stdout).into_owned();
    assert_eq!(replay.status.code(), Some(0), "{text}");
    text
}

/// One request of a client; whether its answer came to its end.
fn generate(at: &str, turn: usize) -> bool {
    let body = format!(
        "{{\"model\": \"llama3.2:3b\", \"prompt\": \"Count to {turn}.\", \"options\": {{\"num_predict\": 8}}}}"
    );
    let head = format!(
        "POST /api/generate HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let Ok(mut stream) = TcpStream::connect(at) else { return false };
    let mut answer = String::new();
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    sent.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.ends_with("\r\n0\r\n\r\n")
}

#[test]
fn a_log_whose_gateway_was_killed_replays_to_the_same_decisions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_hosts, mut gateway, at) = Process::fleet(folder.path());
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Until nobody answers any more.
                for turn in 0.. {
                    if !generate(&at, turn) {
                        break;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while answered.load(Ordering::Relaxed) < 200 {
            std::thread::yield_now();
        }
        gateway.kill();
    });
    let text = replay(folder.path());
    println!("L12: killed after {} answers: {text}", answered.load(Ordering::Relaxed));
    assert!(text.contains("same decisions"), "{text}");

    // And it starts again on the same log.
    let (mut gateway, at) =
        Process::start(folder.path(), &["serve", "--config", "gateway.toml"], Stdio::null());
    assert!(generate(&at, 0));
    gateway.kill();
}

/// Lets this process have an end of so many connections, and the gateway, which inherits the limit, the other ends.
fn allow_open_files(connections: usize) {
    let files = connections as u64 + 500;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        let hard = limit.maximum.unwrap_or(u64::MAX);
        assert!(hard >= files, "{files} open files are needed, the hard limit (`ulimit -Hn`) is {hard}");
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..limit })
            .expect("the soft limit is ours");
    }
}

/// Opens idle connections to a gateway, each after one request, and tells what they take of its memory.
fn idle_connections(count: usize) {
    allow_open_files(count);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_hosts, gateway, at) = Process::fleet(folder.path());
    let open = |count: usize| -> Vec<TcpStream> {
        let ask = |_| {
            let mut stream = TcpStream::connect(&at).expect("it listens");
            let sent = format!("GET /api/version HTTP/1.1\r\nHost: {at}\r\n\r\n");
            stream.write_all(sent.as_bytes()).expect("it is sent");
            assert!(matches!(stream.read(&mut [0; 1_024]), Ok(1..)), "answered, then idle");
            stream
        };
        (0..count).map(ask).collect()
    };
    let _first = open(100);
    let before = gateway.resident_bytes();
    let mut idle = open(count);
    let each = gateway.resident_bytes().saturating_sub(before) / count;
    println!("L8: {count} idle connections, {each} bytes each");
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes");
    // All of them are open still: the oldest gets an answer.
    let sent = format!("GET /api/version HTTP/1.1\r\nHost: {at}\r\n\r\n");
    idle[0].write_all(sent.as_bytes()).expect("it is sent");
    assert!(matches!(idle[0].read(&mut [0; 1_024]), Ok(1..)), "it was kept");
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_goes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = "[serve]\nlisten = \"127.0.0.1:0\"\nconnections_max = 300\n\
        [[serve.hosts]]\nname = \"a\"\nurl = \"http://127.0.0.1:9\"\n";
    fs::write(folder.path().join("serve.toml"), config).expect("the config is written");
    for (hard, soft_then, warns) in [(2_000, 856, false), (500, 500, true)] {
        let script = format!("ulimit -Sn 200; ulimit -Hn {hard}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_herder"), "serve", "--config", "serve.toml"]);
        let log = fs::File::create(folder.path().join("log")).expect("a file for the log");
        let (mut gateway, _) = Process::spawn(&mut command, folder.path(), log.into());
        let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.0.id())).expect("limits");
        let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
        assert_eq!(files.split_whitespace().nth(3), Some(&*soft_then.to_string()), "{files}");
        let pid = Pid::from_raw(gateway.0.id().cast_signed()).expect("no zero");
        kill_process(pid, Signal::TERM).expect("it runs");
        gateway.0.wait().expect("it ends");
        let said = fs::read_to_string(folder.path().join("log")).expect("text");
        assert_eq!(said.contains("ulimit -Hn"), warns, "{said}");
    }
}

#[test]
fn idle_connections_take_little_memory() {
    idle_connections(2_000);
}

#[test]
#[ignore = "long form: 10,000 connections"]
fn idle_connections_10000_of_them_take_little_memory() {
    idle_connections(10_000);
}
