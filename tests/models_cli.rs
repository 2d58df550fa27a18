//! `herder models` against a gateway as a process, over two hosts that mean different things by one name; and against what is no gateway.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

#[path = "served/speaking.rs"]
mod speaking;

use speaking::Process;

/// What a command came to.
struct Ended {
    code: Option<i32>,
    out: String,
    error: String,
}

/// Runs `herder models` on the operator's side at an address.
fn models(address: &str, args: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_herder"));
    command.args(["models", "--address", address]).args(args).env_remove("HERDER_ADMIN_KEY");
    let output = command.output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended { code: output.status.code(), out: text(output.stdout), error: text(output.stderr) }
}

/// A host that has made `mine` out of this model.
fn host(folder: &Path, of: &str) -> (Process, String) {
    let args = ["host", "--profile", "rtx-4090", "--listen", "127.0.0.1:0", "--speed", "1000", "--model", of];
    let mut process = Process::start(folder, &args, Stdio::null());
    let address = process.word_after("http://");
    let body = json!({ "source": of, "destination": "mine" }).to_string();
    let mut stream = TcpStream::connect(&address).expect("it listens");
    let length = body.len();
    let head = format!(
        "POST /api/copy HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}"
    );
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    (process, address)
}

/// A gateway and its two hosts, which end with the test.
struct Fleet {
    address: String,
    _processes: [Process; 3],
}

impl Fleet {
    fn start(control: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (first, first_at) = host(folder.path(), "llama3.2:1b");
        let (second, second_at) = host(folder.path(), "llama3.2:3b");
        let config = format!(
            "[serve]\nlisten = \"127.0.0.1:0\"\npoll_millis = 20\n[serve.admin]\nlisten = \"127.0.0.1:0\"\n\
             [[serve.hosts]]\nname = \"gpu-1\"\nurl = \"http://{first_at}\"\nmemory_gib = 24\n\
             [[serve.hosts]]\nname = \"gpu-2\"\nurl = \"http://{second_at}\"\nmemory_gib = 24\n{control}"
        );
        fs::write(folder.path().join("gateway.toml"), config).expect("the config is written");
        let args = ["serve", "--config", "gateway.toml"];
        let mut gateway = Process::start(folder.path(), &args, Stdio::null());
        let address = gateway.word_after("--address ");
        Self { address, _processes: [first, second, gateway] }
    }

    /// What a command prints that goes well.
    fn good(&self, args: &[&str]) -> String {
        let Ended { code, out, error } = models(&self.address, args);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{args:?}");
        out
    }

    /// The error of a command that fails.
    fn bad(&self, args: &[&str]) -> String {
        let Ended { code, out, error } = models(&self.address, args);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{args:?}: {error}");
        error
    }

    /// The gateway's answer, once it is as wanted.
    fn until(&self, command: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let answer = serde_json::from_str(&self.good(&[command, "--json"])).expect("JSON");
            if wanted(&answer) {
                return answer;
            }
        }
    }
}

/// Whether both hosts were heard.
fn differs(answer: &Value) -> bool {
    answer["contents"][0]["held"].as_array().is_some_and(|held| held.len() == 2)
}

/// A table without its widths, and with `N` for the seconds that differ from run to run.
fn steady(table: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        for at in 1..words.len() {
            if words[at] == "s" {
                words[at - 1] = "N";
            }
        }
        words.join(" ") + "\n"
    };
    table.lines().map(line).collect()
}

#[test]
fn conflicts_are_told_and_an_operator_decides_between_contents() {
    let fleet = Fleet::start("[control.sync]\nmanage = [\"mine:*\"]\npolicy = \"manual\"\n");
    let answer = fleet.until("conflicts", differs);
    insta::assert_snapshot!("undecided", steady(&(fleet.good(&["status"]) + &fleet.good(&["conflicts"]))));
    let held = &answer["contents"][0]["held"];
    let digest = |at: usize| held[at]["digest"].as_str().expect("a digest").to_owned();
    let host = |at: usize| held[at]["by"][0].as_str().expect("a host").to_owned();

    let said = fleet.good(&["resolve", "mine", &digest(0)[..6]]);
    let changed = |at: usize| {
        let short = &digest(at)[..12];
        format!(
            "model mine:latest: {short} is the content to keep\ncontrol.sync.act is false: hosts are not told to take it\n"
        )
    };
    assert_eq!(said, changed(0));
    insta::assert_snapshot!("decided", steady(&(fleet.good(&["status"]) + &fleet.good(&["conflicts"]))));
    assert_eq!(fleet.good(&["resolve", "mine:latest", "--keep", &host(1)]), changed(1));
    let answer: Value =
        serde_json::from_str(&fleet.good(&["resolve", "mine", "--withdraw", "--json"])).expect("JSON");
    assert_eq!(answer["changed"][0], "model mine:latest: what was decided is withdrawn");
    fleet.until("status", |answer| answer["contents"][0]["right"].is_null());

    for (args, why) in [
        (&["resolve", "mime", "0"][..], "(did you mean \"mine:latest\"?)"),
        (
            &["resolve", "mine", "0000000"],
            "nobody has a content of \"mine:latest\" whose digest begins with 0000000",
        ),
        (&["resolve", "mine", "no-digest"], "expected the first hexadecimal digits of a content's digest"),
        (&["resolve", "mine", "--keep", "gpu-3"], "there is no host \"gpu-3\" (did you mean \"gpu-1\"?)"),
        (
            &["resolve", "mine", "--keep", "registry"],
            "the registry is not known to have a content of \"mine:latest\"",
        ),
        (&["resolve", "mine", "--withdraw"], "nothing was decided for \"mine:latest\""),
        (&["resolve", "a \u{1b}[2J", "0"], "found \"a \\u{1b}[2J\", expected a model's name"),
    ] {
        let error = fleet.bad(args);
        assert!(error.contains(why), "{args:?}: {error}");
    }
    for args in [&["resolve", "mine"][..], &["resolve", "mine", "0", "--withdraw"], &["resolve"]] {
        assert_eq!(models(&fleet.address, args).code, Some(2), "{args:?}");
    }
}

