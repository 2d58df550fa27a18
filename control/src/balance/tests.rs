use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::door::{Declaration, StoredModel, Utilisation};
use crate::draw::Component;
use crate::facts::history::HostHistory;
use crate::facts::hosts::{HostFacts, HostLoad};
use crate::ids::{ModelId, SessionId};
use crate::index::host_set::HostSet;
use crate::request::{Arrive, Failure, HostOptions, Particulars};
use crate::strategy::{Chosen, Parameters, StrategyFile, choose};
use crate::units::{Bytes, Instant, Nanos};

/// Hosts with (in flight, limit, outstanding tokens, model loaded).
struct Fleet {
    hosts: Vec<HostFacts>,
    loads: Vec<HostLoad>,
    eligible: Vec<HostId>,
    eligible_set: HostSet,
    loaded: HostSet,
    history: Vec<HostHistory>,
}

fn fleet(hosts: &[(u32, u32, u64, bool)]) -> Fleet {
    let facts = hosts.iter().map(|_| HostFacts::declared(Declaration::default(), Instant::ZERO));
    let (mut loaded, mut eligible_set) = (HostSet::default(), HostSet::default());
    for (host, &(_, _, _, has_model)) in hosts.iter().enumerate() {
        loaded.set(HostId(host as u32), has_model);
        eligible_set.set(HostId(host as u32), true);
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
        eligible_set,
        loaded,
        history: vec![HostHistory::default(); hosts.len()],
    }
}

/// The balancer with its defaults.
fn chosen(kind: BalancerKind) -> Chosen<BalancerKind> {
    let line = ALL.iter().find(|line| line.0 == kind).unwrap();
    Chosen { kind, parameters: Parameters::defaults(line.1.parameters) }
}

fn pick(kind: BalancerKind, fleet: &Fleet, tried: &[HostId], picks: u64) -> Vec<u32> {
    pick_for(&Arrive::default(), kind, fleet, tried, picks)
}

