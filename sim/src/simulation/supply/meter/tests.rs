use control::door::{Action, Deed};
use control::ids::HostId;
use proptest::prelude::*;
use traces::record::Moved;
use traces::traffic::Link;

use super::super::Supply;
use super::super::tests::{SECOND, action, supply};
use super::*;

/// What can happen to the supply.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Asked(Deed),
    Crash,
    Full(bool),
    Corrupt(bool),
    Registry(bool),
    GivenUp,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Asked(Deed::Pull)),
        2 => (0..2_u32).prop_map(|host| Happens::Asked(Deed::Fetch(HostId(host)))),
        2 => Just(Happens::Asked(Deed::Push)),
        2 => Just(Happens::Asked(Deed::Delete)),
        1 => Just(Happens::Crash),
        1 => any::<bool>().prop_map(Happens::Full),
        1 => any::<bool>().prop_map(Happens::Corrupt),
        1 => any::<bool>().prop_map(Happens::Registry),
        1 => Just(Happens::GivenUp),
    ]
}

/// A supply as a run drives it.
struct Driven {
    supply: Supply,
    now: Instant,
    asked: u64,
    full: [bool; 2],
    corrupt: [bool; 2],
}

impl Driven {
    fn pass(&mut self, until: Instant) {
        let mut ended = Vec::new();
        while let Some(at) = self.supply.next_transfer().filter(|at| *at <= until) {
            self.now = at;
            self.supply.ended(at, &mut ended);
            for flow in ended.drain(..) {
                let host = self.supply.host_of(flow);
                self.supply.end_transfer(at, flow, 0);
                self.begin_waiting(host);
            }
        }
        self.now = until;
    }

    fn begin_waiting(&mut self, host: HostId) {
        while let Some(next) = self.supply.next_waiting(host) {
            self.supply.begin(self.now, next, 0);
        }
    }

    fn happen(&mut self, what: Happens, host: u32, model: u32) {
        let (now, id, at) = (self.now, HostId(host), host as usize);
        let broken: Vec<Action> = match what {
            Happens::Asked(Deed::Fetch(from)) if from == id => return,
            Happens::Asked(deed) => {
                self.asked += 1;
                self.supply.begin(now, action(self.asked, host, deed, model), 0);
                return;
            }
            Happens::Crash => {
                let others = self.supply.crash(now, id);
                others.into_iter().chain([action(0, host, Deed::Pull, model)]).collect()
            }
            Happens::Full(begins) if std::mem::replace(&mut self.full[at], begins) != begins => {
                self.supply.fill(now, id, begins)
            }
            Happens::Corrupt(begins) if std::mem::replace(&mut self.corrupt[at], begins) != begins => {
                self.supply.corrupt(id, begins);
                return;
            }
            Happens::Full(_) | Happens::Corrupt(_) => return,
            Happens::Registry(reached) => {
                self.supply.reach_registry(now, reached);
                return;
            }
            Happens::GivenUp => self.supply.give_up(now),
        };
        broken.into_iter().for_each(|action| self.begin_waiting(action.host));
    }
}

fn moved_in_all(moved: &Moved) -> u64 {
    moved.registry_bytes + moved.peer_bytes + moved.pushed_bytes + moved.lost_bytes + moved.under_way_bytes
}

