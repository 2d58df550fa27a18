//! Whether intervals over replicates hold the truth as often as they say, where it is known: a queue with one server (M/M/1), simulated as a fleet
//! of one host; and whether a difference that was planted is found.

#[path = "../sim/tests/common/fleet.rs"]
mod common;

use std::process::Command;

use common::{Arrivals, Kept, constant_profile, fleet, host, run};
use control::config::DispatchLimit;
use reports::statistics::estimate::{Terms, estimate};
use sim_host::api::Engine;
use sim_host::host::Serving;

/// Requests of a replicate.
const REQUESTS: u64 = 6_000;
const REPLICATES: u64 = 10;
const REPETITIONS: u64 = 200;

/// Waits of a replicate at half load, in seconds, without a tenth of warm-up: their mean, and their 99th percentile.
fn waits(seed: u64) -> (f64, f64) {
    let one = host(constant_profile(), Serving::Paged { slots: 1, batch_tokens: 512 }, Engine::Coalesced, 1);
    let mut source = Arrivals::new(seed, REQUESTS, 1_000.5e6 / 0.5);
    source.exponential = true;
    let mut kept = Kept::default();
    run(fleet(vec![one]), &mut source, &mut kept, "least-connections", DispatchLimit::Slots);
    let warm = kept.records.iter().filter(|record| record.request.0 >= REQUESTS / 10);
    // The first token comes a step, a millisecond, after the wait.
    let mut waits: Vec<f64> =
        warm.map(|record| record.first_token.unwrap().since(record.arrival).0 as f64 / 1e9 - 0.001).collect();
    waits.sort_unstable_by(f64::total_cmp);
    (waits.iter().sum::<f64>() / waits.len() as f64, waits[waits.len() * 99 / 100])
}

#[test]
fn intervals_of_a_mean_and_of_a_quantile_hold_the_truth() {
    // Service takes 1.0005 s on average (whole milliseconds), the load is a half: a request waits for 1.0005 s on average, and longer than t
    // with the chance 0.5 exp(-t / 2.001).
    let (mean, p99) = (1.000_5, 2.001 * libm::log(0.5 / 0.01));
    let (mut of_mean, mut of_p99) = (0, 0);
    for repetition in 0..REPETITIONS {
        let replicates = (0..REPLICATES).map(|replicate| waits(repetition * REPLICATES + replicate));
        let (means, p99s): (Vec<f64>, Vec<f64>) = replicates.unzip();
        let holds = |values: &[f64], truth: f64| {
            let found = estimate(values, Terms { confidence: 0.95, seed: repetition }).unwrap();
            usize::from((found.low..=found.high).contains(&truth))
        };
        of_mean += holds(&means, mean);
        of_p99 += holds(&p99s, p99);
    }
    println!("of {REPETITIONS} intervals {of_mean} hold the mean and {of_p99} the 99th percentile");
    // 190 are expected; with 99 % confidence it is 181 or more (binomial).
    assert!((181..=199).contains(&of_mean), "{of_mean}");
    assert!((181..=199).contains(&of_p99), "{of_p99}");
}

#[test]
fn a_planted_difference_is_found_with_the_number_of_replicates_that_its_precision_asks_for() {
    // Answers that are longer by 3 % take longer by about as much, where nobody waits.
    let done = Command::new(env!("CARGO_BIN_EXE_herder"))
        .args(["compare", "chat", "--vary", "workload.output.lognormal.median_tokens=180.0,185.4"])
        .args(["--set", "workload.requests=1000", "--precision", "1", "--measure", "e2e_mean_ms", "--json"])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let measured = told["measures"].as_array().unwrap().iter().find(|found| found["key"] == "e2e_mean_ms");
    let difference = &measured.unwrap()["arms"][1]["difference"];
    println!("{} replicates: {difference}", told["replicates"]);
    assert_eq!(difference["verdict"], "worse");
    let percent: Vec<f64> =
        difference["percent"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert!(percent[2] - percent[1] <= 2.2, "about one percent to either side: {percent:?}");
    assert!((1.5..=5.0).contains(&percent[0]), "{percent:?}");
}
