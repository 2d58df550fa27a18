//! Placement and sync over whole simulations: models come to where they are asked for, contents converge by every policy and mode, only
//! the layers that a host lacks are moved; both engines agree, and the log replays.

#[path = "simulated/run.rs"]
mod run;

use control::door::{Deed, StoredModel};
use control::facts::errands::Kind;
use control::replay::Replay;
use control::request::Outcome;
use control::sync::config::Mode;
use control::sync::second_name;
use run::{Case, Run};
use sim_host::profile::Catalogue;
use traces::traffic::{ConflictEnds, Link, Traffic};

/// Bytes of a template and a config: what a content moves of which only these are new.
const SMALL_BYTES: u64 = 2_560;

fn case() -> Case {
    Case::new("models-on-hosts")
}

fn done(run: &Run, kind: Kind) -> u64 {
    run.end.errands.get(&kind).map_or(0, |counts| counts.done)
}

fn all_finish(run: &Run) {
    assert!(run.records.iter().all(|record| record.outcome == Outcome::Finished));
    for counts in run.end.errands.values() {
        assert!(counts.asked >= counts.done + counts.failed, "{counts:?}");
    }
}

#[test]
fn models_are_pulled_to_where_they_are_asked_for_and_the_log_replays() {
    let run = case().run();
    all_finish(&run);
    let supply = run.end.supply.expect("there is a registry");
    assert!(done(&run, Kind::Pull) > 0 && done(&run, Kind::Load) > 0, "{:?}", run.end.errands);
    assert!(supply.registry_bytes > 0 && supply.pulled == supply.pulls, "{supply:?}");
    let mut replay = Replay::new();
    for record in run.decisions() {
        replay.feed(record).expect("the log replays to the same decisions");
    }
    assert_eq!(case().run().end.digest, run.end.digest);
}

