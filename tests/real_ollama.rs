//! Real Ollama hosts behind the gateway, and beside the emulated host: answers compared, client libraries, a log
//! replayed, clients that leave. docs/real-hosts.md tells how to run it; tests/real/install.sh installs what it needs.
//! Without that every test here says that it is skipped, and passes.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "real hosts run on the wall clock")]

mod real {
    pub(crate) mod cases;
    pub(crate) mod fleet;
    pub(crate) mod http;
    pub(crate) mod known;
    mod models;
    pub(crate) mod process;
    pub(crate) mod shape;
}

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{fs, thread};

use real::cases::{CASES, Case};
use real::http::{self, Answer};
use real::known;
use real::process::{Process, emulated_host, gateway, installed, real_host, replay, say};
use real::shape::{Loosely, shape};

/// The versions of Ollama that are tested against; the newer one is what the gateway is made for.
const VERSIONS: [&str; 2] = ["0.10.1", NEWER];
const NEWER: &str = "0.24.0";

/// Programs of client libraries, in `tests/real/clients`.
const CLIENTS: [&str; 6] = [
    "ollama_client.py",
    "openai_client.py",
    "anthropic_client.py",
    "ollama_client.mjs",
    "openai_client.mjs",
    "anthropic_client.mjs",
];

/// Two models run on two cores: one test at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a case is compared with an emulated host.
fn as_emulated(case: &Case) -> Loosely {
    Loosely { errors: case.any_words, names: case.lists, left_out: known::OF_WEIGHTS }
}

/// Asks a side one case; where it does not answer at all, that is its shape.
fn ask(side: &Process, case: &Case, loosely: Loosely) -> String {
    if let Some(before) = case.before {
        // A side that cannot do this shows it in the case's own answer.
        let _ = http::ask(&side.address, "POST", "/api/generate", &[], Some(before));
    }
    match http::ask(&side.address, case.method, case.path, case.headers, case.body) {
        Ok(answer) => shape(&answer, loosely),
        Err(error) => format!("no answer: {error}"),
    }
}

/// Asks until the answer has the shape, for some seconds where it may lag behind, else once.
fn settled(side: &Process, case: &Case, loosely: Loosely, wanted: &str) -> String {
    let began = Instant::now();
    loop {
        let found = ask(side, case, loosely);
        if found == wanted || !case.settles || began.elapsed() > Duration::from_secs(2) {
            return found;
        }
    }
}

/// Which cases differ, by name; in one version only: with `@` and the version.
#[derive(Default)]
struct Differences {
    versions: BTreeMap<&'static str, Vec<&'static str>>,
    text: String,
}

impl Differences {
    fn add(&mut self, version: &'static str, case: &Case, wanted: &str, found: &str) {
        if wanted == found {
            return;
        }
        self.versions.entry(case.name).or_default().push(version);
        let Case { name, method, path, body, .. } = case;
        let body = body.unwrap_or("no body");
        let indented = |shape: &str| shape.replace('\n', "\n    ");
        self.text.push_str(&format!(
            "{name} @{version}: {method} {path} {body}\n  real:\n    {}\n  here:\n    {}\n",
            indented(wanted),
            indented(found)
        ));
    }

    /// Checks against the lists of what is known; `name` is that of the side.
    fn check(&self, name: &str, not_yet: &[&str], otherwise: &[(&str, &str)]) -> Result<(), String> {
        let found = self.versions.iter().map(|(case, versions)| match versions.as_slice() {
            [one] => format!("{case} @{one}"),
            _ => (*case).to_owned(),
        });
        let found: BTreeSet<String> = found.collect();
        let known = not_yet.iter().chain(otherwise.iter().map(|(case, _)| case));
        let known: BTreeSet<String> = known.map(|&case| case.to_owned()).collect();
        if found == known {
            return Ok(());
        }
        let list = |these: Vec<&String>| {
            these.into_iter().map(|case| format!("    {case:?},\n")).collect::<String>()
        };
        Err(format!(
            "{name}: differ, and are not in the list:\n{}{name}: in the list, but do not differ:\n{}\n",
            list(found.difference(&known).collect()),
            list(known.difference(&found).collect()),
        ))
    }
}

