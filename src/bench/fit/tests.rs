use control::draw::{Component, Draw};

use super::*;

/// Costs of `a + b·f(n)` for five seeds, each off by up to `noise` of itself.
fn costs(curve: Complexity, (a, b): (f64, f64), noise: f64) -> Vec<Point> {
    let mut points = Vec::new();
    for n in [10.0, 100.0, 1_000.0, 10_000.0] {
        for seed in 0..5 {
            let mut draw = Draw::new(seed, Component::Network, n as u64, curve as u64);
            let off = (f64::from(draw.below(2_001)) / 1_000.0 - 1.0) * noise;
            points.push(Point { n, y: (a + b * curve.at(n)) * (1.0 + off) });
        }
    }
    points
}

#[test]
fn each_curve_is_found_without_noise() {
    for curve in Complexity::ALL {
        assert_eq!(complexity(&costs(curve, (0.0, 7.0), 0.0)), Some(curve), "{}", curve.name());
        assert_eq!(complexity(&costs(curve, (20.0, 3.0), 0.0)), Some(curve), "{}", curve.name());
    }
}

#[test]
fn each_curve_is_found_under_noise() {
    for curve in Complexity::ALL {
        for noise in [0.02, 0.05, 0.1] {
            assert_eq!(
                complexity(&costs(curve, (5.0, 2.0), noise)),
                Some(curve),
                "{} at {noise}",
                curve.name()
            );
        }
    }
}

#[test]
fn two_scales_tell_no_curve() {
    let points = costs(Complexity::Linear, (1.0, 1.0), 0.0);
    assert_eq!(complexity(&points[..10]), None);
    assert_eq!(exponent(&points[..5]), None, "one scale has no slope");
}

#[test]
fn exponents_of_powers_lie_in_their_intervals() {
    for (curve, power) in [
        (Complexity::Constant, 0.0),
        (Complexity::Linear, 1.0),
        (Complexity::Quadratic, 2.0),
        (Complexity::Cubic, 3.0),
    ] {
        let Estimate { value, low, high } = exponent(&costs(curve, (0.0, 3.0), 0.1)).unwrap();
        assert!(
            (low..=high).contains(&power) && (value - power).abs() < 0.03,
            "{power}: {value}, {low} to {high}"
        );
    }
}

#[test]
fn intervals_widen_with_fewer_values_and_hold_the_mean() {
    let few = mean(&[1.0, 2.0, 3.0]);
    let many = mean(&[1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!((few.value, many.value), (2.0, 2.0));
    // By hand: 4.303 × 1 / √3.
    assert!((few.high - few.value - 2.484).abs() < 0.001, "{few:?}");
    assert!(many.high < few.high && mean(&[5.0]).low == 5.0);
    assert!((student(31) - 2.040).abs() < 0.01 && (student(1_000) - 1.962).abs() < 0.002);
}

#[test]
fn a_gain_must_be_larger_than_chance_and_than_five_percent() {
    let base = [100.0, 104.0, 98.0, 101.0, 99.0];
    assert_eq!(verdict(&base, &base.map(|time| time / 2.0), GAIN_LEAST), Verdict::Gain);
    assert_eq!(verdict(&base, &base, GAIN_LEAST), Verdict::NoGain);
    assert_eq!(verdict(&base, &base.map(|time| time / 1.02), GAIN_LEAST), Verdict::NoGain, "2 %");
    assert_eq!(verdict(&base, &base.map(|time| time * 2.0), GAIN_LEAST), Verdict::NoGain, "a loss");
    assert_eq!(
        verdict(&base, &[20.0, 300.0, 25.0, 280.0, 30.0], GAIN_LEAST),
        Verdict::NoGain,
        "as likely chance"
    );
}

fn compared(scales: &[(u64, f64)]) -> Vec<Compared> {
    let verdict = |factor| if factor >= 1.05 { Verdict::Gain } else { Verdict::NoGain };
    scales.iter().map(|&(scale, factor)| Compared { scale, verdict: verdict(factor), factor }).collect()
}

#[test]
fn crossover_lies_where_the_curves_meet() {
    assert_eq!(crossover(&compared(&[(10, 2.0), (100, 3.0)])), Crossover::Always);
    assert_eq!(crossover(&compared(&[(10, 0.5), (100, 1.0)])), Crossover::Never);
    assert_eq!(crossover(&[]), Crossover::Never);
    // Half as fast at 10, twice as fast at 1,000: even in the middle of the logarithms.
    assert_eq!(crossover(&compared(&[(10, 0.5), (1_000, 2.0), (10_000, 9.0)])), Crossover::At(100));
    // Ahead, but within what chance does: sure from the next scale on.
    assert_eq!(crossover(&compared(&[(10, 1.02), (100, 2.0)])), Crossover::At(100));
}

#[test]
fn a_win_that_is_lost_again_does_not_count() {
    assert_eq!(crossover(&compared(&[(10, 2.0), (100, 0.9), (1_000, 1.0)])), Crossover::Never);
    let Crossover::At(at) = crossover(&compared(&[(10, 2.0), (100, 0.9), (1_000, 1.5)])) else {
        panic!("wins at last")
    };
    assert!((101..1_000).contains(&at), "{at}");
}
