use crate::config::WorkloadFile;
use crate::sample::Draws;
use std::path::Path;

/// 20,000 (prompt, output) of a workload.
fn lengths(toml: &str) -> Vec<(u32, u32)> {
    let file: WorkloadFile = toml::from_str(toml).expect("the test's text fits");
    let lengths =
        crate::check::lengths_for_tests(&file, Path::new("")).expect("the test's lengths are right");
    (0..20_000).map(|job| lengths.draw(Draws::new(1).at(job, 0))).collect()
}

fn mean(values: impl ExactSizeIterator<Item = u32>) -> f64 {
    let len = values.len() as f64;
    values.map(f64::from).sum::<f64>() / len
}

#[test]
fn fixed_lengths_are_all_alike() {
    let found = lengths("prompt.fixed.tokens = 7\noutput.fixed.tokens = 3");
    assert!(found.iter().all(|pair| *pair == (7, 3)));
}

#[test]
fn lognormal_keeps_its_median_mean_and_ends() {
    let found = lengths(
        "prompt.lognormal = { median_tokens = 400, sigma = 0.9, min_tokens = 50, max_tokens = 2000 }
         output.lognormal = { mean_tokens = 200, cv = 0.7 }",
    );
    let below = found.iter().filter(|(prompt, _)| *prompt < 400).count() as f64;
    // 99.9 % of a binomial with p = 0.5.
    assert!((below - 10_000.0).abs() < 3.29 * libm::sqrt(5_000.0), "{below} below the median");
    let prompts = || found.iter().map(|(prompt, _)| *prompt);
    assert_eq!((prompts().min(), prompts().max()), (Some(50), Some(2_000)), "both ends are reached");
    let output = mean(found.iter().map(|(_, output)| *output));
    assert!((output - 200.0).abs() < 3.29 * 140.0 / libm::sqrt(20_000.0), "{output}");
}

#[test]
fn quantiles_are_met_and_joined_by_lines() {
    let found = lengths(
        "prompt.empirical.quantiles = [[0, 10], [50, 100], [90, 100], [100, 1000]]
         output.empirical.tokens = [5, 5, 8]",
    );
    let share = |low, high| {
        found.iter().filter(|(prompt, _)| (low..=high).contains(prompt)).count() as f64 / 20_000.0
    };
    let near = |found: f64, expected: f64| {
        let interval = 3.29 * libm::sqrt(expected * (1.0 - expected) / 20_000.0);
        assert!((found - expected).abs() < interval, "{found}, expected {expected}");
    };
    near(share(10, 54), 0.5 * 44.5 / 90.0);
    near(share(100, 100), 0.4 + 0.5 * 0.5 / 90.0 + 0.1 * 0.5 / 900.0);
    near(share(551, 1_000), 0.1 * 449.5 / 900.0);
    near(found.iter().filter(|(_, output)| *output == 8).count() as f64 / 20_000.0, 1.0 / 3.0);
}

#[test]
fn pairs_stay_together() {
    let found = lengths("pairs.tokens = [[10, 1], [20, 2], [30, 3]]");
    assert!(found.iter().all(|(prompt, output)| *prompt == output * 10));
    assert!((mean(found.iter().map(|(_, output)| *output)) - 2.0).abs() < 0.02);
}

#[test]
fn other_answers_leave_prompts_as_they_were() {
    let prompts = |text| lengths(text).into_iter().map(|(prompt, _)| prompt).collect::<Vec<_>>();
    assert_eq!(prompts("output.fixed.tokens = 3"), prompts("output.empirical.tokens = [1, 2, 3]"));
}
