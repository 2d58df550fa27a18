//! What happened to models and hosts besides requests, a line each.

use traces::record::Moved;

use super::format::{count, seconds};
use super::table::Table;
use crate::summary::{Summary, Synced};

/// Adds a line for each thing that there is.
pub(super) fn rows(summary: &Summary, table: &mut Table) {
    for row in &summary.actions {
        let took = row.seconds_mean.map(|took| format!(", {} each", seconds(took))).unwrap_or_default();
        let text = format!(
            "{} asked for, {} done{took}, {} failed",
            count(row.asked),
            count(row.done),
            count(row.failed)
        );
        table.row([&format!("action {}", row.kind), &text]);
    }
    if let Some(moved) = &summary.moved {
        table.row(["moved", &moved_text(moved)]);
    }
    if let Some(sync) = &summary.sync {
        table.row(["contents", &sync_text(sync)]);
    }
    for row in &summary.faults {
        let text = format!("{} began, felt {} times", count(row.began), count(row.felt));
        table.row([&format!("fault {}", row.kind), &text]);
    }
}

fn moved_text(moved: &Moved) -> String {
    format!(
        "{} out of the registry, {} host to host, {} into the registry; hosts had {} of {} already",
        bytes(moved.registry_bytes),
        bytes(moved.peer_bytes),
        bytes(moved.pushed_bytes),
        bytes(moved.spared_bytes),
        bytes(moved.wanted_bytes)
    )
}

fn sync_text(sync: &Synced) -> String {
    let times: u64 = sync.conflicts.iter().map(|row| row.times).sum();
    let kinds: Vec<String> =
        sync.conflicts.iter().map(|row| format!("{} {}", count(row.times), row.kind)).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let took = match (sync.converge_seconds_mean, sync.converge_seconds_max) {
        (Some(mean), Some(max)) => format!(" in {} on average, {} at most", seconds(mean), seconds(max)),
        _ => String::new(),
    };
    format!(
        "{} conflicts{kinds}, {} converged{took}; {} requests served by old contents",
        count(times),
        count(sync.converged),
        count(sync.stale_serves)
    )
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
