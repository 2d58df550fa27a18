use super::*;

fn arrivals(toml: &str) -> Arrivals {
    Arrivals::check(&toml::from_str(toml).expect("the test's text fits")).expect("the test's rates are right")
}

/// The first `len` instants in seconds.
fn seconds(toml: &str, seed: u64, len: usize) -> Vec<f64> {
    let mut clock = Clock::new(&arrivals(toml), seed);
    (0..len).map(|_| clock.tick().0 as f64 / 1e9).collect()
}

/// Gaps between instants, the first from 0.
fn gaps(instants: &[f64]) -> Vec<f64> {
    let before = std::iter::once(&0.0).chain(instants);
    instants.iter().zip(before).map(|(at, before)| at - before).collect()
}

fn mean_and_cv(values: &[f64]) -> (f64, f64) {
    let len = values.len() as f64;
    let mean = values.iter().sum::<f64>() / len;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (len - 1.0);
    (mean, libm::sqrt(variance) / mean)
}

#[test]
fn instants_keep_their_golden_values() {
    let texts = [
        "poisson.rate_per_second = 32",
        "gamma = { rate_per_second = 2, cv = 3 }",
        "on_off = { on_rate_per_second = 8, off_rate_per_second = 0.5 }",
        "daily = { mean_rate_per_second = 2, peak_seconds = 3600 }",
    ];
    let found = texts.map(|text| {
        let mut clock = Clock::new(&arrivals(text), 42);
        [clock.tick().0, clock.tick().0, clock.tick().0]
    });
    let golden = [
        [12_012_507, 49_439_881, 81_237_895],
        [57_162_439, 241_480_898, 383_876_457],
        [768_800_459, 3_164_152_374, 5_199_225_271],
        [120_125_072, 494_398_809, 812_378_949],
    ];
    assert_eq!(found, golden);
}

#[test]
fn instants_never_go_back() {
    for text in ["poisson = {}", "gamma.cv = 20", "on_off = {}", "daily = {}"] {
        let instants = seconds(text, 5, 10_000);
        assert!(instants.is_sorted(), "{text}");
    }
}

#[test]
fn poisson_has_its_rate_and_is_as_irregular_as_chance() {
    for seed in 0..5 {
        let (mean, cv) = mean_and_cv(&gaps(&seconds("poisson.rate_per_second = 32", seed, 50_000)));
        // 99 % of the mean of n exponential gaps; the deviation of their cv is about 1/√n.
        let interval = 2.576 / libm::sqrt(50_000.0);
        assert!((mean * 32.0 - 1.0).abs() < interval, "seed {seed}: mean gap {mean}");
        assert!((cv - 1.0).abs() < 1.5 * interval, "seed {seed}: cv {cv}");
    }
}

#[test]
fn gamma_has_its_rate_and_its_variation() {
    for (target, tolerance) in [(0.3, 0.02), (1.0, 0.02), (3.0, 0.05)] {
        for seed in 0..3 {
            let text = format!("gamma = {{ rate_per_second = 10, cv = {target} }}");
            let (mean, cv) = mean_and_cv(&gaps(&seconds(&text, seed, 100_000)));
            let interval = 2.576 * target / libm::sqrt(100_000.0);
            assert!((mean * 10.0 - 1.0).abs() < interval, "seed {seed}, cv {target}: mean gap {mean}");
            assert!((cv / target - 1.0).abs() < tolerance, "seed {seed}, cv {target}: {cv}");
        }
    }
}

#[test]
fn on_off_has_its_mean_rate_and_clusters() {
    let text = "on_off = { on_rate_per_second = 20, off_rate_per_second = 1, on_mean_seconds = 2, off_mean_seconds = 6 }";
    assert_eq!(arrivals(text).mean_rate(), 5.75);
    for seed in 0..3 {
        // Counts over stretches of 1,000 s are nearly independent: their spread gives the interval of the mean.
        let instants = seconds(text, seed, 600_000);
        let mut counts = vec![0.0; 100];
        for at in instants.iter().filter(|at| **at < 100_000.0) {
            counts[(at / 1_000.0) as usize] += 1.0;
        }
        assert!(instants.last() > Some(&100_000.0));
        let (mean, cv) = mean_and_cv(&counts);
        let interval = 2.626 * cv * mean / 10.0;
        assert!((mean - 5_750.0).abs() < interval, "seed {seed}: {mean} ± {interval}");
        let (_, cv) = mean_and_cv(&gaps(&instants));
        assert!(cv > 1.3, "seed {seed}: cv {cv}");
    }
}

#[test]
fn silent_off_phases_are_silent() {
    let text = "on_off = { on_rate_per_second = 1000, off_rate_per_second = 0, on_mean_seconds = 1, off_mean_seconds = 9 }";
    let instants = seconds(text, 1, 20_000);
    let silent: f64 = gaps(&instants).iter().filter(|gap| **gap > 0.05).sum();
    let share = silent / instants[19_999];
    assert!((0.75..0.99).contains(&share), "{share} of the time is silent");
}

#[test]
fn daily_cycle_has_its_mean_rate_and_its_peak_at_its_time() {
    let text = "daily = { mean_rate_per_second = 3, amplitude_percent = 80, period_seconds = 86400, peak_seconds = 50400 }";
    for seed in 0..3 {
        // Ten days; a little more than there can be.
        let instants = seconds(text, seed, 2_700_000);
        let in_time: Vec<f64> = instants.into_iter().filter(|at| *at < 864_000.0).collect();
        let (found, expected) = (in_time.len() as f64, 3.0 * 864_000.0);
        assert!((found - expected).abs() < 2.576 * libm::sqrt(expected), "seed {seed}: {found} in ten days");
        // The first harmonic tells where the peak is, and how high: half the amplitude.
        let (mut x, mut y) = (0.0, 0.0);
        for at in &in_time {
            let (sin, cos) = libm::sincos(core::f64::consts::TAU * at / 86_400.0);
            (x, y) = (x + cos, y + sin);
        }
        let peak = (libm::atan2(y, x) / core::f64::consts::TAU).rem_euclid(1.0) * 86_400.0;
        assert!((peak - 50_400.0).abs() < 120.0, "seed {seed}: peak at {peak} s");
        let amplitude = 2.0 * libm::hypot(x, y) / found;
        assert!((amplitude - 0.8).abs() < 0.01, "seed {seed}: amplitude {amplitude}");
    }
}
