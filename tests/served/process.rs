//! The program as a process of the test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts the program and waits until it says where it listens.
    pub(crate) fn start(folder: &Path, args: &[&str], stderr: Stdio) -> (Self, String) {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_herder")).args(args), folder, stderr)
    }

    /// Starts it by a command of one's own.
    pub(crate) fn spawn(command: &mut Command, folder: &Path, stderr: Stdio) -> (Self, String) {
        let mut child = command
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("the first line is text");
        let address = line.split("http://").nth(1).unwrap_or_else(|| panic!("no address in {line:?}"));
        (Self(child), address.split_whitespace().next().unwrap_or_default().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
