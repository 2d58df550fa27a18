//! Progress of several hosts as one: lines in Ollama's shape, whose figures are those of all hosts together.
//!
//! A layer has one size on all hosts, so its total is known for all as soon as one tells it: a client's bar, which takes
//! the first total for good, ends where it should.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::choice::Host;
use crate::gateway::progress::HostLine;

/// The last line of what went well everywhere.
pub(super) const SUCCESS: &str = "{\"status\":\"success\"}";
/// Layers that are told apart.
const LAYERS_MAX: usize = 1_024;
/// Longest digest and status that are told, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// How far all hosts are.
#[derive(Debug)]
struct Merged {
    hosts: Vec<Arc<str>>,
    layers: BTreeMap<String, Layer>,
}

#[derive(Debug)]
struct Layer {
    total: u64,
    /// By host.
    completed: Vec<u64>,
}

/// A line for the client.
#[derive(PartialEq, Debug)]
struct Line {
    value: Value,
    /// Another one like it follows soon: a client that is slow does without.
    can_miss: bool,
}

impl Merged {
    fn said(&mut self, host: usize, said: &HostLine) -> Line {
        let name = &*self.hosts[host];
        let status = match said.status.as_str() {
            // The word that ends all stands for all.
            "success" => format!("{name}: success"),
            status => cut(status).to_owned(),
        };
        let mut value = json!({ "status": status, "host": name });
        let can_miss = !said.digest.is_empty() && said.completed < said.total;
        let digest = cut(&said.digest);
        if said.total > 0 && (self.layers.len() < LAYERS_MAX || self.layers.contains_key(digest)) {
            let hosts_len = self.hosts.len();
            let layer = self.layers.entry(digest.to_owned());
            let layer = layer.or_insert_with(|| Layer { total: 0, completed: vec![0; hosts_len] });
            layer.total = layer.total.max(said.total);
            layer.completed[host] = said.completed.min(said.total);
            let completed =
                layer.completed.iter().fold(0_u64, |sum, completed| sum.saturating_add(*completed));
            if !digest.is_empty() {
                value["digest"] = digest.into();
            }
            value["total"] = layer.total.saturating_mul(hosts_len as u64).into();
            // Ollama leaves out what is zero.
            if completed > 0 {
                value["completed"] = completed.into();
            }
        }
        Line { value, can_miss }
    }

    fn failed(&self, host: usize, why: &str) -> Line {
        let name = &*self.hosts[host];
        Line { value: json!({ "status": format!("{name}: failed: {why}"), "host": name }), can_miss: false }
    }
}

/// The text, cut where it is too long.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// Tells a client how far all is.
pub(super) struct Teller {
    lines: mpsc::Sender<Bytes>,
    merged: Merged,
}

impl Teller {
    pub(super) fn new(lines: mpsc::Sender<Bytes>, hosts: &[Host]) -> Self {
        let hosts = hosts.iter().map(|host| Arc::clone(&host.name)).collect();
        Self { lines, merged: Merged { hosts, layers: BTreeMap::new() } }
    }

    /// Passes on what a host said.
    pub(super) async fn said(&mut self, host: usize, said: &HostLine) {
        let line = self.merged.said(host, said);
        self.tell(line).await;
    }

    /// Passes on that a host failed.
    pub(super) async fn failed(&mut self, host: usize, why: &str) {
        let line = self.merged.failed(host, why);
        self.tell(line).await;
    }

    async fn tell(&mut self, line: Line) {
        let text = Bytes::from(line.value.to_string() + "\n");
        // Where the client has left, whoever runs this is told so.
        if line.can_miss {
            let _ = self.lines.try_send(text);
        } else {
            let _ = self.lines.send(text).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged() -> Merged {
        Merged { hosts: vec!["a".into(), "b".into(), "c".into()], layers: BTreeMap::new() }
    }

    fn line(status: &str, digest: &str, total: u64, completed: u64) -> HostLine {
        HostLine { status: status.into(), digest: digest.into(), total, completed, error: None }
    }

    #[test]
    fn figures_are_sums_over_hosts_and_totals_stay() {
        let mut merged = merged();
        let mut told =
            |host, completed| merged.said(host, &line("pulling x", "sha256:x", 100, completed)).value;
        assert_eq!(
            told(0, 0),
            json!({ "status": "pulling x", "host": "a", "digest": "sha256:x", "total": 300 })
        );
        let figures = |value: &Value| (value["total"].as_u64(), value["completed"].as_u64());
        assert_eq!(figures(&told(0, 60)), (Some(300), Some(60)));
        assert_eq!(figures(&told(1, 100)), (Some(300), Some(160)));
        assert_eq!(figures(&told(0, 50)), (Some(300), Some(150)), "a part that is fetched again");
        assert_eq!(figures(&told(2, 900)), (Some(300), Some(250)), "no more than there is");
    }

    #[test]
    fn success_of_one_host_is_not_success() {
        let mut merged = merged();
        let said = merged.said(1, &line("success", "", 0, 0));
        assert_eq!(said.value, json!({ "status": "b: success", "host": "b" }));
        assert!(!said.can_miss);
        assert_eq!(merged.failed(2, "disk full").value["status"], "c: failed: disk full");
    }

    #[test]
    fn a_host_cannot_fill_the_memory_with_layers_or_long_words() {
        let mut merged = merged();
        for number in 0..2 * LAYERS_MAX {
            merged.said(0, &line("s", &number.to_string(), 1, 1));
        }
        assert_eq!(merged.layers.len(), LAYERS_MAX);
        let long = merged.said(0, &line(&"é".repeat(1_000), "", 0, 0));
        assert_eq!(long.value["status"].as_str().map(str::len), Some(TEXT_BYTES_MAX));
    }

    #[test]
    fn huge_figures_do_not_wrap() {
        let mut merged = merged();
        merged.said(0, &line("s", "d", u64::MAX, u64::MAX));
        let told = merged.said(1, &line("s", "d", u64::MAX, u64::MAX)).value;
        assert_eq!((told["total"].as_u64(), told["completed"].as_u64()), (Some(u64::MAX), Some(u64::MAX)));
    }
}