#[test]
fn no_two_cases_have_the_same_name() {
    let mut names = BTreeSet::new();
    for case in CASES {
        assert!(names.insert(case.name), "{}", case.name);
    }
}

#[test]
fn gateway_and_emulated_host_answer_as_real_hosts_do() {
    let Some(installed) = installed("answers compared") else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut of_gateway, mut of_emulated) = (Differences::default(), Differences::default());
    for version in VERSIONS {
        let folder = folder.path().join(version);
        fs::create_dir(&folder).expect("the folder can be written");
        let host = real_host(&installed, version, &folder, "host");
        let gateway = gateway(&folder, "gateway", &[&host]);
        let emulated = emulated_host(version, &folder);
        thread::scope(|scope| {
            // It mostly waits, as a host with a GPU would: that takes nothing from the others.
            let shapes = scope.spawn(|| {
                CASES.iter().map(|case| ask(&emulated, case, as_emulated(case))).collect::<Vec<_>>()
            });
            let mut answers = Vec::new();
            for case in CASES {
                let as_gateway = Loosely { errors: case.any_words, ..Loosely::default() };
                let answer = ask_real(&host, case);
                let wanted = shape(&answer, as_gateway);
                of_gateway.add(version, case, &wanted, &settled(&gateway, case, as_gateway, &wanted));
                answers.push(answer);
            }
            let shapes = shapes.join().expect("the emulated host is asked to the end");
            for ((case, answer), found) in CASES.iter().zip(&answers).zip(&shapes) {
                of_emulated.add(version, case, &shape(answer, as_emulated(case)), found);
            }
        });
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-differences.txt");
    let text = format!("GATEWAY\n{}\nEMULATED HOST\n{}", of_gateway.text, of_emulated.text);
    fs::write(&file, text).expect("the folder can be written");
    say(&format!(
        "answers compared: {} requests, {} differ through the gateway, {} on the emulated host: {}",
        CASES.len(),
        of_gateway.versions.len(),
        of_emulated.versions.len(),
        file.display()
    ));
    let checked = [
        of_gateway.check("gateway", known::GATEWAY_NOT_YET, known::GATEWAY_OTHERWISE),
        of_emulated.check("emulated host", known::EMULATED_NOT_YET, known::EMULATED_OTHERWISE),
    ];
    let wrong: String = checked.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

fn ask_real(host: &Process, case: &Case) -> Answer {
    if let Some(before) = case.before {
        http::post(&host.address, "/api/generate", before);
    }
    let answer = http::ask(&host.address, case.method, case.path, case.headers, case.body);
    answer.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

#[test]
fn client_libraries_work_through_the_gateway() {
    let Some(installed) = installed("client libraries") else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = real_host(&installed, NEWER, folder.path(), "host");
    let mut gateway = gateway(folder.path(), "gateway", &[&host]);
    let python = installed.folder.join("python");
    let javascript = installed.folder.join("javascript/node_modules");
    let mut wrong = Vec::new();
    let mut left = 0;
    for file in CLIENTS {
        let is_python = file.ends_with(".py");
        if !(if is_python { &python } else { &javascript }).is_dir() {
            say(&format!("{file}: skipped, its library is not installed"));
            continue;
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/clients").join(file);
        // Beside its libraries, which is where node looks for them.
        let program = folder.path().join(file);
        fs::copy(source, &program).expect("the folder can be written");
        let mut command = if is_python {
            let mut command = Command::new("python3");
            command.env("PYTHONPATH", &python);
            command
        } else {
            if !folder.path().join("node_modules").exists() {
                symlink(&javascript, folder.path().join("node_modules")).expect("a link can be made");
            }
            Command::new("node")
        };
        let output = command
            .arg(&program)
            .current_dir(folder.path())
            .env("HERDER", format!("http://{}", gateway.address))
            .env("NO_PROXY", "*")
            .output()
            .expect("the client starts");
        let said = String::from_utf8_lossy(&output.stdout);
        // The libraries write lines of their own, too.
        for line in said.lines().filter(|line| ["PASS ", "FAIL "].iter().any(|word| line.starts_with(word))) {
            say(&format!("{file}: {line}"));
            let name = line.split([' ', ':']).nth(1).unwrap_or_default();
            left += usize::from(line.starts_with("PASS cancellation"));
            let known = known::CLIENTS_NOT_YET.contains(&(file, name));
            if line.starts_with("FAIL") != known {
                wrong
                    .push(format!("{file}: {line}, which is {}in the list", if known { "" } else { "not " }));
            }
        }
        if !output.status.success() || !said.lines().any(|line| line == "END") {
            let stderr = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!("{file} did not come to its end: {said}{stderr}"));
        }
    }
    assert_eq!(gateway.interrupt(), Some(0), "{}", gateway.said());
    let cancelled = counted(&gateway.said(), "cancelled");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cancelled >= left, "{left} clients left: {}", gateway.said());
}

/// The number before a word in what the gateway says at its end.
fn counted(said: &str, word: &str) -> usize {
    let line = said.lines().find(|line| line.contains(" requests: ")).unwrap_or_default();
    let mut before = "";
    for part in line.split([' ', ',']) {
        if part == word {
            return before.parse().unwrap_or_default();
        }
        before = part;
    }
    0
}

/// A short request, different for each number. One thread computes it: two hosts do so at once, on two cores perhaps.
fn short(number: usize) -> String {
    let (tokens, stream) = (number % 2 + 1, number.is_multiple_of(3));
    format!(
        "{{\"model\":\"smollm2:135m\",\"prompt\":\"{number}\",\"raw\":true,\"stream\":{stream},\
         \"options\":{{\"num_predict\":{tokens},\"num_thread\":1}}}}"
    )
}

/// Sends requests from four clients until `most` are sent or the gateway is gone; tells of each whole answer.
fn load(address: &str, most: usize, answered: &(impl Fn() + Sync)) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= most {
                        return;
                    }
                    match http::ask(address, "POST", "/api/generate", &[], Some(&short(number))) {
                        Ok(answer) if answer.whole && answer.text().contains("\"done\":true") => {
                            answered();
                        }
                        _ => return,
                    }
                }
            });
        }
    });
}