fn pick_for(request: &Arrive, kind: BalancerKind, fleet: &Fleet, tried: &[HostId], picks: u64) -> Vec<u32> {
    let candidates = Candidates { tried, ..fleet.candidates(request) };
    let mut balancer = build(&chosen(kind), &[], Implementation::default());
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

impl Fleet {
    fn candidates<'a>(&'a self, request: &'a Arrive) -> Candidates<'a> {
        Candidates {
            now: Instant::ZERO,
            request,
            history: &self.history,
            hosts: &self.hosts,
            loads: &self.loads,
            eligible: &self.eligible,
            eligible_set: &self.eligible_set,
            levels: None,
            in_flight_sum: None,
            weights: None,
            executor: &crate::index::argmin::Sequential,
            loaded: &self.loaded,
            tried: &[],
            prompt_tokens: 100,
        }
    }

    /// First tokens take so many milliseconds on each host.
    fn with_latency(mut self, millis: &[u64]) -> Self {
        for (history, millis) in self.history.iter_mut().zip(millis) {
            history.on_first_byte(Instant::ZERO, ModelId(0), Nanos::from_millis(*millis), false);
        }
        self
    }

    fn with_weights(mut self, weights: &[u32]) -> Self {
        for (host, weight) in self.hosts.iter_mut().zip(weights) {
            host.declaration.weight = *weight;
        }
        self
    }
}

impl Fleet {
    /// Changes what is declared of each host.
    fn declared(mut self, change: impl Fn(usize, &mut Declaration)) -> Self {
        for (at, host) in self.hosts.iter_mut().enumerate() {
            change(at, &mut host.declaration);
        }
        self
    }
}

fn count(picks: &[u32], host: u32) -> usize {
    picks.iter().filter(|pick| **pick == host).count()
}

#[test]
fn weighted_turns_are_spread_evenly() {
    let fleet = fleet(&[(0, 9, 0, false); 3]).with_weights(&[5, 1, 1]);
    assert_eq!(pick(BalancerKind::WeightedRoundRobin, &fleet, &[], 7), [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn weighted_chance_follows_the_weights() {
    let fleet = fleet(&[(0, 9, 0, false); 3]).with_weights(&[500, 200, 100]);
    let picks = pick(BalancerKind::WeightedRandom, &fleet, &[], 8_000);
    for (host, expected) in [(0, 5_000), (1, 2_000), (2, 1_000)] {
        assert!(count(&picks, host).abs_diff(expected) < 4 * 44, "host {host}: {}", count(&picks, host));
    }
}

#[test]
fn least_load_weighs_requests_and_prefers_the_lower_tier() {
    let mut fleet =
        fleet(&[(3, 9, 0, false), (1, 9, 0, false), (0, 9, 0, false)]).with_weights(&[400, 100, 100]);
    fleet.hosts[2].declaration.tier = 1;
    assert_eq!(
        pick(BalancerKind::LeastLoad, &fleet, &[], 1),
        [0],
        "(3 + 1) / 400 is less than (1 + 1) / 100"
    );
    assert_eq!(pick(BalancerKind::LeastLoad, &fleet, &[HostId(0), HostId(1)], 1), [2]);
}

#[test]
fn slow_hosts_are_avoided_by_all_that_know_latency() {
    let fleet = fleet(&[(1, 9, 0, false); 4]).with_latency(&[400, 90, 410, 395]);
    assert_eq!(pick(BalancerKind::Latency, &fleet, &[], 2), [1, 1]);
    assert_eq!(pick(BalancerKind::Bandit, &fleet, &[], 1), [1]);
    for kind in [BalancerKind::PeakEwma, BalancerKind::Prequal, BalancerKind::Adaptive, BalancerKind::Bandit]
    {
        let picks = pick(kind, &fleet, &[], 4_000);
        assert!(count(&picks, 1) > 1_500, "{kind:?} picks the fast host {} times of 4,000", count(&picks, 1));
        assert!(kind == BalancerKind::PeakEwma || count(&picks, 0) > 0, "{kind:?} never looks elsewhere");
    }
}

#[test]
fn adaptive_weights_stay_between_their_bounds() {
    let fleet = fleet(&[(0, 9, 0, false); 6]).with_latency(&[1, 1, 1, 1, 1, 1_000_000]);
    let picks = pick(BalancerKind::Adaptive, &fleet, &[], 8_400);
    // 20 % of the mean's weight beside five times 400 %.
    assert!(count(&picks, 5).abs_diff(83) < 4 * 9, "{}", count(&picks, 5));
}

#[test]
fn peaks_count_in_proportion_to_load() {
    let fleet = fleet(&[(0, 9, 0, false), (8, 9, 0, false)]).with_latency(&[80, 10]);
    let picks = pick(BalancerKind::PeakEwma, &fleet, &[], 1_000);
    assert!(count(&picks, 0) > 700, "80 ms × 1 is less than 10 ms × 9: {}", count(&picks, 0));
}

#[test]
fn hot_hosts_are_left_out_even_where_they_are_fast() {
    let mut loads = [(1, 9, 0, false); 10];
    loads[0].0 = 8;
    let mut latency = [50; 10];
    latency[0] = 1;
    let picks = pick(BalancerKind::Prequal, &fleet(&loads).with_latency(&latency), &[], 2_000);
    assert!(count(&picks, 0) < 60, "{}", count(&picks, 0));
}

#[test]
fn conversations_hash_to_one_host_until_it_carries_too_much() {
    let request = |session| Arrive { session: Some(SessionId(session)), ..Arrive::default() };
    let idle = fleet(&[(0, 99, 0, false); 8]);
    let home =
        |session, fleet: &Fleet| pick_for(&request(session), BalancerKind::BoundedHash, fleet, &[], 1)[0];
    let homes: Vec<u32> = (0..800).map(|session| home(session, &idle)).collect();
    for host in 0..8 {
        assert!(count(&homes, host).abs_diff(100) < 4 * 10, "host {host} is home to {}", count(&homes, host));
    }
    let mut loads = [(4, 99, 0, false); 8];
    loads[home(1, &idle) as usize].0 = 40;
    assert_ne!(home(1, &fleet(&loads)), home(1, &idle));
    // A host that goes moves only what was its own.
    let mut fewer = fleet(&[(0, 99, 0, false); 8]);
    fewer.eligible.remove(3);
    fewer.eligible_set.set(HostId(3), false);
    for session in (0..800).filter(|session| home(*session, &idle) != 3) {
        assert_eq!(home(session, &fewer), home(session, &idle));
    }
}

#[test]
fn longest_known_beginning_decides_until_its_host_carries_too_much() {
    let request = |blocks: &[u64]| Arrive { prefix: blocks.into(), ..Arrive::default() };
    let mut balancer = build(&chosen(BalancerKind::PrefixAffinity), &[], Implementation::default());
    let mut go = |fleet: &Fleet, request: &Arrive| {
        balancer.pick(&fleet.candidates(request), &mut Draw::new(3, Component::Balancer, 0, 0)).host.0
    };
    let busy = |at: usize| {
        let mut loads = [(3, 99, 0, false); 3];
        loads[at].0 = 2;
        fleet(&loads)
    };
    assert_eq!(go(&busy(2), &request(&[1, 2])), 2);
    assert_eq!(go(&busy(0), &request(&[1, 3])), 2, "the first block is known there");
    assert_eq!(go(&busy(0), &request(&[9])), 0);
    assert_eq!(go(&busy(1), &request(&[9, 10])), 0);
    let mut overrun = fleet(&[(1, 99, 0, false); 3]);
    overrun.loads[2].in_flight = 30;
    assert_ne!(go(&overrun, &request(&[1, 2])), 2);
}

#[test]
fn forgotten_blocks_are_the_longest_unused() {
    let file = StrategyFile { name: "prefix-affinity".into(), parameters: [("blocks_max".into(), 2)].into() };
    let mut balancer = build(&choose("balancer", &file, ALL).unwrap(), &[], Implementation::default());
    let hosts = fleet(&[(0, 9, 0, false); 3]);
    for block in [1, 2, 1, 3] {
        let request = Arrive { prefix: [block].into(), ..Arrive::default() };
        balancer.pick(&hosts.candidates(&request), &mut Draw::new(3, Component::Balancer, 0, 0));
    }
    assert_eq!(balancer.memory().len(), 2 * 2, "two blocks, each with its host");
}

#[test]
fn idle_hosts_are_joined_in_turn() {
    let idle = fleet(&[(0, 9, 0, false), (1, 9, 0, false), (0, 9, 0, false)]);
    assert_eq!(pick(BalancerKind::JoinIdle, &idle, &[], 4), [0, 2, 0, 2]);
}

#[test]
fn prediction_weighs_a_load_against_the_work_under_way() {
    let mut hosts = fleet(&[(4, 9, 2_000, true), (0, 9, 0, false)]);
    hosts.hosts[0].declaration.slots = 4;
    assert_eq!(
        pick(BalancerKind::Predictive, &hosts, &[], 1),
        [1],
        "2,000 tokens in 4 slots take longer than a load"
    );
    hosts.loads[0].outstanding_tokens = 200;
    assert_eq!(pick(BalancerKind::Predictive, &hosts, &[], 1), [0]);
}

/// Six hosts in two zones, the first four in `east`, with so many requests on each.
fn zones(in_flight: [u32; 6]) -> Fleet {
    fleet(&in_flight.map(|in_flight| (in_flight, 9, 0, false))).declared(|at, declaration| {
        declaration.zone = if at < 4 { "east" } else { "west" }.into();
        declaration.slots = 4;
    })
}

fn of_session(session: u64) -> Arrive {
    Arrive { session: Some(SessionId(session)), ..Arrive::default() }
}

#[test]
fn conversations_stay_in_their_zone_until_it_is_too_full() {
    let zone_of = |session, fleet: &Fleet| {
        let host = pick_for(&of_session(session), BalancerKind::ZoneAware, fleet, &[], 1)[0];
        if host < 4 { "east" } else { "west" }
    };
    let (idle, busy) = (zones([0; 6]), zones([3, 3, 3, 3, 0, 0]));
    let east: Vec<u64> = (0..900).filter(|session| zone_of(*session, &idle) == "east").collect();
    assert!(east.len().abs_diff(600) < 4 * 15, "zones have conversations by hosts: {} of 900", east.len());
    assert!(east.iter().all(|session| zone_of(*session, &busy) == "east"), "12 of 16 slots are below 90 %");
    let full = zones([4, 4, 4, 3, 0, 0]);
    assert!(east.iter().all(|session| zone_of(*session, &full) == "west"));
    let everywhere = zones([4, 4, 4, 3, 4, 4]);
    assert!(east.iter().all(|session| zone_of(*session, &everywhere) == "east"), "no zone has more left");
}

#[test]
fn what_has_no_home_goes_to_the_freest_zone_and_its_idlest_host() {
    assert_eq!(
        pick(BalancerKind::ZoneAware, &zones([1, 0, 1, 1, 1, 0]), &[], 2),
        [5, 5],
        "7/8 are more than 13/16"
    );
    assert_eq!(pick(BalancerKind::ZoneAware, &zones([1, 0, 1, 1, 1, 1]), &[], 2), [1, 1]);
    let mut loaded = zones([1, 0, 1, 1, 1, 1]);
    loaded.loaded.set(HostId(2), true);
    assert_eq!(pick(BalancerKind::ZoneAware, &loaded, &[], 1), [2], "a loaded model before an idle host");
    loaded.loads[2].limit = 1;
    assert_eq!(pick(BalancerKind::ZoneAware, &loaded, &[], 1), [1], "but not where there is no room");
}

/// Hosts of 8, 24 and 80 GB with four slots each.
fn sizes(in_flight: [u32; 3]) -> Fleet {
    fleet(&in_flight.map(|in_flight| (in_flight, 9, 0, false))).declared(|at, declaration| {
        declaration.memory = Bytes::from_gib([8, 24, 80][at]);
        declaration.slots = 4;
    })
}

#[test]
fn the_least_capable_host_is_taken_until_it_is_much_busier() {
    assert_eq!(
        pick(BalancerKind::Capability, &sizes([2, 0, 0]), &[], 1),
        [0],
        "three of four slots against one"
    );
    assert_eq!(pick(BalancerKind::Capability, &sizes([3, 0, 0]), &[], 1), [1]);
    assert_eq!(pick(BalancerKind::Capability, &sizes([3, 3, 0]), &[], 1), [2]);
    let alike = sizes([1, 0, 0]).declared(|_, declaration| declaration.memory = Bytes::ZERO);
    assert_eq!(pick(BalancerKind::Capability, &alike, &[], 1), [1], "equals by load");
    let cheap = alike.declared(|at, declaration| declaration.cost_cents_per_hour = [90, 90, 40][at]);
    assert_eq!(pick(BalancerKind::Capability, &cheap, &[], 1), [2], "then by cost");
}

#[test]
fn hosts_that_do_not_suffice_come_last() {
    let mut hosts = sizes([0; 3]);
    for host in &mut hosts.hosts {
        host.observation.stored = vec![StoredModel::of_size(ModelId(0), Bytes::from_gib(20))];
    }
    assert_eq!(pick(BalancerKind::Capability, &hosts, &[], 1), [1]);
    assert_eq!(pick(BalancerKind::Capability, &hosts, &[HostId(1), HostId(2)], 1), [0]);
    let hosts = hosts.declared(|at, declaration| declaration.context_tokens = [0, 8_192, 32_768][at]);
    let options = HostOptions { num_ctx: Some(16_384), ..HostOptions::default() };
    let particulars = Particulars { options, ..Particulars::default() }.boxed();
    let request = Arrive { particulars, ..Arrive::default() };
    assert_eq!(pick_for(&request, BalancerKind::Capability, &hosts, &[], 1), [2]);
}

#[test]
fn effective_load_follows_its_formula() {
    let mut hosts = fleet(&[(0, 99, 0, false); 2]).declared(|_, declaration| declaration.slots = 10);
    let mut against = |measured: Utilisation, in_flight: u32, failures: u32| {
        // Host 1 has a load of 0.3 · 500 + 0.1 · 100 = 160.
        hosts.hosts[1].utilisation = Some(Utilisation { cpu: 500, ..Utilisation::default() });
        hosts.hosts[0].utilisation = Some(measured);
        hosts.loads[0].in_flight = in_flight;
        hosts.history[0] = HostHistory::default();
        (0..failures).for_each(|_| hosts.history[0].on_failed(Failure::ServerError));
        pick(BalancerKind::ResourceAware, &hosts, &[], 1)[0]
    };
    let of = |cpu, memory, gpu, network| Utilisation { cpu, memory, gpu, network };
    assert_eq!(against(of(250, 249, 0, 0), 0, 0), 0);
    assert_eq!(against(of(250, 251, 0, 0), 0, 0), 1);
    assert_eq!(against(of(0, 0, 700, 99), 0, 0), 0);
    assert_eq!(against(of(0, 0, 700, 101), 0, 0), 1);
    assert_eq!(against(of(0, 0, 0, 0), 14, 0), 0, "15 requests in 10 slots weigh 150");
    assert_eq!(against(of(0, 0, 0, 0), 16, 0), 1);
    // One failure leaves a health of three quarters.
    assert_eq!(against(of(0, 0, 0, 0), 10, 1), 0, "110 / 0.75 is less than 160");
    assert_eq!(against(of(0, 0, 0, 0), 11, 1), 1, "120 / 0.75 is as much, and it has more requests");
}

#[test]
fn the_kept_sum_bounds_as_the_walk_does() {
    let hosts = fleet(&[(3, 9, 0, false), (0, 9, 0, false), (4, 9, 0, false)]);
    let request = Arrive::default();
    let walked = hosts.candidates(&request);
    let kept = Candidates { in_flight_sum: Some(7), ..walked };
    for percent in [100, 125, 150, 10_000] {
        assert_eq!(kept.bound(percent), walked.bound(percent));
    }
}
