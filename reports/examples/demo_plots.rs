//! Draws the plots of made-up runs, to look at: `cargo run -p reports --example demo_plots -- DIR`.

use std::path::Path;

use control::ids::{HostId, ModelId, RequestId, TenantId};
use control::request::{Failure, Outcome, Reject, Usage};
use control::units::{Bytes, Instant, Nanos};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use reports::metrics::{Metrics, MetricsSpec};
use reports::plots::{self, Drawn, PlotTitle};
use reports::summary::RunInfo;
use reports::text;
use reports::timeline::Timeline;
use traces::record::{HostSample, Record, Sample};
use traces::traffic::{Traffic, TrafficBin};

struct Demo {
    name: &'static str,
    hosts: u32,
    models: u32,
    requests: u64,
    seconds: u64,
    samples: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("name a folder for the plots")?;
    let demos = [
        Demo { name: "8-hosts", hosts: 8, models: 5, requests: 20_000, seconds: 1_800, samples: 1_800 },
        Demo {
            name: "100-hosts",
            hosts: 100,
            models: 12,
            requests: 200_000,
            seconds: 86_400,
            samples: 5_000,
        },
        Demo { name: "few-samples", hosts: 8, models: 1, requests: 30, seconds: 4, samples: 3 },
        Demo { name: "16-hosts", hosts: 16, models: 20, requests: 900, seconds: 700_000, samples: 40 },
        Demo { name: "10000-hosts", hosts: 10_000, models: 40, requests: 50_000, seconds: 600, samples: 60 },
        Demo { name: "empty", hosts: 3, models: 2, requests: 0, seconds: 0, samples: 1 },
        Demo { name: "nothing", hosts: 0, models: 0, requests: 0, seconds: 0, samples: 0 },
    ];
    for demo in &demos {
        run(demo, &Path::new(&dir).join(demo.name))?;
    }
    Ok(())
}

fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn run(demo: &Demo, dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(dir)?;
    let names = ["llama3.1:8b-instruct-q4_K_M", "qwen2.5:32b", "gemma2:2b", "mixtral:8x7b", "llama3.3:70b"];
    let model_name = |id: u32| match names.get(id as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("tuned-model-{id}:7b"),
    };
    let mut metrics = Metrics::new(MetricsSpec {
        warmup_requests: demo.requests / 10,
        models: (0..demo.models).map(model_name).collect(),
        hosts: (0..demo.hosts).map(|id| format!("a100-rack{:02}-{id:03}", id / 8)).collect(),
        ..MetricsSpec::default()
    });
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for request in 0..demo.requests {
        metrics.record(&record(&mut random, demo, request));
    }
    let mut timeline = Timeline::new(demo.hosts as usize);
    let mut sample = Sample { hosts: (0..demo.hosts).map(host).collect(), ..Sample::default() };
    for index in 0..demo.samples {
        advance(&mut random, demo, &mut sample, index);
        sample.hosts_on = demo.hosts - index as u32 % demo.hosts.max(1) / 2;
        timeline.push(&sample);
    }
    timeline.finish();
    let scenario = format!("demo {}", demo.name);
    let title = PlotTitle {
        scenario,
        balancer: "power_of_two".into(),
        scheduler: "fifo".into(),
        placement: None,
        seed: 7,
    };
    let traffic = traffic(demo);
    let drawn = Drawn {
        title: &title,
        metrics: &metrics,
        timeline: &timeline,
        placed: true,
        scaled: true,
        traffic: Some(&traffic),
    };
    for path in plots::write(dir, &drawn)? {
        println!("{} ({} bytes)", path.display(), path.metadata()?.len());
    }
    let info = RunInfo {
        digest: "0123456789abcdef".into(),
        seed: 7,
        scenario: title.scenario,
        scheduler: title.scheduler,
        balancer: title.balancer,
        details: vec![("fleet".into(), format!("{} hosts", demo.hosts))],
        simulated: sample.at,
        assumptions: vec!["load bandwidth of the disks: 3 GB/s (assumed_disk_bandwidth)".into()],
        ..RunInfo::default()
    };
    println!("{}", text::render(&metrics.summary(&info, &sample), None, false));
    Ok(())
}