#[test]
fn log_of_a_thousand_requests_replays_to_the_same_decisions() {
    const REQUESTS: usize = 1_000;
    let Some(installed) = installed("decision log") else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    // One of each version: the log must not depend on it.
    let hosts = VERSIONS.map(|version| real_host(&installed, version, folder.path(), version));
    let hosts: Vec<&Process> = hosts.iter().collect();
    let mut gateway = gateway(folder.path(), "whole", &hosts);
    let (began, answered) = (Instant::now(), AtomicUsize::new(0));
    load(&gateway.address, REQUESTS, &|| _ = answered.fetch_add(1, Ordering::Relaxed));
    assert_eq!(answered.load(Ordering::Relaxed), REQUESTS);
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(gateway.interrupt(), Some(0), "{}", gateway.said());
    assert_eq!(counted(&gateway.said(), "finished"), REQUESTS, "{}", gateway.said());
    let said = replay(folder.path(), "whole");
    say(&format!("decision log: {REQUESTS} requests in {seconds:.1} s; {}", said.trim_end()));
    assert!(said.contains("same decisions") && !said.contains("gaps"), "{said}");
    assert!(steps(&said) >= 2 * REQUESTS, "each request arrives and ends: {said}");
}

#[test]
fn log_of_a_gateway_that_was_killed_replays_to_the_same_decisions() {
    const BEFORE: usize = 60;
    let Some(installed) = installed("killed gateway") else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = real_host(&installed, NEWER, folder.path(), "host");
    let mut gateway = gateway(folder.path(), "killed", &[&host]);
    let address = gateway.address.clone();
    let answers = thread::scope(|scope| {
        let (answered, answers) = mpsc::channel();
        scope.spawn(move || load(&address, usize::MAX, &|| _ = answered.send(())));
        let before = answers.iter().take(BEFORE).count();
        gateway.kill();
        before + answers.iter().count()
    });
    assert!(answers >= BEFORE);
    let said = replay(folder.path(), "killed");
    say(&format!("killed gateway: {answers} answers; {}", said.trim_end()));
    assert!(said.contains("same decisions"), "{said}");
    assert!(steps(&said) >= BEFORE, "what was written is there: {said}");
}

