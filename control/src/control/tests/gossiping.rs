//! Contents from host to host: who meets is drawn, what differs between the two is fetched, and nothing else is.

use super::syncing::{acts, digest, done, has, publish, sync, with};
use super::*;
use crate::config::Implementations;
use crate::door::{ActionFailure, ActionOutcome, Deed};
use crate::ids::ActionId;
use crate::index::Implementation;
use crate::sync::config::{Mode, PolicyFile, SyncFile};

fn gossip() -> SyncFile {
    SyncFile {
        mode: Mode::Gossip,
        peers: true,
        pulls_at_once_max: 1_000,
        changes_per_hour_max: 100_000,
        ..sync()
    }
}

/// So many hosts, all with content 1, the registry too.
fn alike(file: &ControlFile, hosts: u32) -> Bench {
    let mut bench = Bench::new(file, hosts, 1);
    publish(&mut bench, 1);
    (0..hosts).for_each(|host| drop(has(&mut bench, host, 1, 5)));
    bench
}

/// The next round, and what it begins.
fn round(bench: &mut Bench) -> Vec<(u32, Deed)> {
    bench.now = bench.control.next_wake().expect("a round is due");
    acts(&bench.feed(Input::Wake))
}

/// All that is under way is done, and its hosts say so.
fn arrive_all(bench: &mut Bench, content: u8) {
    let under_way = bench.control.facts().errands.under_way();
    let under_way: Vec<_> = under_way.map(|errand| (errand.action.id, errand.action.host)).collect();
    for (action, host) in under_way {
        let acted = Input::Acted { action, outcome: ActionOutcome::Done };
        assert_eq!(acts(&bench.feed(acted)), [], "nothing begins but in a round");
        assert_eq!(acts(&has(bench, host.0, content, 9)), [], "nothing begins but in a round");
    }
}

fn good(bench: &Bench) -> u32 {
    bench.control.good_copies(ModelId(0))
}

#[test]
fn one_host_pulls_as_a_seed_and_the_others_fetch_round_by_round() {
    let mut bench = alike(&with(gossip()), 32);
    bench.at(1_000);
    assert_eq!(acts(&publish(&mut bench, 2)), [(0, Deed::Pull)], "the first only");
    assert_eq!(round(&mut bench), [], "nobody has it yet");
    let before = bench.control.facts().sync.counts.gossip;
    arrive_all(&mut bench, 2);
    let mut rounds = 0;
    while good(&bench) < 32 {
        let good_before = good(&bench);
        let begun = round(&mut bench);
        rounds += 1;
        for (to, deed) in begun {
            let Deed::Fetch(from) = deed else { panic!("host {to}: {deed:?}") };
            assert!(from.0 != to && !bench.control.facts().sync.is_stale(ModelId(0), from));
        }
        arrive_all(&mut bench, 2);
        assert!(good(&bench) >= good_before);
    }
    assert!((3..=8).contains(&rounds), "{rounds} rounds for 32 hosts");
    let counts = bench.control.facts().sync.counts.gossip;
    assert_eq!(counts.rounds - before.rounds, rounds);
    assert_eq!(counts.comparisons - before.comparisons, 32 * rounds, "each meets one other each round");
    assert!(counts.hashes >= counts.comparisons && counts.hash_bytes == 32 * counts.hashes, "{counts:?}");
}

#[test]
fn the_next_host_pulls_where_the_seed_fails_or_leaves_before_it_could_pass_anything_on() {
    let mut bench = alike(&with(gossip()), 3);
    publish(&mut bench, 2);
    bench.drain(0, true);
    assert_eq!(round(&mut bench), [(1, Deed::Pull)], "host 0 may give nothing to others");
    let failed = ActionOutcome::Failed(ActionFailure::Stalled);
    let out = bench.feed(Input::Acted { action: ActionId(1), outcome: failed });
    assert_eq!(acts(&out), [(2, Deed::Pull)], "host 1 rests");
    done(&mut bench, 2);
    has(&mut bench, 2, 2, 9);
    assert_eq!(round(&mut bench), [], "host 1 rests, host 0 is not offered");
}

