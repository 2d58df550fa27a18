use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;
use crate::draw::{Component, Draw};

/// A thousand times to the first byte, spread as a log-normal with a tail: 100 ms, times or by 1.6, and 2 % ten times as long.
fn times() -> Vec<Nanos> {
    (0..1_000)
        .map(|entity| {
            let mut draw = Draw::new(1, Component::PromptBytes, entity, 0);
            let normal: f64 =
                (0..12).map(|_| f64::from(draw.below(1 << 20)) / f64::from(1 << 20)).sum::<f64>() - 6.0;
            let tail = if draw.below(50) == 0 { 10.0 } else { 1.0 };
            Nanos((100e6 * (normal * 0.7).exp2() * tail) as u64)
        })
        .collect()
}

/// Answers until the guard fires, of at most so many; `treat` makes an answer of the arm from one of control.
fn fires_at(
    seed: u64,
    answers: u64,
    config: &GuardConfig,
    mut answer: impl FnMut(Side, &mut Draw) -> Answer,
) -> Option<u64> {
    let mut guard = GuardState::default();
    let mut draw = Draw::new(seed, Component::Balancer, 0, 0);
    (1..=answers).find(|_| {
        let side = if draw.below(2) == 0 { Side::Control } else { Side::Treatment };
        guard.note(side, answer(side, &mut draw), config);
        guard.verdict(config).is_some()
    })
}

fn config(metric: Metric, worse_percent_max: u32) -> GuardConfig {
    let file = GuardFile { metric, worse_percent_max, alpha_permille: 50, ..GuardFile::default() };
    file.check().expect("a valid config")
}

fn failing(side: Side, draw: &mut Draw, permille: [u32; 2]) -> Answer {
    Answer { ttft: None, failed: draw.below(1_000) < permille[usize::from(side == Side::Treatment)] }
}

fn timed(times: &[Nanos], draw: &mut Draw) -> Nanos {
    times[draw.below(times.len() as u32) as usize]
}

#[test]
fn equal_arms_looked_at_after_each_of_10000_answers_fire_in_at_most_alpha_of_1000_seeds() {
    let (times, config) = (times(), config(Metric::Ttft, 0));
    let fired = (0..1_000)
        .filter(|seed| {
            let answer = |_, draw: &mut Draw| Answer { ttft: Some(timed(&times, draw)), failed: false };
            fires_at(*seed, 10_000, &config, answer).is_some()
        })
        .count();
    assert!(fired <= 50, "{fired} of 1,000 at an alpha of 5 %");
    assert!(fired > 0, "a test that never errs at an alpha of 5 % has no power");
}

#[test]
fn equal_shares_of_failures_fire_in_at_most_alpha_of_1000_seeds() {
    let config = config(Metric::Failures, 0);
    for permille in [20, 300] {
        let fired = (0..1_000)
            .filter(|seed| {
                let answer = |side, draw: &mut Draw| failing(side, draw, [permille, permille]);
                fires_at(*seed, 10_000, &config, answer).is_some()
            })
            .count();
        assert!(fired <= 50, "{fired} of 1,000 at {permille} failures of 1,000 and an alpha of 5 %");
    }
}

#[test]
fn twice_the_time_is_caught_within_300_answers() {
    let (times, config) = (times(), GuardFile::default().check().expect("valid"));
    for seed in 0..200 {
        let answer = |side, draw: &mut Draw| {
            let ttft = timed(&times, draw);
            let ttft = if side == Side::Treatment { Nanos(ttft.0 * 2) } else { ttft };
            Answer { ttft: Some(ttft), failed: false }
        };
        let at = fires_at(seed, 300, &config, answer);
        assert!(at.is_some_and(|at| at >= 100), "seed {seed}: {at:?}");
    }
}

#[test]
fn an_arm_that_fails_half_of_the_time_is_caught_within_200_answers() {
    let config = config(Metric::Failures, 20);
    for seed in 0..200 {
        let at = fires_at(seed, 200, &config, |side, draw| failing(side, draw, [50, 500]));
        assert!(at.is_some(), "seed {seed}");
    }
}