proptest! {
    #[test]
    fn what_links_carried_is_what_was_moved_of_all_models_and_in_all_bins_and_what_became_of_it(
        happenings in prop::collection::vec((happens(), 0..2_u32, 0..2_u32, 0..4 * SECOND, any::<u8>()), 1..80),
    ) {
        let supply = supply(2);
        let mut driven =
            Driven { supply, now: Instant(0), asked: 0, full: [false; 2], corrupt: [false; 2] };
        for (what, host, model, wait, long) in happenings {
            // Now and then nothing happens for long: bins become coarser.
            let wait = if long < 8 { wait * 500 } else { wait };
            driven.pass(Instant(driven.now.0 + wait));
            driven.happen(what, host, model);
        }
        let Driven { supply, now, .. } = driven;
        let links: u128 = (0..6).map(|link| supply.network.carried(now, LinkId(link))).sum();
        let transfers: u64 = supply.meter.models.values().map(|(transfers, _)| *transfers).sum();
        let broken_max = transfers + supply.transfers.len() as u64;
        let (moved, traffic) = supply.finish(now);

        let all = moved_in_all(&moved);
        let by_link = |of: fn(&Link) -> bool| {
            traffic.links.iter().filter(|link| of(&link.link)).map(|link| link.bytes).sum::<u64>()
        };
        prop_assert_eq!(by_link(|link| matches!(link, Link::RegistryOut | Link::HostOut(_))), all);
        prop_assert_eq!(by_link(|link| matches!(link, Link::RegistryIn | Link::HostIn(_))), all);
        prop_assert_eq!(traffic.models.iter().map(|model| model.bytes.all()).sum::<u64>(), all);
        let in_bins = traffic.bins.iter().flat_map(|bin| bin.bytes).sum::<u64>();
        prop_assert_eq!(in_bins, all);
        // The network counts parts of bytes of transfers that broke off, too, on the two links of each.
        prop_assert!(links.abs_diff(u128::from(2 * all)) <= u128::from(2 * broken_max), "{links} {all}");

        prop_assert!(traffic.bins.len() < BINS_MAX);
        prop_assert_eq!(traffic.until, now);
        let spans = (0..traffic.bins.len()).map(|bin| traffic.span(bin).0).sum::<u64>();
        prop_assert_eq!(spans, now.0);
        for (index, bin) in traffic.bins.iter().enumerate() {
            let span = traffic.span(index);
            prop_assert!(bin.under_way_nanos <= u128::from(span.0) * u128::from(bin.under_way_max));
            // No bin has more than the links of the two hosts and the registry let through in its time, a byte for each transfer left aside.
            let most = u128::from(span.0) * 4 * 1_250_000_000 / 1_000_000_000 + u128::from(broken_max) + 1;
            prop_assert!(u128::from(bin.bytes.iter().sum::<u64>()) <= most, "{bin:?} in {span:?}");
        }
    }
}

#[test]
fn a_transfer_stands_in_the_bins_in_which_it_moved_however_often_these_were_merged() {
    let mut driven =
        Driven { supply: supply(2), now: Instant(0), asked: 0, full: [false; 2], corrupt: [false; 2] };
    driven.pass(Instant(1_000 * SECOND));
    driven.happen(Happens::Asked(Deed::Pull), 1, 0);
    driven.pass(Instant(1_999 * SECOND));
    let (moved, traffic) = driven.supply.finish(Instant(2_000 * SECOND));
    assert_eq!(traffic.bin, Nanos::from_secs(8));
    let moving: Vec<usize> = (0..traffic.bins.len()).filter(|bin| traffic.bins[*bin].bytes[0] > 0).collect();
    assert_eq!(moving, [125], "it begins at 1,000 s and takes four seconds");
    assert_eq!((traffic.bins[125].bytes[0], traffic.bins[125].under_way_max), (moved.registry_bytes, 1));
    assert!(moved.registry_bytes > 4_000_000_000, "{moved:?}");
}

#[test]
fn of_a_pull_that_broke_off_weights_come_first() {
    let mut supply = supply(2);
    supply.begin(Instant(0), action(0, 1, Deed::Pull, 0), 0);
    supply.begin(Instant(0), action(1, 0, Deed::Pull, 1), 0);
    supply.crash(Instant(SECOND), HostId(1));
    let whole = supply.next_transfer().expect("the other goes on");
    let mut ended = Vec::new();
    supply.ended(whole, &mut ended);
    supply.end_transfer(whole, ended[0], 0);
    let (moved, traffic) = supply.finish(whole);
    let [broken, pulled] = traffic.models[..] else { panic!("{traffic:?}") };
    assert_eq!((broken.bytes.small, broken.bytes.weights), (0, moved.lost_bytes));
    assert_eq!((pulled.bytes.small, pulled.bytes.all()), (2_560, moved.registry_bytes));
}