#[test]
fn two_hosts_give_each_other_what_is_right_whichever_drew_the_other() {
    // What was written last is right: model 0 on host 0.
    let file = with(SyncFile { policy: PolicyFile::LastWriter, ..gossip() });
    let mut bench = Bench::new(&file, 2, 1);
    has(&mut bench, 0, 3, 50);
    assert_eq!(acts(&has(&mut bench, 1, 1, 5)), [], "no round yet");
    assert_eq!(round(&mut bench), [(1, Deed::Fetch(HostId(0)))]);
    assert_eq!(round(&mut bench), [], "it is under way");
}

#[test]
fn a_name_that_a_host_lacks_or_that_nobody_manages_is_not_gossiped() {
    let mut bench = Bench::new(&with(SyncFile { manage: vec!["other".into()], ..gossip() }), 2, 1);
    has(&mut bench, 0, 3, 50);
    has(&mut bench, 1, 1, 5);
    assert_eq!(round(&mut bench), []);
    let mut bench = Bench::new(&with(gossip()), 2, 1);
    has(&mut bench, 0, 3, 50);
    bench.feed(Input::Observed { host: HostId(1), observation: Observation::default() });
    assert_eq!(round(&mut bench), []);
    let counts = bench.control.facts().sync.counts.gossip;
    assert!(counts.comparisons > 0, "they met: {counts:?}");
}

#[test]
fn budgets_hold_and_what_did_not_begin_begins_in_a_later_round() {
    let mut bench = alike(&with(SyncFile { pulls_at_once_max: 1, ..gossip() }), 8);
    publish(&mut bench, 2);
    arrive_all(&mut bench, 2);
    for _ in 0..40 {
        assert!(round(&mut bench).len() <= 1);
        arrive_all(&mut bench, 2);
    }
    assert_eq!(good(&bench), 8);
    let mut shown = alike(&with(SyncFile { act: false, ..gossip() }), 3);
    assert_eq!(acts(&publish(&mut shown, 2)), []);
    (0..5).for_each(|_| assert_eq!(round(&mut shown), []));
}

#[test]
fn both_twins_and_one_that_was_built_again_decide_alike_and_the_trees_compare_fewer_hashes() {
    let of = |implementation| ControlFile {
        implementation: Implementations::from(implementation),
        ..with(gossip())
    };
    let [mut optimised, mut baseline] =
        [Implementation::Optimised, Implementation::Baseline].map(|twin| alike(&of(twin), 12));
    let names = |bench: &mut Bench| {
        for model in 2..200 {
            bench.feed(Input::ModelNamed { model: ModelId(model), name: format!("m{model}:latest") });
        }
        for host in 0..12 {
            let of =
                |model| StoredModel { digest: digest(7), ..StoredModel::of_size(ModelId(model), Bytes(1)) };
            let mut stored: Vec<StoredModel> = (2..200).map(of).collect();
            stored.insert(0, StoredModel { digest: digest(1), ..of(0) });
            let observation = Observation { stored, ..Observation::default() };
            bench.feed(Input::Observed { host: HostId(host), observation });
        }
        acts(&publish(bench, 2))
    };
    assert_eq!(names(&mut optimised), names(&mut baseline));
    for step in 0..6 {
        let mut again = optimised.restored();
        let begun = round(&mut optimised);
        assert_eq!(begun, round(&mut baseline), "round {step}");
        assert_eq!(begun, round(&mut again), "round {step}");
        let counts = |bench: &Bench| bench.control.facts().sync.counts.gossip;
        assert_eq!(counts(&optimised), counts(&again));
        for (host, _) in begun {
            has(&mut optimised, host, 2, 9);
            has(&mut baseline, host, 2, 9);
        }
    }
    let hashes = |bench: &Bench| bench.control.facts().sync.counts.gossip.hashes;
    assert!(hashes(&optimised) * 10 < hashes(&baseline), "{} {}", hashes(&optimised), hashes(&baseline));
}

#[test]
fn a_shorter_round_holds_from_the_change_of_the_config_on() {
    let mut bench = alike(&with(SyncFile { gossip_seconds: 86_400, ..gossip() }), 2);
    assert_eq!(bench.control.next_wake(), Some(Instant::ZERO + Nanos::from_secs(86_400)));
    bench.at(5_000).install(&with(gossip()));
    assert_eq!(bench.control.next_wake(), Some(Instant::ZERO + Nanos::from_secs(15)));
    bench.install(&with(sync()));
    bench.install(&with(gossip()));
    assert_eq!(round(&mut bench), []);
}
