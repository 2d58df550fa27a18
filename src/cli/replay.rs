//! `herder replay`: control decides again on what it was told, and must decide the same.

use std::path::PathBuf;

use anyhow::{Context, Result};
use control::log::Record;
use control::replay::{Difference, Replay};
use traces::log::LogReader;

use super::{Ending, print};

/// Feed a decision log through the control plane again and demand the same decisions
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder run --out results --log && herder replay results/decisions
  herder replay gateway-log || echo \"exit code $?: 3 where control decided otherwise\"")]
pub(super) struct Args {
    /// A decision log: a folder of segments, or one of them
    log: PathBuf,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let mut reader = LogReader::open(&args.log)?;
    let mut replay = Replay::new();
    let mut written_by = String::new();
    for record in reader.by_ref() {
        let record = record?;
        let place = || format!("{}: segment {}, byte {}", args.log.display(), record.segment, record.offset);
        let decoded = Record::decode(&record.payload).map_err(anyhow::Error::msg).with_context(place)?;
        if let Record::Open { version, .. } = &decoded {
            written_by.clone_from(version);
        }
        if let Err(difference) = replay.feed(decoded) {
            print(&told(&difference, &place(), &written_by))?;
            return Ok(Ending::Differs);
        }
    }
    let progress = replay.progress();
    if progress.segments == 0 {
        let torn = reader.truncated().map_or(0, |torn| torn.bytes);
        let path = args.log.display();
        anyhow::bail!(
            "{path}: found no whole record ({torn} bytes of a torn one), expected a snapshot and steps after it"
        );
    }
    let mut text = format!(
        "same decisions: {} outputs of {} steps in {} segments\n",
        progress.outputs, progress.steps, progress.segments
    );
    if progress.gaps > 0 {
        text.push_str(&format!(
            "{} gaps: {} steps were never written, {} after them could not be replayed\n",
            progress.gaps, progress.steps_lost, progress.steps_skipped
        ));
    }
    if let Some(torn) = reader.truncated() {
        text.push_str(&format!("the log ends in a torn record: {} bytes left out\n", torn.bytes));
    }
    print(&text)?;
    Ok(Ending::Done)
}

fn told(difference: &Difference, place: &str, written_by: &str) -> String {
    let mut text = format!(
        "first difference at step {}, {}\n  {place}\n  in:       {:?}\n",
        difference.step, difference.now, difference.input
    );
    let most = difference.recorded.len().max(difference.replayed.len());
    for index in 0..most {
        let shown = |outputs: &[control::door::Output]| {
            outputs.get(index).map_or("nothing".to_owned(), |output| format!("{output:?}"))
        };
        let (recorded, replayed) = (shown(&difference.recorded), shown(&difference.replayed));
        if recorded == replayed {
            text.push_str(&format!("  both:     {recorded}\n"));
        } else {
            text.push_str(&format!("  recorded: {recorded}\n  replayed: {replayed}\n"));
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    if written_by != version {
        text.push_str(&format!("the log was written by version {written_by}, this is {version}\n"));
    }
    text
}
