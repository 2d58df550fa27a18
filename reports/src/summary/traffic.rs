//! What was moved, over which links and of what.

use serde::Serialize;
use traces::traffic::{LayerBytes, Link, LinkTraffic, ModelTraffic, Traffic};

use crate::metrics::MetricsSpec;
use crate::number::ratio;

/// Rows of links of a class and of models that a summary holds at most; `links.csv` and `layers.csv` have them all.
pub const TRAFFIC_ROWS_MAX: usize = 10;

/// What a link carried.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LinkRow {
    /// Its class: `registry_out`, `registry_in`, `zone_in`, `host_in` or `host_out`.
    pub class: &'static str,
    /// The zone or host; empty for the registry's.
    pub name: String,
    /// What it carries at most.
    pub mbit_per_second: u64,
    /// What it carried.
    pub bytes: u64,
    /// … of what it could have carried in the time of the run.
    pub used_share: Option<f64>,
}

/// What links of a class carried together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LinkClassRow {
    /// The class.
    pub class: &'static str,
    /// Links that carried something.
    pub links: u64,
    /// What they carried.
    pub bytes: u64,
}

/// What was moved of a layer, or of a model's layers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LayerRow {
    /// The model; empty where it is of all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Transfers, whatever became of them.
    pub transfers: u64,
    /// Bytes of weights.
    pub weights_bytes: u64,
    /// Bytes of templates, parameters and configs.
    pub small_bytes: u64,
}

/// All of it. Sums agree: out of the registry and hosts = into hosts and the registry = of all layers.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TrafficSummary {
    /// Classes of links.
    pub classes: Vec<LinkClassRow>,
    /// Links of each class with most bytes, at most [`TRAFFIC_ROWS_MAX`], most first.
    pub links: Vec<LinkRow>,
    /// All layers.
    pub layers: LayerRow,
    /// How many models something was moved of.
    pub models_len: u64,
    /// Those with most bytes, at most [`TRAFFIC_ROWS_MAX`], most first.
    pub models: Vec<LayerRow>,
    /// Most transfers under way at once.
    pub under_way_max: u32,
}

const fn class(link: &Link) -> &'static str {
    match link {
        Link::RegistryOut => "registry_out",
        Link::RegistryIn => "registry_in",
        Link::ZoneIn(_) => "zone_in",
        Link::HostIn(_) => "host_in",
        Link::HostOut(_) => "host_out",
    }
}

/// A row for each link that carried something, class by class.
#[must_use]
pub fn link_rows(traffic: &Traffic, spec: &MetricsSpec) -> Vec<LinkRow> {
    let row = |link: &LinkTraffic| LinkRow {
        class: class(&link.link),
        name: match &link.link {
            Link::RegistryOut | Link::RegistryIn => String::new(),
            Link::ZoneIn(zone) => zone.clone(),
            Link::HostIn(host) | Link::HostOut(host) => spec.host_name(*host),
        },
        mbit_per_second: link.bytes_per_second / 125_000,
        bytes: link.bytes,
        used_share: ratio(
            u128::from(link.bytes) * 1_000_000_000,
            u128::from(link.bytes_per_second) * u128::from(traffic.until.0),
            6,
        ),
    };
    traffic.links.iter().map(row).collect()
}

/// A row for each model of which something was moved, in order of id.
#[must_use]
pub fn layer_rows(traffic: &Traffic, spec: &MetricsSpec) -> Vec<LayerRow> {
    let row = |of: &ModelTraffic| layer_row(spec.model_name(of.model), of.transfers, of.bytes);
    traffic.models.iter().map(row).collect()
}

fn layer_row(model: String, transfers: u64, bytes: LayerBytes) -> LayerRow {
    LayerRow { model, transfers, weights_bytes: bytes.weights, small_bytes: bytes.small }
}

/// The rows with most bytes, most first; of equal ones the earlier.
fn most<T>(mut rows: Vec<T>, bytes: impl Fn(&T) -> u64) -> Vec<T> {
    rows.sort_by_key(|row| std::cmp::Reverse(bytes(row)));
    rows.truncate(TRAFFIC_ROWS_MAX);
    rows
}

pub(super) fn summary(traffic: &Traffic, spec: &MetricsSpec) -> TrafficSummary {
    let (mut classes, mut links) = (Vec::new(), Vec::new());
    for rows in link_rows(traffic, spec).chunk_by(|a, b| a.class == b.class) {
        classes.push(LinkClassRow {
            class: rows[0].class,
            links: rows.len() as u64,
            bytes: rows.iter().map(|row| row.bytes).sum(),
        });
        links.extend(most(rows.to_vec(), |row| row.bytes));
    }
    let sum = |of: fn(&ModelTraffic) -> u64| traffic.models.iter().map(of).sum::<u64>();
    let all = LayerBytes { weights: sum(|of| of.bytes.weights), small: sum(|of| of.bytes.small) };
    TrafficSummary {
        classes,
        links,
        layers: layer_row(String::new(), sum(|of| of.transfers), all),
        models_len: traffic.models.len() as u64,
        models: most(layer_rows(traffic, spec), |row| row.weights_bytes + row.small_bytes),
        under_way_max: traffic.bins.iter().map(|bin| bin.under_way_max).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{spec, traffic};

    #[test]
    fn classes_and_layers_add_up_and_the_busiest_links_come_first() {
        let summary = summary(&traffic(), &spec());
        let bytes = |class: &str| summary.classes.iter().find(|row| row.class == class).map(|row| row.bytes);
        let all = summary.layers.weights_bytes + summary.layers.small_bytes;
        assert_eq!(bytes("registry_out").unwrap() + bytes("host_out").unwrap(), all);
        assert_eq!(bytes("registry_in").unwrap() + bytes("host_in").unwrap(), all);
        let hosts: Vec<&LinkRow> = summary.links.iter().filter(|row| row.class == "host_in").collect();
        assert_eq!(hosts.len(), TRAFFIC_ROWS_MAX, "of {}", traffic().links.len());
        assert!(hosts.is_sorted_by(|a, b| a.bytes >= b.bytes));
        assert!(summary.models.is_sorted_by(|a, b| a.weights_bytes >= b.weights_bytes));
    }
}