#[test]
fn an_arm_within_what_is_allowed_or_better_does_not_fire() {
    let (times, config) = (times(), config(Metric::Ttft, 20));
    for seed in 0..200 {
        for percent in [50, 110] {
            let answer = |side, draw: &mut Draw| {
                let ttft = timed(&times, draw);
                let ttft = if side == Side::Treatment { Nanos(ttft.0 * percent / 100) } else { ttft };
                Answer { ttft: Some(ttft), failed: false }
            };
            assert_eq!(fires_at(seed, 5_000, &config, answer), None, "seed {seed}, {percent} %");
        }
    }
}

#[test]
fn one_outlier_does_not_decide() {
    let config = GuardFile::default().check().expect("valid");
    let mut guard = GuardState::default();
    for number in 0..100 {
        for side in [Side::Control, Side::Treatment] {
            let outlier = number == 60 && side == Side::Treatment;
            let ttft = Some(if outlier { Nanos::from_secs(3_600) } else { Nanos::from_millis(100) });
            guard.note(side, Answer { ttft, failed: false }, &config);
            assert_eq!(guard.verdict(&config), None);
        }
    }
}

#[test]
fn nothing_is_said_before_enough_answers_and_old_ones_are_forgotten() {
    let config =
        GuardFile { answers_min: 20, window_answers: 30, ..GuardFile::default() }.check().expect("valid");
    let mut guard = GuardState::default();
    let note = |guard: &mut GuardState, control: u64, treatment: u64| {
        for (side, millis) in [(Side::Control, control), (Side::Treatment, treatment)] {
            guard.note(side, Answer { ttft: Some(Nanos::from_millis(millis)), failed: false }, &config);
        }
    };
    for _ in 0..19 {
        note(&mut guard, 100, 1_000);
        assert_eq!(guard.verdict(&config), None);
    }
    note(&mut guard, 100, 1_000);
    let breach = guard.verdict(&config).expect("ten times as slow");
    assert_eq!((breach.control_answers, breach.treatment_answers), (20, 20));
    assert_eq!(breach.treatment_mean - breach.control_mean, 3_401, "log2(10) is 3.32");
    (0..11).for_each(|_| note(&mut guard, 100, 1_000));
    assert_eq!(guard.verdict(&config), None, "a new window has begun");
    guard.note(Side::Treatment, Answer { ttft: None, failed: true }, &config);
    assert_eq!(guard.treatment.answers, 1, "no first byte, no time");
}

#[test]
fn values_at_their_limits_do_not_overflow() {
    for metric in [Metric::Ttft, Metric::Failures] {
        let value = if metric == Metric::Ttft { 64 << 10 } else { ONE };
        let most =
            Sums { answers: 100_000_000, sum: value * 100_000_000, squares: value * value * 100_000_000 };
        let least = Sums { answers: 100_000_000, ..Sums::default() };
        for (worse_percent_max, alpha_permille) in [(0, 1), (1_000, 500)] {
            let file = GuardFile { metric, worse_percent_max, alpha_permille, ..GuardFile::default() };
            let config = file.check().expect("valid");
            assert!(GuardState { control: least, treatment: most }.verdict(&config).is_some());
            assert!(GuardState { control: most, treatment: least }.verdict(&config).is_none());
            assert!(GuardState { control: most, treatment: most }.verdict(&config).is_none());
        }
    }
}

#[test]
fn files_are_checked_and_name_the_key() {
    assert!(GuardFile::default().check().is_ok());
    let few = GuardFile { answers_min: 3, ..GuardFile::default() }.check();
    assert_eq!(few.unwrap_err().to_string(), "control.guard.answers_min: found 3, expected 20 to 1000000");
    let short = GuardFile { answers_min: 50, window_answers: 49, ..GuardFile::default() }.check();
    assert_eq!(
        short.unwrap_err().to_string(),
        "control.guard.window_answers: found 49, expected 50 to 100000000"
    );
}