/// Pulls that come in waves, as many as there are hosts, and a push now and then.
fn traffic(demo: &Demo) -> Traffic {
    let bins_len = demo.seconds.min(200);
    let bin = |index: u64| {
        let wave = (index % 40).saturating_sub(25) * u64::from(demo.hosts);
        let pushed = u64::from(index.is_multiple_of(50)) * 4_000_000_000;
        TrafficBin {
            bytes: [wave * 300_000_000, wave * 20_000_000, pushed],
            under_way_nanos: u128::from(wave) * 100_000_000,
            under_way_max: wave as u32 / 8,
        }
    };
    let until = Instant(demo.seconds * 1_000_000_000);
    let bins = (0..bins_len).map(bin).collect();
    Traffic { bin: Nanos(until.0.div_ceil(bins_len.max(1))), bins, until, ..Traffic::default() }
}

fn host(id: u32) -> HostSample {
    HostSample { host: HostId(id), ..HostSample::default() }
}

fn record(random: &mut ChaCha8Rng, demo: &Demo, request: u64) -> Record {
    let mut seconds = |mean: f64| Nanos((-mean * libm::log(1.0 - unit(random)) * 1e9) as u64);
    let queue = Nanos(seconds(0.4).0.saturating_sub(600_000_000));
    let prefill = Nanos(40_000_000 + seconds(0.3).0);
    let gap = Nanos(11_000_000 + seconds(0.02).0);
    let output = 1 + (seconds(200.0).0 / 1_000_000_000) as u32;
    let arrival = Instant(demo.seconds * 1_000_000_000 / demo.requests.max(1) * request);
    let first = arrival + queue + prefill;
    let outcome = match random.next_u32() % 200 {
        0 => Outcome::Rejected(Reject::QueueFull),
        1 => Outcome::Failed(Failure::Broken),
        2 => Outcome::Cancelled,
        _ => Outcome::Finished,
    };
    let usage = Usage { prompt_tokens: 900, output_tokens: output, ..Usage::default() };
    Record {
        request: RequestId(request),
        model: ModelId(random.next_u32() % demo.models * (random.next_u32() % 2)),
        tenant: TenantId(0),
        session: None,
        priority: 0,
        arrival,
        dispatched: Some(arrival + queue),
        first_token: Some(first),
        ended: first + Nanos(gap.0 * u64::from(output - 1)),
        host: Some(HostId(random.next_u32() % demo.hosts)),
        arm: control::ids::ArmId(0),
        attempts: 1,
        prompt_tokens: 900,
        cached_tokens: 300,
        truncated: false,
        usage: if outcome == Outcome::Finished { usage } else { Usage::default() },
        outcome,
    }
}

fn advance(random: &mut ChaCha8Rng, demo: &Demo, sample: &mut Sample, index: u64) {
    let last = demo.samples.saturating_sub(1).max(1);
    let at = demo.seconds * 1_000_000_000 * index / last;
    let span = at - sample.at.0;
    let day = 0.5 - 0.5 * libm::cos(index as f64 / last as f64 * core::f64::consts::TAU);
    sample.at = Instant(at);
    let grown = (demo.requests as f64 / last as f64 * day * 2.0 * (0.7 + 0.6 * unit(random))) as u64;
    sample.arrived += grown;
    sample.finished = (sample.arrived * 99 / 100).saturating_sub((day * 9.0) as u64);
    sample.queued = ((day * day * 60.0) * unit(random)) as u32;
    sample.in_flight = (day * 4.0 * f64::from(demo.hosts)) as u32;
    let hosts_len = demo.hosts;
    for host in &mut sample.hosts {
        let own = 0.3 + 0.7 * f64::from(host.host.0 * 37 % hosts_len) / f64::from(hosts_len);
        host.busy_nanos += (span as f64 * (day * own * (0.8 + 0.4 * unit(random))).min(1.0)) as u64;
        host.output_tokens += grown * 180 / u64::from(hosts_len);
        if demo.requests > 0 && (index == 0 || random.next_u32().is_multiple_of(60)) {
            change(random, demo, host);
        }
    }
}

fn change(random: &mut ChaCha8Rng, demo: &Demo, host: &mut HostSample) {
    let model = random.next_u32() % demo.models * u32::from(!random.next_u32().is_multiple_of(3));
    if host.loaded.iter().all(|(loaded, _)| loaded.0 != model) {
        if host.loaded.len() > 2 {
            host.loaded.remove(random.next_u32() as usize % 3);
            host.evictions += 1;
        }
        host.loaded.push((ModelId(model), Bytes::from_gib(u64::from(5 + model * 7 % 23))));
        host.loaded.sort();
        host.loads += 1;
        host.tier_hits[1 + random.next_u32() as usize % 2] += 1;
    } else {
        host.tier_hits[0] += 1;
    }
}
