use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::door::Declaration;
use crate::draw::Component;
use crate::facts::hosts::{HostFacts, HostLoad};
use crate::index::host_set::HostSet;
use crate::units::Instant;

/// Hosts with (in flight, limit, outstanding tokens, model loaded).
struct Fleet {
    hosts: Vec<HostFacts>,
    loads: Vec<HostLoad>,
    eligible: Vec<HostId>,
    loaded: HostSet,
}

fn fleet(hosts: &[(u32, u32, u64, bool)]) -> Fleet {
    let facts = hosts.iter().map(|_| HostFacts::declared(Declaration::default(), Instant::ZERO));
    let mut loaded = HostSet::default();
    for (host, &(_, _, _, has_model)) in hosts.iter().enumerate() {
        loaded.set(HostId(host as u32), has_model);
    }
    let loads = hosts.iter().map(|&(in_flight, limit, outstanding_tokens, _)| HostLoad {
        in_flight,
        limit,
        outstanding_tokens,
    });
    Fleet {
        hosts: facts.collect(),
        loads: loads.collect(),
        eligible: (0..hosts.len() as u32).map(HostId).collect(),
        loaded,
    }
}

fn pick(kind: BalancerKind, fleet: &Fleet, tried: &[HostId], picks: u64) -> Vec<u32> {
    let candidates = Candidates {
        hosts: &fleet.hosts,
        loads: &fleet.loads,
        eligible: &fleet.eligible,
        loaded: &fleet.loaded,
        tried,
    };
    let mut balancer = build(kind, &[]);
    let picks =
        (0..picks).map(|i| balancer.pick(&candidates, &mut Draw::new(3, Component::Balancer, i, 0)).host.0);
    picks.collect()
}

#[test]
fn no_balancer_picks_a_full_or_tried_host() {
    let fleet = fleet(&[(2, 2, 0, true), (1, 2, 50, false), (0, 2, 0, true), (1, 9, 10, true)]);
    for (kind, strategy) in ALL {
        for host in pick(*kind, &fleet, &[HostId(2)], 200) {
            assert!(host == 1 || host == 3, "{} picked {host}", strategy.name);
        }
    }
}

#[test]
fn the_last_open_host_is_found_among_a_thousand_full_ones() {
    let mut hosts = vec![(1, 1, 0, false); 1_000];
    hosts[777].0 = 0;
    let fleet = fleet(&hosts);
    for (kind, strategy) in ALL {
        assert_eq!(pick(*kind, &fleet, &[], 3), [777; 3], "{}", strategy.name);
    }
}

#[test]
fn round_robin_takes_each_in_turn() {
    let fleet = fleet(&[(0, 9, 0, false); 3]);
    assert_eq!(pick(BalancerKind::RoundRobin, &fleet, &[], 5), [0, 1, 2, 0, 1]);
}

#[test]
fn least_of_each_kind_wins_and_ties_go_to_the_lower_id() {
    let fleet = fleet(&[(3, 9, 10, false), (1, 9, 90, false), (1, 9, 5, false), (2, 9, 5, true)]);
    assert_eq!(pick(BalancerKind::LeastConnections, &fleet, &[], 1), [1]);
    assert_eq!(pick(BalancerKind::LeastTokens, &fleet, &[], 1), [2]);
    assert_eq!(pick(BalancerKind::ModelAffinity, &fleet, &[], 1), [3]);
}

#[test]
fn power_of_two_picks_the_busiest_only_against_itself() {
    let fleet = fleet(&[(5, 9, 0, false), (1, 9, 0, false), (0, 9, 0, false)]);
    let picks = pick(BalancerKind::PowerOfTwo, &fleet, &[], 9_000);
    let counts = [0, 1, 2].map(|host| picks.iter().filter(|p| **p == host).count());
    // 1/9, 3/9 and 5/9 of the draws, each within four standard deviations.
    for (count, expected) in counts.iter().zip([1_000, 3_000, 5_000]) {
        assert!(count.abs_diff(expected) < 4 * 48, "{counts:?}");
    }
}

#[test]
fn random_picks_each_as_often() {
    let fleet = fleet(&[(0, 9, 0, false); 4]);
    let picks = pick(BalancerKind::Random, &fleet, &[], 8_000);
    for host in 0..4 {
        let count = picks.iter().filter(|p| **p == host).count();
        assert!(count.abs_diff(2_000) < 4 * 39, "host {host} was picked {count} times of 8,000");
    }
}
