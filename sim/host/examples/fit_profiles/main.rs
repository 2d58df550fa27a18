//! Rewrites the measured profiles under `sim/host/profiles/fitted` from the measurements in the folder that
//! `HERDER_DATA` names (default: `../shared/data` beside the repository).
//!
//! ```text
//! cargo run -p sim-host --example fit_profiles              rewrites the files and prints fit errors
//! cargo run -p sim-host --example fit_profiles -- --check   exits 1 if a file differs from what it would write
//! ```
//!
//! The same data gives the same bytes: sums run in file order, and only + − × ÷ are used on floats.

mod fits;

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let data = fits::data_folder();
    if !data.is_dir() {
        eprintln!("no measurements at {}: set HERDER_DATA", data.display());
        return ExitCode::FAILURE;
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("profiles/fitted");
    let check = env::args().any(|argument| argument == "--check");
    let mut differing = 0;
    for fitted in fits::all(&data) {
        let path = folder.join(fitted.file_name());
        let text = fitted.to_toml();
        println!(
            "{}\n  fit error: {}\n  held out:  {}",
            fitted.file_name(),
            fitted.fit_error,
            fitted.held_out
        );
        println!("  {}", fitted.beside_roofline());
        if fs::read_to_string(&path).is_ok_and(|before| before == text) {
            continue;
        }
        if check {
            println!("  differs from {}", path.display());
            differing += 1;
        } else if let Err(error) = write(&path, &text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if differing > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Writes beside the target, then renames.
fn write(path: &std::path::Path, text: &str) -> io::Result<()> {
    let partial = path.with_extension("toml.partial");
    fs::write(&partial, text)?;
    fs::rename(&partial, path)
}
