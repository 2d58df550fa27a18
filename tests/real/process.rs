//! Real hosts, emulated hosts and gateways as processes of the test, which end with it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Where tests/real/install.sh installs when nothing else is said.
const FOLDER: &str = "target/real-ollama";
/// Longest time until a process says where it listens.
const START: Duration = Duration::from_secs(60);

/// What tests/real/install.sh installed.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    pub(crate) folder: PathBuf,
}

/// The folder that `HERDER_REAL_OLLAMA` names, else target/real-ollama where it is there. `None` says on standard error
/// why `test` is skipped. An empty `HERDER_REAL_OLLAMA` skips; one that names a folder without hosts is a mistake.
pub(crate) fn installed(test: &str) -> Option<Installed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("HERDER_REAL_OLLAMA");
    let skip = |why: &str| {
        say(&format!("{test}: skipped, {why}"));
        None
    };
    let folder = match &named {
        Some(name) if name.is_empty() => return skip("HERDER_REAL_OLLAMA is empty"),
        Some(name) => root.join(name),
        None => root.join(FOLDER),
    };
    let complete = ["stamps/ollama-0.10.1", "stamps/ollama-0.24.0", "stamps/models"];
    match complete.iter().find(|file| !folder.join(file).is_file()) {
        None => Some(Installed { folder }),
        Some(_) if named.is_none() => skip(&format!("no {FOLDER}: run tests/real/install.sh")),
        Some(file) => panic!("{} lacks {file}: run tests/real/install.sh", folder.display()),
    }
}

/// Writes a line that the test harness does not swallow.
pub(crate) fn say(line: &str) {
    // In one piece, so that nothing comes between. Where standard error is closed nobody reads it.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// A process that ends with the test.
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
    readers: Vec<JoinHandle<()>>,
    /// `host:port`.
    pub(crate) address: String,
}

impl Process {
    /// Starts a command and reads its output until a line holds `before`, after which its address stands. The rest of
    /// the output goes to a file.
    pub(crate) fn start(mut command: Command, output: &Path, on_stdout: bool, before: &'static str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (said, heard) = mpsc::channel();
        let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("piped"));
        let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("piped"));
        let (spoken, other) = if on_stdout { (stdout, stderr) } else { (stderr, stdout) };
        let mut file = fs::File::create(output).expect("the folder can be written");
        let mut second = file.try_clone().expect("a file can be cloned");
        let listening = std::thread::spawn(move || {
            let mut spoken = BufReader::new(spoken);
            let mut line = String::new();
            while spoken.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                // The test has gone on, or the folder is gone with it.
                let _ = file.write_all(line.as_bytes());
                if let Some(rest) = line.split(before).nth(1) {
                    let address = rest.split([' ', '"', '\n']).next().unwrap_or_default();
                    let _ = said.send(address.to_owned());
                }
                line.clear();
            }
        });
        let copying = std::thread::spawn(move || drop(io::copy(&mut { other }, &mut second)));
        let address = heard.recv_timeout(START);
        let process = Self {
            child,
            output: output.to_owned(),
            readers: vec![listening, copying],
            address: address.clone().unwrap_or_default(),
        };
        if address.is_err() {
            panic!("{command:?} does not say where it listens: {}", process.said());
        }
        process
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(done.expect("kill runs").success());
    }

    /// Asks it to end; gives its exit code.
    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        self.signal("-INT");
        let ended = self.child.wait().expect("the child ends").code();
        for reader in self.readers.drain(..) {
            reader.join().expect("reading does not panic");
        }
        ended
    }

    /// What it has written, all of it once it was interrupted.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Ends it at once, as a lost power supply would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("the child ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A host must end its runners, so it is asked; where the test went well it has ended already.
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("-TERM");
            let _ = self.child.wait();
        }
    }
}

/// A real host of a version, with a home and a list of models of its own; the weights are those that are installed.
pub(crate) fn real_host(installed: &Installed, version: &str, folder: &Path, name: &str) -> Process {
    lay(&installed.folder.join("models"), &folder.join(name).join("models"))
        .expect("the folder can be written");
    host(installed, version, &folder.join(name))
}

/// One without models.
pub(crate) fn empty_host(installed: &Installed, version: &str, folder: &Path, name: &str) -> Process {
    fs::create_dir(folder.join(name)).expect("the folder can be written");
    host(installed, version, &folder.join(name))
}

fn host(installed: &Installed, version: &str, home: &Path) -> Process {
    let models = home.join("models");
    let mut command = Command::new(installed.folder.join(format!("bin/ollama-{version}")));
    // Nothing of the test's own environment reaches the host: no proxy, no settings of the user's.
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("OLLAMA_MODELS", &models)
        .env("OLLAMA_HOST", "127.0.0.1:0")
        .env("OLLAMA_NUM_PARALLEL", "1")
        .env("OLLAMA_NOPRUNE", "1")
        .env("OLLAMA_NO_CLOUD", "1")
        .arg("serve");
    Process::start(command, &home.join("output.txt"), false, "Listening on ")
}

/// Lays out a folder of models as another: manifests copied, blobs linked.
fn lay(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, target) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            lay(&path, &target)?;
        } else if from.ends_with("blobs") {
            symlink(path.canonicalize()?, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// An emulated host with the models of the real ones.
pub(crate) fn emulated_host(version: &str, folder: &Path) -> Process {
    let rules = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
    let mut command = herder(folder);
    command.args(["host", "--profile", "rtx-4090", "--listen", "127.0.0.1:0", "--ollama-version", rules]);
    command.args(["--model", "gemma3:270m", "--model", "smollm2:135m"]);
    Process::start(command, &folder.join("emulated.txt"), true, "http://")
}

/// A gateway in front of hosts with one slot each. Its files are `NAME.toml`, the decision log `NAME`.
pub(crate) fn gateway(folder: &Path, name: &str, hosts: &[&Process]) -> Process {
    // Asked often, so that what a host tells reaches clients soon.
    let mut config = format!("[serve]\nlisten = \"127.0.0.1:0\"\npoll_millis = 100\nlog_dir = \"{name}\"\n");
    for (index, host) in hosts.iter().enumerate() {
        config.push_str(&format!(
            "[[serve.hosts]]\nname = \"host-{index}\"\nurl = \"http://{}\"\nslots = 1\n",
            host.address
        ));
    }
    config.push_str("[control]\nbalancer = \"least-connections\"\n");
    gateway_on(folder, name, &config)
}

/// A gateway on a config's text, in a file `NAME.toml`.
pub(crate) fn gateway_on(folder: &Path, name: &str, config: &str) -> Process {
    let file = format!("{name}.toml");
    fs::write(folder.join(&file), config).expect("the folder can be written");
    let mut command = herder(folder);
    command.args(["serve", "--config", &file]);
    Process::start(command, &folder.join(format!("{name}.txt")), true, "http://")
}

/// The program, in a folder.
pub(crate) fn herder(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_herder"));
    command.current_dir(folder);
    command
}

/// Replays a decision log; gives what the program says.
pub(crate) fn replay(folder: &Path, log: &str) -> String {
    let Output { status, stdout, stderr } =
        herder(folder).args(["replay", log]).output().expect("the program starts");
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(0), "{said}");
    said
}
