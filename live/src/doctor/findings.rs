//! What the answers mean.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Answers, Finding, Grade, Model};
use crate::gateway::HostEntry;
use crate::wire::name;

/// Versions that herder is tested against, as (major, minor): the first and the last.
const TESTED: [(u32, u32); 2] = [(0, 10), (0, 24)];
/// A small answer over a network that is well takes less, in milliseconds.
const SLOW_MILLIS: u64 = 250;

struct Report(Vec<Finding>);

impl Report {
    fn add(&mut self, grade: Grade, host: &HostEntry, text: impl Into<String>) {
        self.0.push(Finding { grade, host: Some(host.declaration.name.clone()), text: text.into() });
    }

    fn fleet(&mut self, grade: Grade, text: String) {
        self.0.push(Finding { grade, host: None, text });
    }
}

/// All that is to be said, host by host in the order of the config, then of the fleet. `answers` are in the same order.
#[must_use]
pub fn examine(hosts: &[HostEntry], answers: &[Answers]) -> Vec<Finding> {
    let mut report = Report(Vec::new());
    for (host, answers) in hosts.iter().zip(answers) {
        match &answers.version {
            Err(why) => report.add(
                Grade::Problem,
                host,
                format!("cannot be reached at {}: {why}. Is Ollama running there, and is OLLAMA_HOST set to an address that this machine can reach?", host.authority),
            ),
            Ok((version, millis)) => {
                version_found(&mut report, host, version, *millis);
                bypass(&mut report, host, answers.answers_strangers);
                lists(&mut report, host, answers);
            }
        }
    }
    addresses(&mut report, hosts);
    models(&mut report, hosts, answers);
    if !report.0.iter().any(|finding| finding.grade > Grade::Good) {
        report.fleet(Grade::Good, "nothing to complain about".to_owned());
    }
    report.0
}

fn version_found(report: &mut Report, host: &HostEntry, version: &str, millis: u64) {
    let numbers: Vec<u32> = version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect();
    let [first, last] = TESTED.map(|(major, minor)| format!("{major}.{minor}"));
    match numbers[..] {
        [0, 0, 0] | [] => report.add(
            Grade::Warning,
            host,
            format!("says that its version is {version:?}: built from source. herder is tested with {first} to {last}"),
        ),
        [major, minor, ..] if (TESTED[0]..=TESTED[1]).contains(&(major, minor)) => {
            report.add(Grade::Good, host, format!("Ollama {version} answers in {millis} ms"));
        }
        _ => report.add(
            Grade::Warning,
            host,
            format!("runs Ollama {version}; herder is tested with {first} to {last}: the rules of its scheduler may differ"),
        ),
    }
    if millis > SLOW_MILLIS {
        report.add(Grade::Warning, host, format!("takes {millis} ms to tell its version: busy, or far away"));
    }
}

/// A client that reaches a host itself takes slots that herder believes free, and needs no key.
fn bypass(report: &mut Report, host: &HostEntry, answers_strangers: bool) {
    let local = host.authority.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    if !local && answers_strangers {
        report.add(
            Grade::Warning,
            host,
            format!("whoever reaches {} can use it without herder, and without a key: let a firewall admit this machine alone", host.authority),
        );
    }
}

fn lists(report: &mut Report, host: &HostEntry, answers: &Answers) {
    let declaration = &host.declaration;
    match &answers.stored {
        None => report.add(
            Grade::Problem,
            host,
            "does not list its models (/api/tags): no request will be sent there",
        ),
        Some(stored) if stored.is_empty() => {
            report.add(
                Grade::Warning,
                host,
                "has no model on disk: no request will be sent there until it has pulled one",
            );
        }
        Some(stored) => {
            for model in stored.iter().filter(|model| is_forwarded(model)) {
                report.add(
                    Grade::Warning,
                    host,
                    format!("{} forwards prompts to a cloud service; herder refuses it unless serve.allow_cloud_models is set", model.name),
                );
            }
        }
    }
    let Some(loaded) = &answers.loaded else {
        return report.add(Grade::Warning, host, "does not list what it has in memory (/api/ps)");
    };
    let vram: u64 = loaded.iter().map(|model| model.size_vram).sum();
    if declaration.memory.0 > 0 && vram > declaration.memory.0 {
        report.add(
            Grade::Problem,
            host,
            format!(
                "has {} of models on its GPUs, more than the {} that memory_gib declares",
                gib(vram),
                gib(declaration.memory.0)
            ),
        );
    }
    for model in loaded.iter().filter(|model| model.size > 0 && model.size_vram < model.size) {
        // Without a GPU all of it is meant to be in memory.
        let on_gpu = model.size_vram * 100 / model.size;
        if on_gpu > 0 || !declaration.gpu.is_empty() {
            report.add(
                Grade::Warning,
                host,
                format!("{} is only {on_gpu} % on its GPUs ({} of {}): it will be slow; a smaller num_ctx or fewer slots may help", model.name, gib(model.size_vram), gib(model.size)),
            );
        }
    }
    if declaration.context_tokens > 0 {
        for model in
            loaded.iter().filter(|model| model.context_length > u64::from(declaration.context_tokens))
        {
            report.add(
                Grade::Warning,
                host,
                format!(
                    "{} is loaded with a context of {} tokens, more than the {} that context_tokens declares",
                    model.name, model.context_length, declaration.context_tokens
                ),
            );
        }
    }
}

fn is_forwarded(model: &Model) -> bool {
    !model.remote_host.is_empty() || name::is_cloud(&model.name)
}

/// One machine declared twice gets twice its share.
fn addresses(report: &mut Report, hosts: &[HostEntry]) {
    let mut known = BTreeMap::new();
    for host in hosts {
        if let Some(first) = known.insert(host.authority.as_str(), &host.declaration.name) {
            report.add(
                Grade::Problem,
                host,
                format!("has the same address as {first}: each would get requests for both"),
            );
        }
    }
}

/// Models that stand on one host only, or differ from host to host.
fn models(report: &mut Report, hosts: &[HostEntry], answers: &[Answers]) {
    let mut by_name: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (host, answers) in hosts.iter().zip(answers) {
        for model in answers.stored.iter().flatten() {
            by_name.entry(&model.name).or_default().push((&host.declaration.name, &model.digest));
        }
    }
    let (mut lonely, mut differing) = (Vec::new(), Vec::new());
    for (name, places) in &by_name {
        if let [(host, _)] = places[..] {
            lonely.push(format!("{name} ({host})"));
        }
        if places.iter().any(|place| place.1 != places[0].1) {
            differing.push(*name);
        }
    }
    if hosts.len() > 1 && !lonely.is_empty() {
        report.fleet(Grade::Warning, format!("on one host only, so gone with it: {}", lonely.join(", ")));
    }
    if !differing.is_empty() {
        report.fleet(
            Grade::Warning,
            format!(
                "not the same content on all hosts, so answers depend on the host: {}",
                differing.join(", ")
            ),
        );
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1_u32 << 30))
}

#[cfg(test)]
mod tests;
