//! Models that move between two real hosts and a real registry.

use std::time::Instant;

use super::fleet::{Fleet, admin_of, get, until};
use super::http;
use super::process::{Process, installed, replay, say};
use crate::{NEWER, turn};

#[test]
fn a_changed_tag_and_a_conflict_converge_on_two_real_hosts() {
    let Some(installed) = installed("contents that differ") else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(fleet) = Fleet::start(&installed, NEWER, folder.path()) else { return };
    let (name, registry) = (fleet.name("tiny"), &fleet.registry.address);
    let temperature = |host: usize| {
        let asked = format!("{{\"model\":{name:?}}}");
        let shown = http::post(&fleet.hosts[host].address, "/api/show", &asked);
        ["0.5", "0.7", "0.9"].into_iter().find(|of| shown.contains(&format!(" {of}")))
    };
    fleet.publish(0, "tiny", "smollm2:135m", 0.5);
    let pull = format!("{{\"model\":{name:?},\"insecure\":true,\"stream\":false}}");
    for host in &fleet.hosts {
        assert!(http::post(&host.address, "/api/pull", &pull).contains("success"));
    }
    for policy in ["registry", "last-writer"] {
        let control = format!(
            "[control.sync]\nact = true\nmanage = [{name:?}]\nregistries = [{registry:?}]\npolicy = {policy:?}\n\
             allow_push = true"
        );
        if policy == "registry" {
            // A changed tag: the second host has the one before. (The gateway comes later, or it would see the first host's new content
            // before it is pushed, and take it for one that differs from the registry's.)
            fleet.publish(0, "tiny", "smollm2:135m", 0.7);
        }
        let mut gateway = fleet.gateway(folder.path(), policy, &control);
        let admin = admin_of(&gateway);
        let converged = |of: &str| {
            until("both hosts have the right content", || {
                let seen = get(&admin, "/api/v1/placement");
                let same =
                    seen["contents"][0]["conflict"].is_null() && !seen["contents"][0]["right"].is_null();
                (same && [0, 1].iter().all(|host| temperature(*host) == Some(of))).then_some(())
            });
        };
        let began = Instant::now();
        if policy == "registry" {
            converged("0.7");
        } else {
            // A conflict: somebody makes another content on the second host, and tells nobody.
            fleet.create(1, "tiny", 0.9);
            converged("0.9");
        }
        say(&format!(
            "contents that differ, {policy}: the same after {:.1} s",
            began.elapsed().as_secs_f64()
        ));
        assert_eq!(gateway.interrupt(), Some(0), "{}", gateway.said());
        let said = replay(folder.path(), policy);
        assert!(said.contains("same decisions"), "{said}");
    }
}

#[test]
fn placement_brings_a_model_from_a_registry_to_a_second_host_and_sees_it_change() {
    let Some(installed) = installed("models that move") else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(fleet) = Fleet::start(&installed, NEWER, folder.path()) else { return };
    fleet.publish(0, "tiny", "smollm2:135m", 0.5);
    let (name, registry) = (fleet.name("tiny"), &fleet.registry.address);
    let control = format!(
        "[control.placement]\nstrategy = \"static\"\nact = true\nmanage = [{name:?}]\nallow_pull = true\n\
         pull_from = [{registry:?}]\nreplicas_min = 2\ninterval_seconds = 1\nresidency_min_seconds = 0"
    );
    let mut gateway = fleet.gateway(folder.path(), "moving", &control);
    let began = Instant::now();
    for host in &fleet.hosts {
        until("both hosts have it in memory", || {
            get(&host.address, "/api/ps").to_string().contains(&name).then_some(())
        });
    }
    say(&format!("models that move: pulled and loaded after {:.1} s", began.elapsed().as_secs_f64()));
    let admin = admin_of(&gateway);
    let digest = |host: &Process| {
        let tags = get(&host.address, "/api/tags");
        let models = tags["models"].as_array().cloned().unwrap_or_default();
        let model = models.into_iter().find(|model| model["name"] == *name);
        model.map(|model| model["digest"].as_str().unwrap_or_default().to_owned())
    };
    // A host lists by the digest of the registry's manifest what it pulled; what it has made itself, by one of its own.
    let published = |digest: Option<String>| {
        until("the registry's content is known", || {
            let seen = get(&admin, "/api/v1/placement");
            let published = seen["published"][0].clone();
            (digest.is_none() || published["digest"].as_str() != digest.as_deref()).then_some(published)
        })
    };
    let first = published(None);
    assert_eq!(first["digest"].as_str().map(str::to_owned), digest(&fleet.hosts[1]));
    let asked = format!("{{\"model\":{name:?},\"prompt\":\"1\",\"options\":{{\"num_predict\":1}}}}");
    for _ in 0..4 {
        http::post(&gateway.address, "/api/generate", &asked);
    }
    let hosts = get(&admin, "/api/v1/hosts");
    for host in hosts["hosts"].as_array().expect("a list") {
        assert!(host["dispatches"].as_u64() > Some(0), "both serve: {hosts}");
    }
    fleet.publish(0, "tiny", "smollm2:135m", 0.7);
    let second = published(digest(&fleet.hosts[1]));
    assert!(second["differs_on"].to_string().contains("host-1"), "{second}");
    assert_eq!(gateway.interrupt(), Some(0), "{}", gateway.said());
    let said = replay(folder.path(), "moving");
    assert!(said.contains("same decisions"), "{said}");
}
