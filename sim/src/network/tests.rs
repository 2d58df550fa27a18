use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn both() -> [Network; 2] {
    [Implementation::Baseline, Implementation::Optimised].map(Network::new)
}

/// A flow over these links.
fn flow(links: &[u32], size: u64, cap: Option<u64>) -> Flow {
    let links: Vec<LinkId> = links.iter().copied().map(LinkId).collect();
    Flow { size: Bytes(size), route: Route::new(&links), cap: cap.map(Rate) }
}

/// Takes out what ends next, and says when.
fn finish_next(network: &mut Network) -> Option<(u64, Vec<u64>)> {
    let at = network.next()?;
    let mut ended = Vec::new();
    network.finish(at, &mut ended);
    Some((at.0, ended.into_iter().map(|id| id.0).collect()))
}

fn rates(network: &Network, flows: u64) -> Vec<Option<u64>> {
    (0..flows).map(|id| network.rate(FlowId(id)).map(|rate| rate.0)).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Start(Vec<Flow>),
    /// One of those that were started, by its number.
    Cancel(prop::sample::Index),
    SetCapacity(u32, u64),
    /// Goes on, this many of 256 parts of the time until the next end.
    Wait(u8),
    Finish,
}

/// A route over some of as many links, the first of which is on most routes.
fn routes(links: u32) -> impl Strategy<Value = Vec<u32>> {
    (prop::bool::weighted(0.8), prop::collection::btree_set(1..links, 0..=3)).prop_map(|(first, others)| {
        let first = first || others.is_empty();
        first.then_some(0).into_iter().chain(others).collect()
    })
}

/// Many that are alike, so that shares meet; and the extremes.
fn capacities() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0),
        6 => 1u64..40,
        3 => prop::sample::select(vec![10u64, 11, 12, 100, 1_000]),
        2 => 1_000u64..4_000,
        1 => Just(Rate::MAX.0),
    ]
}

fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 4 => 1u64..50, 4 => 1_000u64..100_000, 1 => Just(u64::MAX)]
}

fn flows(links: u32) -> impl Strategy<Value = Flow> {
    (routes(links), sizes(), prop::option::weighted(0.3, capacities()))
        .prop_map(|(links, size, cap)| flow(&links, size, cap))
}

fn steps(links: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => flows(links).prop_map(|flow| Step::Start(vec![flow])),
        1 => prop::collection::vec(flows(links), 0..5).prop_map(Step::Start),
        2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        1 => (0..links, capacities()).prop_map(|(link, capacity)| Step::SetCapacity(link, capacity)),
        3 => any::<u8>().prop_map(Step::Wait),
        6 => Just(Step::Finish),
    ]
}

/// A network and what was started on it.
struct Watched {
    network: Network,
    capacities: Vec<u64>,
    flows: Vec<Flow>,
    now: Instant,
}

impl Watched {
    fn new(mut network: Network, capacities: &[u64]) -> Self {
        capacities.iter().for_each(|&capacity| {
            network.add_link(Rate(capacity));
        });
        Self { network, capacities: capacities.to_vec(), flows: Vec::new(), now: Instant::ZERO }
    }

    /// Does a step and gives what it answered.
    fn step(&mut self, step: &Step) -> String {
        let (network, now) = (&mut self.network, self.now);
        match step {
            Step::Start(flows) => {
                self.flows.extend(flows);
                format!("{:?}", network.start_all(now, flows))
            }
            Step::Cancel(_) if self.flows.is_empty() => String::new(),
            Step::Cancel(index) => {
                format!("{:?}", network.cancel(now, FlowId(index.index(self.flows.len()) as u64)))
            }
            Step::SetCapacity(link, capacity) => {
                self.capacities[*link as usize] = *capacity;
                network.set_capacity(now, LinkId(*link), Rate(*capacity));
                String::new()
            }
            Step::Wait(parts) => {
                let span = network.next().map_or(0, |next| next.since(now).0);
                self.now.0 += (u128::from(span) * u128::from(*parts) / 256) as u64;
                String::new()
            }
            Step::Finish => {
                let ended = finish_next(network);
                self.now = ended.as_ref().map_or(now, |(at, _)| Instant(*at));
                format!("{ended:?}")
            }
        }
    }