/// The steps that a replay tells of.
fn steps(said: &str) -> usize {
    let before = said.split(" steps").next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// When a client leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leaves {
    /// After the first token of a stream.
    WhileStreaming,
    /// Before the first token, with a long prompt.
    WhilePrefilling,
    /// Before an answer that comes as a whole.
    BeforeTheWhole,
}

/// Asks for an answer that takes a host a minute, leaves, and asks for one token; gives the time until that comes.
fn leave(address: &str, how: Leaves) -> Duration {
    let words = if how == Leaves::WhilePrefilling { 100 } else { 1 };
    let numbers: String = (1..=words).map(|number| format!("{number} ")).collect();
    let stream = how != Leaves::BeforeTheWhole;
    let long = format!(
        "{{\"model\":\"smollm2:135m\",\"prompt\":\"{numbers}Write a very long story about a lighthouse.\",\
         \"stream\":{stream},\"options\":{{\"num_predict\":4000,\"temperature\":0}}}}"
    );
    let mut connection = http::send(address, "POST", "/api/generate", &[], Some(&long)).expect("it is sent");
    let mut first = [0; 1];
    if how == Leaves::WhileStreaming {
        connection.read_exact(&mut first).expect("a first byte");
    } else {
        // Long enough for the host to work on it, and nothing comes.
        connection.set_read_timeout(Some(Duration::from_millis(300))).expect("a time");
        let nothing = connection.read_exact(&mut first);
        assert!(nothing.is_err(), "{how:?}: the answer began before the client left");
    }
    drop(connection);
    let left = Instant::now();
    http::post(
        address,
        "/api/generate",
        "{\"model\":\"smollm2:135m\",\"prompt\":\"1\",\"raw\":true,\"stream\":false,\"options\":{\"num_predict\":1}}",
    );
    left.elapsed()
}

#[test]
fn host_is_free_again_soon_after_a_client_left() {
    let Some(installed) = installed("clients that leave") else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for version in VERSIONS {
        let host = real_host(&installed, version, folder.path(), version);
        let log = format!("gateway-{version}");
        let mut gateway = gateway(folder.path(), &log, &[&host]);
        http::post(&host.address, "/api/generate", "{\"model\":\"smollm2:135m\"}");
        for how in [Leaves::WhileStreaming, Leaves::WhilePrefilling, Leaves::BeforeTheWhole] {
            let directly = leave(&host.address, how);
            let through = leave(&gateway.address, how);
            say(&format!(
                "clients that leave, {version}, {how:?}: the next answer after {} ms directly, {} ms through the gateway",
                directly.as_millis(),
                through.as_millis()
            ));
            // The answer that nobody waits for takes a minute.
            assert!(
                through < directly + Duration::from_secs(10),
                "{how:?}: {through:?}, directly {directly:?}"
            );
        }
        assert_eq!(gateway.interrupt(), Some(0), "{}", gateway.said());
        assert_eq!(counted(&gateway.said(), "cancelled"), 3, "{}", gateway.said());
    }
}
