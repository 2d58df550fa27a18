//! Fair schedulers over a whole simulation: of two tenants with requests of one size, one sends ten times as many, and both
//! together more than the host can do. Fair orders serve them by their weights while both wait, and the small one hardly
//! notices the large one; the order of arrival does neither.

#[path = "simulated/run.rs"]
mod run;
#[path = "simulated/service.rs"]
mod service;

use control::ids::TenantId;
use control::request::{Outcome, Usage};
use run::{Case, Run, Told};
use service::{Service, Shares, measure, tokens, weighted_tokens};
use traces::record::Record;

/// The tenants of `simulated/two-tenants.toml`, and the size of their requests.
const LARGE: TenantId = TenantId(0);
const SMALL: TenantId = TenantId(1);
const PROMPT: u64 = 200;
const OUTPUT: u64 = 100;
const SLOTS: u64 = 2;
/// What an expected prompt is off by: bytes of a token differ by an eighth, and so does what was learned of them.
const OFF: u64 = PROMPT / 4;
/// Of deficit round robin, where nothing else is written.
const QUANTUM: u64 = 2_000;

/// A fair scheduler and what it promises.
struct Fair {
    name: &'static str,
    /// What it counts of an answer.
    cost: fn(&Usage) -> u64,
    /// How far apart two waiting tenants may be, of which the lighter weighs this: a quantum and a request, or two requests;
    /// and what the requests in flight were expected to be off by.
    bound: fn(lighter: u64) -> u64,
    /// Requests of another tenant that may go before one of a tenant that just came.
    before_it: u64,
}

const FAIR: [Fair; 2] = [
    Fair {
        name: "deficit-round-robin",
        cost: tokens,
        bound: |lighter| QUANTUM + (PROMPT + OUTPUT + SLOTS * OFF) * 100 / lighter,
        before_it: (QUANTUM + SLOTS * OFF).div_ceil(PROMPT + OUTPUT),
    },
    Fair {
        name: "token-counter",
        cost: weighted_tokens,
        bound: |lighter| (2 * (PROMPT + 2 * OUTPUT) + SLOTS * OFF) * 100 / lighter,
        before_it: 1,
    },
];

/// Requests a second at which both send more than half of what the host can do, and wait from the start to the end.
const FLOOD: &str = "200.0";
/// Requests a second of which the small tenant's are few, all of them one and a half times what the host can do.
const CROWD: &str = "3.7";

fn case(scheduler: &str, rate: &str) -> Case {
    Case::new("two-tenants")
        .set("control.scheduler", scheduler)
        .set("workload.arrivals.poisson.rate_per_second", rate)
}

/// What the two tenants were served while both waited, in a run that answered all of them.
fn service(run: &Run, weights: [u64; 2], cost: fn(&Usage) -> u64) -> Service {
    assert_eq!(run.end.last_sample.finished, run.records.len() as u64);
    measure(&run.decisions().collect::<Vec<_>>(), &Shares { tenants: [LARGE, SMALL], weights, cost })
}

#[test]
fn fair_orders_keep_their_bound_while_both_wait() {
    for Fair { name: scheduler, cost, bound, .. } in FAIR {
        let case = case(scheduler, FLOOD);
        let run = case.run();
        let _told = Told(case.command());
        let service = service(&run, [100, 100], cost);
        println!("{scheduler}: {service:?}, bound {}", bound(100));
        assert!(service.difference_max <= bound(100), "{scheduler}: {service:?}");
        // Sixty requests or so of the small tenant were served in this time, and as many of the large one.
        assert!(service.served[1] > 40 * (PROMPT + OUTPUT), "{scheduler}: {service:?}");
    }
}

#[test]
fn order_of_arrival_breaks_every_bound_tenfold() {
    let run = case("fifo", FLOOD).run();
    for Fair { name: scheduler, cost, bound, .. } in FAIR {
        let service = service(&run, [100, 100], cost);
        assert!(service.difference_max > 10 * bound(100), "the bound of {scheduler}: {service:?}");
    }
}

#[test]
fn shares_follow_the_weights_of_tenants() {
    for Fair { name: scheduler, cost, bound, .. } in FAIR {
        for (small, large) in [(300, 100), (100, 300), (25, 100)] {
            let weights = format!("{{ small = {small}, large = {large} }}");
            let case =
                case(scheduler, FLOOD).set("workload.requests", 1_980).set("control.tenant_weights", weights);
            let run = case.run();
            let _told = Told(case.command());
            let service = service(&run, [large, small], cost);
            println!("{scheduler} at {large} to {small}: {service:?}, bound {}", bound(small.min(large)));
            assert!(service.difference_max <= bound(small.min(large)), "{scheduler}: {service:?}");
            let ratio = service.served[1] as f64 / service.served[0] as f64;
            let wanted = small as f64 / large as f64;
            assert!((ratio / wanted - 1.0).abs() < 0.2, "{scheduler}: {ratio} for {wanted}, {service:?}");
        }
    }
}

/// The 99th percentile of the small tenant's waits for a host, in milliseconds; all of its requests are answered.
fn wait_p99_millis(run: &Run, tenant: TenantId) -> u64 {
    let own = run.records.iter().filter(|record| record.tenant == tenant);
    let mut waits: Vec<u64> = own
        .map(|record| {
            assert_eq!(record.outcome, Outcome::Finished, "{record:?}");
            record.dispatched.expect("it was answered").since(record.arrival).0 / 1_000_000
        })
        .collect();
    waits.sort_unstable();
    waits[(waits.len() * 99).div_ceil(100) - 1]
}

#[test]
fn a_small_tenant_waits_hardly_longer_than_in_an_idle_system() {
    // As many requests a second as the small one's, and nobody else's.
    let alone = case("fifo", "0.34").set("workload.requests", 120).run();
    let idle = wait_p99_millis(&alone, LARGE);
    let out = |record: &Record| record.ended.since(record.dispatched.expect("answered")).0 / 1_000_000;
    let mut services: Vec<u64> = alone.records.iter().map(out).collect();
    services.sort_unstable();
    let service = services[services.len() / 2];
    let crowded = |scheduler| wait_p99_millis(&case(scheduler, CROWD).run(), SMALL);
    let fifo = crowded("fifo");
    println!("alone {idle} ms, a request takes {service} ms, first in first out {fifo} ms");
    for Fair { name: scheduler, before_it, .. } in FAIR {
        let fair = crowded(scheduler);
        // Those before it, one of its own, and what is left of those in the slots.
        let bound = idle + (before_it + 1 + SLOTS) * service / SLOTS;
        println!("{scheduler}: {fair} ms, bound {bound} ms");
        assert!(fair <= bound, "{scheduler}: {fair} ms, bound {bound} ms");
        assert!(fifo > 10 * fair, "first in first out: {fifo} ms, {scheduler}: {fair} ms");
    }
}