    /// All that can be asked.
    fn seen(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let moved = |id| self.network.moved(self.now, FlowId(id));
        let carried = |link| self.network.carried(self.now, LinkId(link));
        let flows = self.flows.len() as u64;
        (
            self.network.next(),
            self.network.len(),
            rates(&self.network, flows),
            (0..flows).map(moved).collect::<Vec<_>>(),
            (0..self.capacities.len() as u32).map(carried).collect::<Vec<_>>(),
        )
    }

    /// Rates of the flows that are on a link.
    fn on(&self, link: u32) -> Vec<u64> {
        let on_it = self.flows.iter().zip(rates(&self.network, self.flows.len() as u64));
        on_it.filter(|(flow, _)| flow.route.links().contains(&link)).filter_map(|(_, rate)| rate).collect()
    }

    /// No link carries more than it can, and each flow is at its cap, or on a link that is full (but for less than one a flow)
    /// and where no flow has more.
    fn check_fairness(&self) -> Result<(), TestCaseError> {
        for (link, capacity) in self.capacities.iter().enumerate() {
            let load: u128 = self.on(link as u32).into_iter().map(u128::from).sum();
            prop_assert!(load <= u128::from(*capacity), "{load} on link {link}");
        }
        for (flow, rate) in self.flows.iter().zip(rates(&self.network, self.flows.len() as u64)) {
            let Some(rate) = rate else { continue };
            let decides = |link: &u32| {
                let on_it = self.on(*link);
                let spare = self.capacities[*link as usize] - on_it.iter().sum::<u64>();
                on_it.iter().all(|other| *other <= rate) && spare < on_it.len() as u64
            };
            let limited = cap_of(flow) == rate || flow.route.links().iter().any(decides);
            prop_assert!(limited && rate <= cap_of(flow), "{flow:?} has {rate}");
        }
        Ok(())
    }
}

