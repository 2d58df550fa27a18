//! `herder trace fetch`: public traces from where they are published, checked by their SHA-256.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use control::digest::Digest;
use live::fetch::{Wanted, fetch};
use traces::known::{KNOWN, Known};

use crate::cli::progress::Progress;
use crate::cli::{print, table};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Which trace; --list shows all
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// The file to write; its own name in this folder where absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Fetch it from a mirror; what comes must be the same file
    #[arg(long)]
    url: Option<String>,
    /// Show the traces that can be fetched
    #[arg(long, conflicts_with_all = ["name", "out", "url"])]
    list: bool,
}

pub(super) fn main(args: &Args) -> Result<()> {
    let Some(name) = args.name.as_deref() else {
        print(&list())?;
        return Ok(());
    };
    let Some(known) = Known::find(name) else {
        let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
        bail!("found no trace {name:?}, expected one of {}", names.join(", "));
    };
    let sha256: Digest = known.sha256.parse().context("the list of traces holds no SHA-256")?;
    let url = args.url.as_deref().unwrap_or(known.url);
    let target = args.out.clone().unwrap_or_else(|| known.file().into());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let mut progress = Progress::new();
    let mut told = |bytes: u64| {
        let message = |_| format!("{} of {} MB", bytes / 1_000_000, known.bytes.div_ceil(1_000_000));
        progress.show(bytes, Some(known.bytes), message);
    };
    let fetched = runtime.block_on(fetch(Wanted { url, sha256, bytes: known.bytes }, &target, &mut told));
    progress.finish();
    fetched?;
    let (target, bytes) = (target.display(), known.bytes);
    print(&format!("{bytes} bytes in {target} ({}, licence {})\n", known.format, known.licence))?;
    Ok(())
}

fn list() -> String {
    let row = |known: &Known| {
        let kilobytes = format!("{} kB", known.bytes.div_ceil(1_000));
        [known.name, known.format.name(), &kilobytes, known.licence, known.url].map(str::to_owned).to_vec()
    };
    let rows: Vec<Vec<String>> = KNOWN.iter().map(row).collect();
    table(&["name", "format", "size", "licence", "from"], &rows)
}
