//! Which hosts a management call is for: those that a header names, or all that are up; and which of them have a model.

use std::sync::Arc;

use control::ids::HostId;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName};

use super::No;
use crate::gateway::api::Shared;
use crate::gateway::copies;
use crate::gateway::hosts::Hosts;

/// Names of hosts, with commas between them.
pub(super) const HOSTS_HEADER: HeaderName = HeaderName::from_static("x-herder-hosts");

/// A host that takes part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Host {
    pub(super) id: HostId,
    pub(super) name: Arc<str>,
}

/// A host that has a model.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) host: Host,
    /// It said so just now; else it did when it was polled, and is silent now.
    pub(super) said_now: bool,
}

/// Whether the client says which hosts.
pub(super) fn is_written(headers: &HeaderMap) -> bool {
    headers.contains_key(HOSTS_HEADER)
}

/// All hosts, and whether each is up.
fn all(hosts: &Hosts) -> Vec<(Host, bool)> {
    let listed = hosts.listed().into_iter();
    listed
        .map(|(id, name, is_up)| (Host { id, name: String::from_utf8_lossy(name.as_bytes()).into() }, is_up))
        .collect()
}

/// All hosts that are up.
pub(super) fn up(hosts: &Hosts) -> Result<Vec<Host>, No> {
    let up: Vec<Host> = all(hosts).into_iter().filter(|(_, is_up)| *is_up).map(|(host, _)| host).collect();
    if up.is_empty() { Err(No::new(StatusCode::SERVICE_UNAVAILABLE, "no host is up")) } else { Ok(up) }
}

/// The hosts that are meant, in order of id.
pub(super) fn chosen(hosts: &Hosts, headers: &HeaderMap) -> Result<Vec<Host>, No> {
    if !is_written(headers) {
        return up(hosts);
    }
    let all = all(hosts);
    let mut chosen: Vec<Host> = Vec::new();
    for value in headers.get_all(HOSTS_HEADER) {
        let value = String::from_utf8_lossy(value.as_bytes());
        for name in value.split(',').map(str::trim) {
            let mut called = all.iter().filter(|(host, _)| &*host.name == name).peekable();
            if called.peek().is_none() {
                return Err(No::bad(format!("{HOSTS_HEADER}: no host is called '{name}'")));
            }
            // One that was taken out may have left its name to another.
            let Some((host, _)) = called.find(|(_, is_up)| *is_up) else {
                let message = format!("{HOSTS_HEADER}: host '{name}' does not answer");
                return Err(No::new(StatusCode::SERVICE_UNAVAILABLE, message));
            };
            if !chosen.contains(host) {
                chosen.push(host.clone());
            }
        }
    }
    chosen.sort_by_key(|host| host.id);
    Ok(chosen)
}

/// Those that have a model, in order of id. They are asked: what the last poll said may have changed.
pub(super) async fn holding(shared: &Shared, hosts: Vec<Host>, model: &str) -> Vec<Holding> {
    let ids = hosts.iter().map(|host| host.id);
    let said = copies::ask(&shared.upstream, ids, model, shared.info_timeout).await;
    let before = shared.hosts.having(model);
    let holding = hosts.into_iter().filter_map(|host| {
        let said = said.get(&host.id).copied().flatten();
        let has = said.unwrap_or_else(|| before.contains(&host.id));
        has.then_some(Holding { host, said_now: said.is_some() })
    });
    holding.collect()
}

/// Refuses where one of the hosts lacks a model.
pub(super) async fn all_hold(shared: &Shared, hosts: &[Host], model: &str) -> Result<(), No> {
    let holding = holding(shared, hosts.to_vec(), model).await;
    let lacking = hosts.iter().find(|host| holding.iter().all(|holding| holding.host.id != host.id));
    lacking.map_or(Ok(()), |host| Err(lacks(host, model)))
}

/// What is said of a host that lacks a model.
pub(super) fn lacks(host: &Host, model: &str) -> No {
    let message =
        format!("model '{model}' not found on host '{}'; {HOSTS_HEADER} chooses other hosts", host.name);
    No::new(StatusCode::NOT_FOUND, message)
}