fn twins_agree(capacities: &[u64], steps: &[Step]) -> Result<(), TestCaseError> {
    let [mut naive, mut fast] = both().map(|network| Watched::new(network, capacities));
    for step in steps {
        prop_assert_eq!(naive.step(step), fast.step(step), "{:?}", step);
        prop_assert_eq!(naive.seen(), fast.seen(), "after {:?}", step);
        fast.check_fairness()?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn twins_agree_where_routes_meet_in_any_way(
        capacities in prop::collection::vec(capacities(), 6),
        steps in prop::collection::vec(steps(6), 1..60),
    ) {
        twins_agree(&capacities, &steps)?;
    }

    #[test]
    fn twins_agree_where_one_link_is_shared_by_many(
        shared in 1u64..2_000,
        capacities in prop::collection::vec(capacities(), 30),
        steps in prop::collection::vec(steps(31), 1..120),
    ) {
        let capacities: Vec<u64> = std::iter::once(shared).chain(capacities).collect();
        twins_agree(&capacities, &steps)?;
    }

    #[test]
    fn order_of_starting_changes_no_rate(
        capacities in prop::collection::vec(capacities(), 8),
        flows in prop::collection::vec(flows(8), 1..30),
    ) {
        let rates_by = |order: &mut dyn Iterator<Item = usize>| {
            let mut watched = Watched::new(Network::new(Implementation::Optimised), &capacities);
            let mut rates = vec![None; flows.len()];
            let started: Vec<usize> = order.collect();
            started.iter().for_each(|&place| { watched.step(&Step::Start(vec![flows[place]])); });
            for (id, place) in started.into_iter().enumerate() {
                rates[place] = watched.network.rate(FlowId(id as u64));
            }
            rates
        };
        prop_assert_eq!(rates_by(&mut (0..flows.len())), rates_by(&mut (0..flows.len()).rev()));
    }

    #[test]
    fn flows_end_at_the_first_nanosecond_at_which_all_their_bytes_have_moved(
        capacities in prop::collection::vec(1_000u64..10_000, 4),
        flows in prop::collection::vec((routes(4), 1u64..100_000), 1..20),
    ) {
        for network in both() {
            let mut watched = Watched::new(network, &capacities);
            for (links, size) in &flows {
                watched.step(&Step::Start(vec![flow(links, *size, None)]));
            }
            while let Some(at) = watched.network.next() {
                // Between two ends at the same time nothing moves.
                let before = Instant(at.0.saturating_sub(1)).max(watched.now);
                let network = &mut watched.network;
                let moved: Vec<_> = (0..flows.len() as u64).map(|id| network.moved(before, FlowId(id))).collect();
                let mut ended = Vec::new();
                network.finish(at, &mut ended);
                prop_assert!(!ended.is_empty() && ended.is_sorted());
                watched.now = at;
                for id in ended {
                    prop_assert!(before == at || moved[id.0 as usize] < Some(Bytes(flows[id.0 as usize].1)));
                }
            }
            prop_assert!(watched.network.is_empty());
            for link in 0..4 {
                let over_it = flows.iter().filter(|(links, _)| links.contains(&link));
                let bytes: u128 = over_it.map(|(_, size)| u128::from(*size)).sum();
                prop_assert_eq!(watched.network.carried(watched.now, LinkId(link)), bytes);
            }
        }
    }
}

#[test]
fn a_slow_link_leaves_what_it_cannot_take_to_others() {
    for mut network in both() {
        // An egress of 90, and three hosts of 10, 100 and 100.
        for capacity in [90, 10, 100, 100] {
            network.add_link(Rate(capacity));
        }
        for host in [1, 2, 3] {
            network.start(Instant::ZERO, flow(&[0, host], 400, None));
        }
        assert_eq!(rates(&network, 3), [Some(10), Some(40), Some(40)]);
        assert_eq!(finish_next(&mut network), Some((10 * SECOND, vec![1, 2])));
        assert_eq!(rates(&network, 3), [Some(10), None, None]);
        assert_eq!(network.moved(Instant(10 * SECOND), FlowId(0)), Some(Bytes(100)));
        assert_eq!(network.carried(Instant(10 * SECOND), LinkId(0)), 900);
        assert_eq!(finish_next(&mut network), Some((40 * SECOND, vec![0])));
        assert_eq!(network.next(), None);
    }
}

#[test]
fn equal_levels_are_given_at_once_whatever_the_order_of_links() {
    for mut network in both() {
        // 10 and 11 among three, one of which is on both: 3 for all, though 11 - 3 among two would be 4.
        let links = [network.add_link(Rate(10)), network.add_link(Rate(11))];
        let [first, second] = links.map(|link| link.0);
        for route in [&[first, second][..], &[first], &[first], &[second], &[second]] {
            network.start(Instant::ZERO, flow(route, 1, None));
        }
        assert_eq!(rates(&network, 5), [Some(3); 5]);
    }
}

#[test]
fn flows_on_a_cut_link_wait_and_go_on_where_they_were() {
    for mut network in both() {
        let link = network.add_link(Rate(100));
        let id = network.start(Instant::ZERO, flow(&[0], 1_000, None));
        network.set_capacity(Instant(4 * SECOND), link, Rate(0));
        assert_eq!((network.next(), network.rate(id)), (None, Some(Rate(0))));
        network.set_capacity(Instant(60 * SECOND), link, Rate(100));
        assert_eq!(network.moved(Instant(61 * SECOND), id), Some(Bytes(500)));
        assert_eq!(finish_next(&mut network), Some((66 * SECOND, vec![0])));
    }
}

#[test]
fn a_flow_of_no_bytes_ends_when_it_starts_even_on_a_cut_link() {
    for mut network in both() {
        network.add_link(Rate(0));
        network.start(Instant(7), flow(&[0], 0, None));
        assert_eq!(finish_next(&mut network), Some((7, vec![0])));
    }
}

#[test]
fn who_is_cancelled_says_how_far_it_came_and_leaves_its_share() {
    for mut network in both() {
        network.add_link(Rate(10));
        let ids = [1_000, 1_000].map(|size| network.start(Instant::ZERO, flow(&[0], size, None)));
        assert_eq!(network.cancel(Instant(SECOND / 2), ids[0]), Some(Bytes(2)));
        assert_eq!(network.cancel(Instant(SECOND / 2), ids[0]), None);
        assert_eq!(network.rate(ids[1]), Some(Rate(10)));
        // Halves of bytes count for the link: 2.5 and 2.5.
        assert_eq!(network.carried(Instant(SECOND / 2), LinkId(0)), 5);
    }
}

#[test]
fn an_end_beyond_all_time_is_none() {
    for mut network in both() {
        network.add_link(Rate(1));
        network.start(Instant::ZERO, flow(&[0], u64::MAX, None));
        assert_eq!(network.next(), None);
    }
}

#[test]
#[should_panic(expected = "something limits a flow")]
fn a_flow_without_link_and_cap_is_refused() {
    Network::new(Implementation::Optimised).start(Instant::ZERO, flow(&[], 1, None));
}

#[test]
fn links_that_came_apart_from_a_group_are_looked_at_before_they_meet_it_again() {
    for mut network in both() {
        for capacity in [200, 30, 18] {
            network.add_link(Rate(capacity));
        }
        let mut flows = vec![flow(&[1, 2], 1_000, None); 2];
        flows.push(flow(&[0, 1], 1_000, None));
        flows.extend([flow(&[0], 1_000, None); 19]);
        network.start_all(Instant::ZERO, &flows);
        assert_eq!(rates(&network, 4), [Some(9), Some(9), Some(10), Some(10)]);
        // The flow that had joined links 0 and 1 goes, and then link 0 changes alone.
        network.cancel(Instant::ZERO, FlowId(2));
        network.set_capacity(Instant::ZERO, LinkId(0), Rate(110));
        for _ in 0..3 {
            network.start(Instant::ZERO, flow(&[0, 1], 1_000, None));
        }
        assert_eq!(rates(&network, 4), [Some(7), Some(7), None, Some(5)]);
    }
}

/// Visits for each of 100 pulls that replace others, a thousand being under way over one egress, each to a host of its own.
fn visits_of_a_pull(host_capacity: impl Fn(u32) -> u64, egress: u64) -> u64 {
    let mut network = Network::new(Implementation::Optimised);
    network.add_link(Rate(egress));
    for host in 1..=1_000 {
        network.add_link(Rate(host_capacity(host)));
        network.start(Instant::ZERO, flow(&[0, host], 1_000_000 + u64::from(host), None));
    }
    let (before, mut left) = (network.visits(), 100);
    while left > 0 {
        let (at, ended) = finish_next(&mut network).unwrap();
        for id in ended {
            network.start(Instant(at), flow(&[0, id as u32 % 1_000 + 1], 2_000_000, None));
            left -= 1;
        }
    }
    (network.visits() - before) / 100
}

#[test]
fn pulls_that_share_an_egress_look_at_a_handful_each() {
    assert!(visits_of_a_pull(|_| 1_000_000, 1_000_000) < 8);
}

#[test]
fn pulls_that_only_their_hosts_limit_look_at_a_handful_each() {
    assert!(visits_of_a_pull(|host| 1_000 + u64::from(host), Rate::MAX.0) < 8);
}