#[test]
fn a_plan_is_only_shown_until_it_is_applied() {
    let fleet = Fleet::start(
        "[control.placement]\nstrategy = \"static\"\nmanage = [\"mine:*\"]\nreplicas_min = 2\ninterval_seconds = 1\n\
         residency_min_seconds = 0\n",
    );
    let proposed = |answer: &Value| answer["proposed"].as_array().is_some_and(|all| all.len() == 2);
    fleet.until("plan", proposed);
    let shown = fleet.good(&["plan"]);
    // What is proposed stands in the order in which hosts were heard.
    let (plan, proposals) = shown.split_once("would be done\n").expect("there is something to do");
    insta::assert_snapshot!("plan_that_is_shown", steady(plan));
    assert!(["gpu-1", "gpu-2"].iter().all(|host| proposals.contains(host)), "{proposals}");
    assert!(fleet.good(&["apply"]).starts_with("control.placement = {"));
    let loaded = |answer: &Value| {
        let replicas = answer["plan"]["replicas"].as_array();
        replicas.is_some_and(|all| all.len() == 2 && all.iter().all(|one| one["loaded"] == true))
    };
    fleet.until("plan", |answer| loaded(answer) && answer["under_way"] == json!([]));
    let plan = fleet.good(&["plan"]);
    assert!(plan.starts_with("placement by static, acts\n") && !plan.contains("missing"), "{plan}");
    fleet.good(&["apply", "--off"]);
    assert!(fleet.good(&["plan"]).starts_with("placement by static, only shown: act = false\n"));
    let without_sync = fleet.bad(&["resolve", "mine", "0"]);
    assert!(without_sync.starts_with("error: [control.sync] is absent"), "{without_sync}");
}

#[test]
fn a_gateway_without_placement_says_so() {
    let fleet = Fleet::start("");
    for (command, said) in [
        ("status", "no names are kept the same: [control.sync] is absent, or manages none that a host has\n"),
        ("plan", "nothing is placed: [control.placement] is absent\n"),
        ("conflicts", "no conflicts: all that have a name have the same content\n"),
    ] {
        assert_eq!(fleet.good(&[command]), said);
    }
    let error = fleet.bad(&["apply"]);
    assert!(error.contains("neither a section placement nor sync"), "{error}");
}

#[test]
fn who_does_not_answer_is_an_error_with_the_address() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let hangs_up = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hanging_up = hangs_up.local_addr().expect("an address");
    let commands = [&["status"][..], &["plan"], &["conflicts"], &["apply"], &["resolve", "m", "0"]];
    let takes = thread::spawn(move || {
        for _ in commands {
            drop(hangs_up.accept().expect("a connection"));
        }
    });
    for address in [nobody.to_string(), hanging_up.to_string()] {
        for args in commands {
            let Ended { code, out, error } = models(&address, args);
            assert_eq!((code, out.as_str()), (Some(1), ""), "{args:?}");
            let told = format!("cannot reach the operator's side of a gateway at {address}");
            assert!(error.contains(&told), "{args:?}: {error}");
        }
    }
    takes.join().expect("no panic");
}

/// Answers one request with this status and body, whatever it is; what `herder models` makes of that.
fn answered(status: &str, body: &Value, args: &[&str]) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let body = body.to_string();
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = [0; 4_096];
        let read = stream.read(&mut head).expect("a request");
        assert!(read > 0);
        stream.write_all(answer.as_bytes()).expect("it is sent");
    });
    let ended = models(&address, args);
    serving.join().expect("no panic");
    ended
}

#[test]
fn no_control_character_of_an_answer_reaches_the_terminal() {
    let evil = "m\u{1b}[2J\u{7}\r\nx";
    let answer = json!({
        "strategy": evil, "act": true,
        "plan": { "replicas": [{ "host": evil, "model": evil, "loaded": false, "why": evil }], "unmet": [] },
        "under_way": [{ "deed": evil, "model": evil, "host": evil }],
        "contents": [{
            "model": evil, "state": evil, "good_copies": 1,
            "right": { "digest": evil, "origin": evil },
            "conflict": { "kind": evil, "seconds": 1 },
            "versions": [evil], "newer": evil,
            "held": [{ "digest": evil, "right": true, "by": [evil] }],
        }],
        "changed": [evil],
    });
    let is_clean = |text: &str| !text.chars().any(|letter| letter.is_control() && letter != '\n');
    for args in [&["status"][..], &["plan"], &["conflicts"], &["resolve", "m", "0"]] {
        let shown = answered("200 OK", &answer, args);
        assert!(
            shown.code == Some(0) && shown.out.contains("m[2Jx") && is_clean(&shown.out),
            "{:?}",
            shown.out
        );
        let as_json = answered("200 OK", &answer, &[args, &["--json"]].concat());
        assert!(as_json.out.contains("\\u001b[2J") && is_clean(&as_json.out), "{:?}", as_json.out);
    }
    let refused = answered("404 Not Found", &json!({ "error": evil }), &["resolve", "m", "0"]);
    assert_eq!((refused.code, refused.error.as_str()), (Some(1), "error: m[2Jx\n"));
    let no_gateway = answered("200 OK", &json!("hello"), &["status"]);
    assert_eq!(no_gateway.code, Some(0), "an answer of another version may say less");
}