#[test]
fn a_model_that_no_host_has_is_brought_by_its_first_request() {
    let run = case()
        .set("control.placement.strategy", "on-demand")
        .set("fleet.group[0].models", r#"["llama3.1:8b"]"#)
        .set("fleet.group[1].models", r#"["llama3.1:8b"]"#)
        .set("registry.models", r#"["qwen3:8b", "gemma3:4b", "llama3.2:3b", "gemma3:12b"]"#)
        .run();
    all_finish(&run);
    assert_eq!(done(&run, Kind::Pull), 4, "each of the four others once: {:?}", run.end.errands);
}

#[test]
fn planned_replicas_spare_loads() {
    let loads = |strategy: &str| {
        let case = case().set("control.placement.strategy", strategy).set("fleet.group[0].disk_gib", 200);
        let run = case.set("fleet.group[1].disk_gib", 200).run();
        all_finish(&run);
        run.end.last_sample.hosts.iter().map(|host| host.loads).sum::<u64>()
    };
    let on_demand = loads("on-demand");
    for strategy in ["greedy", "balanced", "rebalance", "first-fit"] {
        let planned = loads(strategy);
        println!("{strategy}: {planned} loads, on-demand {on_demand}");
        assert!(planned < on_demand, "{strategy}: {planned} loads, on demand {on_demand}");
    }
}

/// With sync, and contents that are made in the course of the run: in the registry at 200 s and 400 s, on a host at 600 s.
fn changing(mode: &str, policy: &str) -> Case {
    let release = |at: u32, part: &str, host: &str| {
        format!("{{ at_seconds = {at}, model = \"gemma3:4b\", part = \"{part}\"{host} }}")
    };
    let releases = [
        release(200, "weights", ""),
        release(400, "template", ""),
        release(600, "template", ", host = \"south-2\""),
    ];
    case()
        .set("control.placement.strategy", "on-demand")
        .set("control.sync.act", true)
        .set("control.sync.manage", r#"["*"]"#)
        .set("control.sync.mode", mode)
        .set("control.sync.policy", policy)
        .set("control.sync.allow_push", true)
        .set("control.sync.period_seconds", 100)
        .set("registry.release", format!("[{}]", releases.join(", ")))
}

#[test]
fn contents_converge_by_every_mode_and_policy() {
    for mode in Mode::NAMES {
        for policy in ["registry", "last-writer"] {
            let peers = mode == "gossip";
            let case = changing(mode, policy).set("control.sync.peers", peers).set("network.peers", peers);
            let run = case.run();
            all_finish(&run);
            let sync = run.end.sync.as_ref().expect("there is sync");
            let conflicts: u64 = sync.conflicts.values().sum();
            println!("{mode}, {policy}: {sync:?}");
            assert_eq!((conflicts, sync.converged), (3, 3), "{mode}, {policy}: {sync:?}");
        }
    }
}

#[test]
fn only_layers_that_a_host_lacks_are_moved() {
    let run = changing("eager", "registry").run();
    let supply = run.end.supply.expect("there is a registry");
    // Six hosts pull new weights; then a new template, and the one that was told otherwise its old one: small layers only.
    // And what no host has from the start comes once.
    let weights = |name| Catalogue::builtin().model(name).expect("a built-in model").weights_bytes;
    let moved = 6 * weights("gemma3:4b") + 7 * SMALL_BYTES + weights("gemma3:12b") + SMALL_BYTES;
    assert_eq!(supply.registry_bytes, moved, "{supply:?}");
    assert_eq!(supply.registry_bytes, supply.wanted_bytes - supply.spared_bytes);
    assert!(supply.spared_bytes > 0, "{supply:?}");
    assert_eq!(run.end.errands[&Kind::Pull].done, 6 + 6 + 1 + 1);
}

/// Bytes over the links of a kind.
fn carried(traffic: &Traffic, of: fn(&Link) -> bool) -> u64 {
    traffic.links.iter().filter(|link| of(&link.link)).map(|link| link.bytes).sum()
}

#[test]
fn links_layers_and_times_tell_of_the_same_bytes_and_each_conflict_ends_once() {
    for (policy, pushed) in [("registry", 0), ("last-writer", 1)] {
        let run = changing("eager", policy).set("network.zone_mbit_per_second", 1_000).run();
        let (supply, traffic) = (run.end.supply.expect("a registry"), run.end.traffic.expect("a registry"));
        let (out, all) = (supply.registry_bytes, supply.registry_bytes + supply.pushed_bytes);
        assert_eq!((supply.lost_bytes, supply.under_way_bytes), (0, 0), "nothing breaks: {supply:?}");
        assert_eq!(carried(&traffic, |link| *link == Link::RegistryOut), out, "{policy}");
        assert_eq!(carried(&traffic, |link| matches!(link, Link::ZoneIn(_))), out, "{policy}");
        assert_eq!(carried(&traffic, |link| matches!(link, Link::HostIn(_))), out, "{policy}");
        assert_eq!(carried(&traffic, |link| matches!(link, Link::HostOut(_))), supply.pushed_bytes);
        assert_eq!(traffic.models.iter().map(|model| model.bytes.all()).sum::<u64>(), all, "{policy}");
        assert_eq!(traffic.bins.iter().flat_map(|bin| bin.bytes).sum::<u64>(), all, "{policy}");

        let sync = run.end.sync.expect("there is sync");
        let ends = run.end.conflicts.values();
        let (pulled, pushes) = ends.fold((0, 0), |(pulled, pushes), ends| {
            let ConflictEnds { fetched, decided, otherwise, open, .. } = *ends;
            assert_eq!([fetched, decided, otherwise, open], [0; 4], "{policy}: {ends:?}");
            (pulled + ends.pulled, pushes + ends.pushed)
        });
        assert_eq!((pulled, pushes), (3 - pushed, pushed), "{policy}: {:?}", run.end.conflicts);
        assert_eq!(pulled + pushes, sync.converged);
        assert!(run.end.conflicts.keys().eq(sync.conflicts.keys()));
    }
}

#[test]
fn a_run_without_a_registry_has_no_traffic() {
    let run = Case::new("two-cold-models").run();
    assert!(run.end.traffic.is_none() && run.end.supply.is_none() && run.end.conflicts.is_empty());
}

#[test]
fn weights_are_kept_under_a_second_name_before_they_are_replaced_and_nothing_is_moved_for_it() {
    // With room for all, so that placement deletes none.
    let roomy = || {
        changing("eager", "registry").set("fleet.group[0].disk_gib", 200).set("fleet.group[1].disk_gib", 200)
    };
    let run = roomy().set("control.sync.keep_others", true).run();
    all_finish(&run);
    let sync = run.end.sync.as_ref().expect("there is sync");
    assert_eq!((sync.conflicts.values().sum::<u64>(), sync.converged), (3, 3), "{sync:?}");
    // Each host keeps its weights once, and one what it made itself: the registry never showed what that is made of.
    assert_eq!(done(&run, Kind::Branch), 6 + 1, "{:?}", run.end.errands);
    let (supply, without) =
        (run.end.supply.expect("a registry"), roomy().run().end.supply.expect("a registry"));
    assert_eq!((supply.registry_bytes, supply.failed), (without.registry_bytes, 0), "{supply:?}");

    let mut replay = Replay::new();
    run.decisions().for_each(|record| replay.feed(record).expect("the log replays to the same decisions"));
    let facts = replay.control().expect("it has begun").facts();
    let name = |stored: &StoredModel| facts.models[stored.model.index()].name.as_str();
    for host in &facts.hosts {
        let stored = &host.observation.stored;
        let first = stored.iter().find(|stored| name(stored) == "gemma3:4b").expect("it is there");
        let second = stored.iter().find(|stored| name(stored).starts_with("gemma3:4b-")).expect("it is kept");
        assert_eq!(name(second), second_name("gemma3:4b", second.digest));
        assert_ne!(first.digest, second.digest);
    }
}

#[test]
fn contents_wait_for_the_operator_where_nobody_else_decides() {
    let told = |deeds: &str| {
        let mut case = changing("eager", "manual");
        case.sets.retain(|set| !set.starts_with("registry.release"));
        let release = "{ at_seconds = 200, model = \"gemma3:4b\", part = \"template\", host = \"south-2\" }";
        case.set("registry.release", format!("[{release}]")).set("operator", deeds).run()
    };
    let converged = |run: &Run| run.end.sync.as_ref().expect("there is sync").converged;
    assert_eq!(converged(&told("[]")), 0);
    let run = told("[{ at_seconds = 400, resolve = { model = \"gemma3:4b\", keep = \"south-2\" } }]");
    all_finish(&run);
    assert_eq!((converged(&run), done(&run, Kind::Push)), (1, 1), "{:?}", run.end.sync);
    let mut replay = Replay::new();
    run.decisions().for_each(|record| replay.feed(record).expect("the log replays to the same decisions"));
}

#[test]
fn hosts_fetch_from_one_another_where_the_simulator_is_told_that_they_can() {
    let run = changing("eager", "last-writer")
        .set("control.sync.allow_push", false)
        .set("control.sync.peers", true)
        .set("network.peers", true)
        .run();
    let supply = run.end.supply.expect("there is a registry");
    assert!(supply.peer_bytes > 0 && supply.pushed_bytes == 0, "{supply:?}");
    let fetches = run.decisions().filter_map(|record| match record {
        control::log::Record::Step { outputs, .. } => Some(outputs.into_owned()),
        _ => None,
    });
    let fetch = |output: &control::door::Output| matches!(output, control::door::Output::Act(action) if matches!(action.deed, Deed::Fetch(_)));
    assert!(fetches.flatten().any(|output| fetch(&output)));
}

fn weights_bytes(name: &str) -> u64 {
    Catalogue::builtin().model(name).expect("a built-in model").weights_bytes
}

#[test]
fn gossip_takes_a_content_out_of_the_registry_once_and_everywhere_in_rounds_that_grow_with_the_logarithm() {
    const HOSTS: u64 = 32;
    let run = Case::new("gossip").run();
    all_finish(&run);
    let (supply, sync) = (run.end.supply.expect("a registry"), run.end.sync.as_ref().expect("sync"));
    let weights = weights_bytes("gemma3:4b");
    assert_eq!((supply.registry_bytes, supply.peer_bytes), (weights, (HOSTS - 1) * weights), "{supply:?}");
    let traffic = run.end.traffic.as_ref().expect("a registry");
    assert_eq!(carried(traffic, |link| *link == Link::RegistryOut), weights);
    assert_eq!(carried(traffic, |link| matches!(link, Link::HostOut(_))), (HOSTS - 1) * weights);
    assert_eq!((sync.converged, sync.conflicts.values().sum::<u64>()), (1, 1), "{sync:?}");

    // The seed takes its line's time. From then on hosts with the content at least double each round, or every second one where
    // a transfer outlasts a round.
    let seconds = sync.converge_nanos_max as f64 / 1e9;
    let seed_seconds = weights as f64 / 125e6;
    let rounds = (seconds - seed_seconds) / 5.0;
    println!("{seconds:.1} s, of which the seed {seed_seconds:.1} s: {rounds:.1} rounds; {:?}", sync.gossip);
    assert!(rounds < 2.0 * (HOSTS as f64).log2() + 2.0, "{rounds} rounds");
    assert!(sync.gossip.comparisons <= HOSTS * sync.gossip.rounds && sync.gossip.rounds > 0);

    let eager = Case::new("gossip").set("control.sync.mode", "eager").run();
    let (supply, sync) = (eager.end.supply.expect("a registry"), eager.end.sync.expect("sync"));
    assert!(supply.under_way_bytes > 5 * weights && supply.peer_bytes == 0, "one line for all: {supply:?}");
    assert_eq!((sync.converged, sync.gossip.rounds), (0, 0), "not in four minutes");

    let mut replay = Replay::new();
    run.decisions().for_each(|record| replay.feed(record).expect("the log replays to the same decisions"));
    assert_eq!(Case::new("gossip").run().end.digest, run.end.digest);
    let naive = Case::new("gossip").set("control.implementation", "baseline").run();
    assert_eq!(naive.end.supply, run.end.supply, "both forms of the comparison have the same fetched");
}

#[test]
fn gossip_reaches_the_hosts_of_a_partition_once_it_has_healed() {
    let cut: Vec<String> = (17..=32)
        .map(|host| {
            format!(
                "{{ kind = \"partition\", at_millis = 50000, for_millis = 150000, host = \"node-{host}\" }}"
            )
        })
        .collect();
    let run = Case::new("gossip").set("faults.at", format!("[{}]", cut.join(", "))).run();
    let (supply, sync) = (run.end.supply.expect("a registry"), run.end.sync.as_ref().expect("sync"));
    let weights = weights_bytes("gemma3:4b");
    assert_eq!((supply.registry_bytes, supply.peer_bytes), (weights, 31 * weights), "{supply:?}");
    assert_eq!(sync.converged, 1, "{sync:?}");
    let seconds = sync.converge_nanos_max as f64 / 1e9;
    assert!((140.0..200.0).contains(&seconds), "cut from 50 s to 200 s, released at 60 s: {seconds} s");
}
