//! What plans of the strategies of placement cost to make at a size, and how far they are from the best in small fleets:
//! `cargo run --release -p control --example placement`.

use std::time::{Duration, Instant as Clock};

use control::draw::{Component, Draw};
use control::ids::{HostId, ModelId};
use control::place::check::check;
use control::place::objective::objective;
use control::place::problem::{Host, Limits, Model, Plan, Problem, Resident, Standing};
use control::place::{ALL, PlacementKind, plan};
use control::strategy::{Chosen, Parameters};
use control::units::{Bytes, Instant, Nanos};

fn main() {
    println!(
        "1,000 hosts, 200 models: nothing loaded, then with the greedy plan loaded and a third of the load gone"
    );
    let mut empty = fleet(&mut Draw::new(1, Component::Balancer, 0, 0), 1_000, 200);
    let greedy = plan(&chosen(PlacementKind::Greedy), &empty);
    let cold = time_all(&empty);
    empty.loaded = residents(&greedy);
    empty.models.iter_mut().step_by(3).for_each(|model| model.arrivals_micros = 0);
    let warm = time_all(&empty);
    println!("{:<12} {:>12} {:>10} {:>12} {:>10}", "strategy", "ms", "replicas", "ms", "replicas");
    for ((line, cold), warm) in ALL.iter().zip(cold).zip(warm) {
        let millis = |spent: Duration| spent.as_secs_f64() * 1e3;
        println!(
            "{:<12} {:>12.2} {:>10} {:>12.2} {:>10}",
            line.1.name,
            millis(cold.0),
            cold.1,
            millis(warm.0),
            warm.1
        );
    }
    println!(
        "\n500 fleets of 4 hosts and 5 models: (cost - least) / least, and how often it is the best plan"
    );
    gaps(500);
}

fn chosen(kind: PlacementKind) -> Chosen<PlacementKind> {
    let line = ALL.iter().find(|line| line.0 == kind).expect("every kind has its line");
    Chosen { kind, parameters: Parameters::defaults(line.1.parameters) }
}

/// The fastest of five, and replicas.
fn time_all(problem: &Problem) -> Vec<(Duration, usize)> {
    let time = |kind: PlacementKind| {
        let once = |_| {
            let start = Clock::now();
            let made = plan(&chosen(kind), problem);
            let spent = start.elapsed();
            check(problem, &made).expect("a plan keeps to what was asked");
            (spent, made.replicas.len())
        };
        (0..5).map(once).min().expect("five")
    };
    ALL.iter().map(|line| time(line.0)).collect()
}

/// Hosts of 24 to 80 GiB in three zones; models of 1 to 40 GiB, the n-th asked for 1/n as often; half of the slots are busy
/// where each host has one model loaded.
fn fleet(draw: &mut Draw, hosts_len: u32, models_len: u32) -> Problem {
    let hosts: Vec<Host> = (0..hosts_len)
        .map(|id| Host {
            id: HostId(id),
            memory: Bytes::from_gib([24, 24, 48, 80][draw.below(4) as usize]),
            models_max: Some(3),
            slots: [2, 4, 4, 8][draw.below(4) as usize],
            zone: draw.below(3),
            open: draw.below(50) > 0,
            stored: (0..models_len).map(ModelId).filter(|_| draw.below(3) == 0).collect(),
        })
        .collect();
    let slots: u64 = hosts.iter().map(|host| u64::from(host.slots)).sum();
    let harmonic: f64 = (1..=models_len).map(|n| 1.0 / f64::from(n)).sum();
    let models = (0..models_len).map(|id| {
        let service_millis = 1_000 + u64::from(draw.below(9_000));
        let load = slots as f64 / 2.0 / harmonic / f64::from(id + 1);
        let gib = 1 + u64::from(draw.below(8) * draw.below(6));
        Model {
            id: ModelId(id),
            memory: Bytes::from_gib(gib),
            arrivals_micros: (load / service_millis as f64 * 1e9) as u64,
            forecast_micros: None,
            service: Nanos::from_millis(service_millis),
            load: Nanos::from_millis(500 * gib + 500),
            limits: Limits::default(),
            pinned: Vec::new(),
            excluded: Vec::new(),
            apart_from: Vec::new(),
            zones_min: 1 + draw.below(2),
        }
    });
    Problem {
        now: Instant(3_600_000_000_000),
        residency_min: Nanos::from_secs(60),
        horizon: Nanos::from_secs(300),
        models: models.collect(),
        hosts,
        loaded: Vec::new(),
    }
}

fn residents(plan: &Plan) -> Vec<Resident> {
    plan.replicas
        .iter()
        .map(|replica| Resident { host: replica.host, model: replica.model, since: Instant::ZERO })
        .collect()
}

fn gaps(fleets: u64) {
    let mut gaps = vec![Vec::new(); ALL.len()];
    for seed in 0..fleets {
        let draw = &mut Draw::new(2, Component::Balancer, seed, 0);
        let mut problem = fleet(draw, 4, 5);
        let loaded = (0..4).map(|host| (HostId(host), ModelId(draw.below(5))));
        problem.loaded = loaded.map(|(host, model)| Resident { host, model, since: Instant::ZERO }).collect();
        let exact = plan(&chosen(PlacementKind::Exact), &problem);
        let least = objective(&problem, &exact).cost;
        if exact.standing != Standing::Exact || least == 0 {
            continue;
        }
        for (gaps, line) in gaps.iter_mut().zip(ALL) {
            let found = objective(&problem, &plan(&chosen(line.0), &problem)).cost;
            gaps.push(100.0 * (found - least) as f64 / least as f64);
        }
    }
    println!("{:<12} {:>12} {:>12} {:>8}", "strategy", "mean %", "median %", "best");
    for (mut gaps, line) in gaps.into_iter().zip(ALL) {
        gaps.sort_by(f64::total_cmp);
        let (mean, median) = (gaps.iter().sum::<f64>() / gaps.len() as f64, gaps[gaps.len() / 2]);
        let best = gaps.iter().filter(|gap| **gap == 0.0).count();
        println!("{:<12} {mean:>12.1} {median:>12.1} {best:>8} of {}", line.1.name, gaps.len());
    }
}
