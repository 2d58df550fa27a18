//! What happened to models and hosts besides requests, a line each.

use control::facts::sync::GossipCounts;
use traces::record::Moved;

use super::format::{count, seconds};
use super::table::Table;
use crate::summary::{ConflictRow, Energy, HostHours, LayerRow, Summary, Synced, TrafficSummary};

/// Models of which more was moved than of others that are named.
const MODELS_TOP: usize = 3;

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
    if let Some(hours) = &summary.host_hours {
        table.row(["hosts on", &host_hours_text(hours)]);
    }
    if let Some(energy) = &summary.energy {
        table.row(["energy", &energy_text(energy)]);
        table.row(["", &energy.rests_on]);
    }
    if let Some(moved) = &summary.moved {
        table.row(["moved", &moved_text(moved)]);
    }
    if let Some(traffic) = summary.traffic.as_ref().filter(|traffic| traffic.layers.transfers > 0) {
        links(traffic, table);
        table.row(["layers", &layers_text(traffic)]);
    }
    if let Some(sync) = &summary.sync {
        table.row(["contents", &sync_text(sync)]);
        if let Some(gossip) = &sync.gossip {
            table.row(["gossip", &gossip_text(gossip)]);
        }
    }
    for row in &summary.faults {
        let text = format!("{} began, felt {} times", count(row.began), count(row.felt));
        table.row([&format!("fault {}", row.kind), &text]);
    }
}

/// `12.3 host-hours of 20.0; 24.6 on average, 40 at most; cost 31.00 of 50.00`.
fn host_hours_text(hours: &HostHours) -> String {
    let cost = match (hours.cost, hours.all_cost) {
        (Some(cost), Some(all)) => format!("; cost {cost:.2} of {all:.2}"),
        _ => String::new(),
    };
    format!(
        "{:.1} host-hours of {:.1}; {:.1} on average, {} at most{cost}",
        hours.hours, hours.all_hours, hours.on_mean, hours.on_max
    )
}

/// `1.23 kWh, 0.90 of it with nothing to compute; 12.3 J a token, 8,100 good answers a kWh; cost 0.31`.
fn energy_text(energy: &Energy) -> String {
    let token = energy.joules_per_token.map(|joules| format!("; {joules:.1} J a token")).unwrap_or_default();
    let good = energy.goodput_per_kwh.map(|good| format!(", {} good answers a kWh", count(good as u64)));
    let cost = energy.cost.map(|cost| format!("; cost {}", digits(cost))).unwrap_or_default();
    format!(
        "{} kWh, {} of it would have been drawn with nothing to compute{token}{}{cost}",
        digits(energy.kwh),
        digits(energy.idle_kwh),
        good.unwrap_or_default()
    )
}

/// Four digits behind the point for little, none for much.
fn digits(value: f64) -> String {
    match value {
        100.0.. => count(value as u64),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn moved_text(moved: &Moved) -> String {
    let lost = match moved.lost_bytes {
        0 => String::new(),
        lost => format!(", {} for nothing", bytes(lost)),
    };
    format!(
        "{} out of the registry, {} host to host, {} into the registry{lost}; hosts had {} of {} already",
        bytes(moved.registry_bytes),
        bytes(moved.peer_bytes),
        bytes(moved.pushed_bytes),
        bytes(moved.spared_bytes),
        bytes(moved.wanted_bytes)
    )
}

/// A line for each class of links: `12.0 GB over 6 links; south-1 4.0 GB, 4.1 % of what it could`.
fn links(traffic: &TrafficSummary, table: &mut Table) {
    for class in &traffic.classes {
        let busiest = traffic.links.iter().find(|link| link.class == class.class);
        let busiest = busiest.map(|link| {
            let used = format!("{:.1} % of what it could", link.used_share.unwrap_or(0.0) * 100.0);
            match link.name.as_str() {
                "" => format!(", {used}"),
                name if class.links == 1 => format!(", all of it {name}, {used}"),
                name => format!(" over {} links; {name} {}, {used}", class.links, bytes(link.bytes)),
            }
        });
        let label = match class.class {
            "zone_in" => "into zones",
            "host_in" => "into hosts",
            "host_out" => "out of hosts",
            "registry_in" => "into registry",
            _ => "out of registry",
        };
        table.row([label, &format!("{}{}", bytes(class.bytes), busiest.unwrap_or_default())]);
    }
}

fn layers_text(traffic: &TrafficSummary) -> String {
    let all = &traffic.layers;
    let of = |row: &LayerRow| format!("{} {}", row.model, bytes(row.weights_bytes + row.small_bytes));
    let mut most: Vec<String> = traffic.models.iter().take(MODELS_TOP).map(of).collect();
    let rest = traffic.models_len.saturating_sub(most.len() as u64);
    if rest > 0 {
        most.push(format!("{} more", count(rest)));
    }
    format!(
        "{} of weights, {} of templates and configs, in {} transfers, {} at once: {}",
        bytes(all.weights_bytes),
        bytes(all.small_bytes),
        count(all.transfers),
        count(traffic.under_way_max.into()),
        most.join(", ")
    )
}

fn sync_text(sync: &Synced) -> String {
    let times: u64 = sync.conflicts.iter().map(|row| row.times).sum();
    let kinds: Vec<String> = sync.conflicts.iter().map(conflict_text).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join("; ")) };
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

fn gossip_text(gossip: &GossipCounts) -> String {
    format!(
        "{} rounds, {} comparisons of two hosts by {} hashes, {}",
        count(gossip.rounds),
        count(gossip.comparisons),
        count(gossip.hashes),
        bytes(gossip.hash_bytes)
    )
}

/// `3 content: 2 pulled, 1 still open`.
fn conflict_text(row: &ConflictRow) -> String {
    let ends = row.ends.named().into_iter().filter(|(_, times)| *times > 0);
    let ends: Vec<String> = ends.map(|(how, times)| format!("{} {how}", count(times))).collect();
    format!("{} {}: {}", count(row.times), row.kind, ends.join(", "))
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
