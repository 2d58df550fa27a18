//! What recording a request costs, in processor time: `cargo run --release -p reports --example metrics_cost`.
//! The cost of making the records up is measured alone and taken off.

use control::ids::{HostId, ModelId, RequestId, TenantId};
use control::request::{Outcome, Usage};
use control::units::{Instant, Nanos};
use reports::machine::cpu_time;
use reports::metrics::{Metrics, MetricsSpec};
use traces::record::Record;

const REQUESTS: u64 = 4_000_000;

fn main() {
    println!("{:>7} {:>7} {:>14} {:>14}", "hosts", "models", "ns a request", "ns to make up");
    for (hosts, models) in [(1, 1), (8, 5), (100, 20), (10_000, 50)] {
        let mut sum = 0;
        let made_up = cost(hosts, models, |record| sum += record.ended.0);
        let mut metrics = Metrics::new(MetricsSpec {
            models: vec![String::new(); models as usize],
            hosts: vec![String::new(); hosts as usize],
            ..MetricsSpec::default()
        });
        let both = cost(hosts, models, |record| metrics.record(record));
        assert!(metrics.counts().arrived == REQUESTS && sum > 0);
        println!("{hosts:>7} {models:>7} {:>14.1} {made_up:>14.1}", both - made_up);
    }
}

/// Processor time of each call, in nanoseconds.
fn cost(hosts: u32, models: u32, mut take: impl FnMut(&Record)) -> f64 {
    let mut record = Record {
        request: RequestId(0),
        model: ModelId(0),
        tenant: TenantId(0),
        session: None,
        priority: 0,
        arrival: Instant(0),
        dispatched: None,
        first_token: None,
        ended: Instant(0),
        host: None,
        arm: control::ids::ArmId(0),
        attempts: 1,
        prompt_tokens: 900,
        cached_tokens: 0,
        truncated: false,
        usage: Usage { prompt_tokens: 900, ..Usage::default() },
        outcome: Outcome::Finished,
    };
    let mut random = 1_u64;
    let begun = cpu_time();
    for request in 0..REQUESTS {
        let mut draw = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 32
        };
        let spread = draw();
        record.request = RequestId(request);
        record.model = ModelId((draw() % u64::from(models)) as u32);
        record.host = Some(HostId((draw() % u64::from(hosts)) as u32));
        record.arrival = Instant(request * 1_000_000);
        // From 50 ms over four powers of two each; every second request did not wait.
        let queue = Nanos((draw() % 60_000_000) << (spread & 3) & (spread >> 4 & 1).wrapping_neg());
        let first = record.arrival + queue + Nanos((50_000_000 + draw() % 50_000_000) << (spread >> 8 & 3));
        record.dispatched = Some(record.arrival + queue);
        record.first_token = Some(first);
        record.usage.output_tokens = 1 + (draw() % 500) as u32;
        record.ended =
            first + Nanos((10_000_000 + draw() % 10_000_000) * u64::from(record.usage.output_tokens));
        take(std::hint::black_box(&record));
    }
    (cpu_time() - begun).as_nanos() as f64 / REQUESTS as f64
}
