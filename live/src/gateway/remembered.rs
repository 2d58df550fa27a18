//! What answers had taught before a restart, out of the decision log: its last segment opens with a snapshot of all that was known,
//! and the steps after it tell the rest. Serving never fails for want of it.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use control::door::Input;
use control::facts::Facts;
use control::facts::learned::{Learned, NewIds};
use control::ids::{HostId, ModelId, TenantId};
use control::log::Record;
use control::replay::Replay;
use traces::log::{SegmentReader, segment_files};

use super::config::HostEntry;
use super::control_task::ControlTask;

/// Steps after the snapshot that are gone through: some tenths of a second at the start. What a longer segment taught after them is
/// learned again.
const STEPS_MAX: u64 = 200_000;

/// What was known at the end of the log in a folder; `None` where nothing fits, which is told in a log line.
pub(super) fn read(folder: &Path) -> Option<Facts> {
    let unfit = |why: &dyn Display| {
        tracing::info!(folder = %folder.display(), %why, "nothing was taken over from the decision log");
        None
    };
    if !folder.is_dir() {
        return None;
    }
    let files = match segment_files(folder) {
        Ok(files) => files,
        Err(error) => return unfit(&error),
    };
    let mut why = None;
    // The last may be torn where its snapshot stands.
    for file in files.iter().rev().take(2) {
        // What an older program wrote may hold what this one takes for impossible.
        match catch_unwind(AssertUnwindSafe(|| read_segment(file))) {
            Ok(Ok(facts)) => return Some(facts),
            Ok(Err(error)) => why = why.or(Some(error)),
            Err(_) => why = why.or(Some("its steps cannot be taken again".to_owned())),
        }
    }
    why.and_then(|why| unfit(&why))
}

fn read_segment(file: &Path) -> Result<Facts, String> {
    let reader = SegmentReader::open(file).map_err(|error| error.to_string())?;
    let mut replay = Replay::new();
    for record in reader {
        let Ok(record) = record else { break };
        let record = match Record::decode(&record.payload) {
            Ok(record) => record,
            Err(error) if replay.control().is_none() => return Err(error.to_string()),
            Err(_) => break,
        };
        match &record {
            Record::Open { version, .. } if version != env!("CARGO_PKG_VERSION") => {
                return Err(format!("version {version} wrote it, this is {}", env!("CARGO_PKG_VERSION")));
            }
            // Control as before the gap is all that there is.
            Record::Gap { .. } => break,
            Record::Open { .. } | Record::Step { .. } => {}
        }
        if replay.feed(record).is_err() || replay.progress().steps >= STEPS_MAX {
            break;
        }
    }
    let facts = replay.control().map(|control| control.facts().clone());
    facts.ok_or_else(|| "it holds no whole snapshot".to_owned())
}

/// Tells control what of it concerns its hosts, by their names and those of models and tenants.
pub(super) fn take_over(task: &mut ControlTask, facts: &Facts, hosts: &[HostEntry]) {
    let mut ids = NewIds::default();
    for (old, model) in (0..).map(ModelId).zip(&facts.models).filter(|(_, model)| model.answers > 0) {
        if let Some(new) = task.model(&model.name) {
            ids.models.insert(old, new);
        }
    }
    for (old, tenant) in (0..).map(TenantId).zip(&facts.tenants) {
        ids.tenants.insert(old, task.tenant(tenant));
    }
    for (new, host) in (0..).map(HostId).zip(hosts) {
        // The last of that name: one that was taken out before may have been another machine.
        let named = facts.hosts.iter().rposition(|known| known.declaration.name == host.declaration.name);
        ids.hosts.extend(named.map(|old| (HostId(old as u32), new)));
    }
    let learned = Learned::of(facts, &ids);
    if learned.is_empty() {
        return;
    }
    let (hosts, models) = (learned.hosts_len(), learned.models_len());
    task.step(Input::Remembered(Box::new(learned)));
    tracing::info!(
        hosts,
        models,
        "what answers taught before the restart was taken over from the decision log"
    );
}
