use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::index::moments::Sums;
use crate::units::Nanos;

fn config() -> SelectConfig {
    let rule = |when, arm: &str| RuleFile { when, arm: arm.into() };
    let when = When::default();
    let file = SelectFile {
        arms: ["simple", "even", "predictive", "sharp"].map(Into::into).into(),
        rules: vec![
            rule(When { hosts: Some(Hosts::Few), load: Some(Load::Low), ..when }, "simple"),
            rule(
                When {
                    sensitivity: Some(Sensitivity::Sensitive),
                    prediction: Some(Prediction::Good),
                    ..when
                },
                "predictive",
            ),
            rule(When { spread: Some(Spread::Uneven), ..when }, "even"),
            rule(When { residency: Some(Residency::Moving), load: Some(Load::High), ..when }, "sharp"),
        ],
        hold_decisions: 3,
        residency_millis: 100,
        ..SelectFile::default()
    };
    file.check().expect("a valid config")
}

fn loads(values: &[u32]) -> Sums {
    let mut moments = Sums::default();
    values.iter().for_each(|value| moments.add(*value));
    moments
}

fn at(millis: u64) -> Instant {
    Instant::ZERO + Nanos::from_millis(millis)
}

/// Few hosts under little load.
fn calm() -> Features {
    Features { hosts: 2, load: loads(&[100, 100]), loaded_permille: 1_000, ..Features::default() }
}

/// Many hosts of which one has all the load.
fn uneven() -> Features {
    let mut values = [0; 20];
    values[3] = 4_000;
    Features { hosts: 20, load: loads(&values), ..calm() }
}

#[test]
fn the_first_rule_that_matches_wins() {
    let config = config();
    let wanted = |features: Features| {
        config.arms[usize::from(config.wanted(features.bucket(&config.thresholds)))].clone()
    };
    assert_eq!(wanted(calm()), "simple");
    assert_eq!(wanted(uneven()), "even");
    assert_eq!(wanted(Features { sensitive_permille: 100, ..uneven() }), "predictive");
    assert_eq!(
        wanted(Features { sensitive_permille: 100, prediction_error_permille: 500, ..uneven() }),
        "even"
    );
    let high = Features { load: loads(&[700; 20]), hosts: 20, loaded_permille: 899, ..calm() };
    assert_eq!(wanted(high), "sharp");
    assert_eq!(wanted(Features { loaded_permille: 900, ..high }), "simple", "no rule: the first arm");
}

#[test]
fn another_arm_must_be_wanted_in_a_row_and_the_last_must_have_stayed() {
    let config = config();
    let mut selector = Selector::default();
    let mut choose = |millis, features: &Features| selector.choose(at(millis), Epoch(0), features, &config);
    assert_eq!(choose(0, &calm()), Choice { arm: 0, switched: false });
    for millis in [200, 201] {
        assert_eq!(choose(millis, &uneven()).arm, 0);
    }
    assert_eq!(choose(202, &calm()).arm, 0);
    for millis in [203, 204] {
        assert_eq!(choose(millis, &uneven()).arm, 0, "the row was broken");
    }
    assert_eq!(choose(205, &uneven()), Choice { arm: 1, switched: true });
    for millis in 206..305 {
        assert_eq!(choose(millis, &calm()).arm, 1, "it stays for its time");
    }
    assert_eq!(choose(305, &calm()), Choice { arm: 0, switched: true });
    assert_eq!(selector.counters().switches, 2);
}

#[test]
fn the_table_is_asked_only_when_bucket_or_epoch_change() {
    let config = config();
    let mut selector = Selector::default();
    for (epoch, features, hits) in
        [(0, calm(), 0), (0, calm(), 1), (1, calm(), 1), (1, uneven(), 1), (1, uneven(), 2)]
    {
        selector.choose(at(1), Epoch(epoch), &features, &config);
        assert_eq!(selector.counters().cache_hits, hits);
    }
    assert_eq!(selector.counters().choices, 5);
}

#[test]
fn files_are_checked_and_name_the_key() {
    assert!(SelectFile::default().check().is_ok());
    let rules = vec![RuleFile { arm: "sharp".into(), ..RuleFile::default() }];
    let unknown = SelectFile { rules, ..SelectFile::default() }.check();
    assert_eq!(
        unknown.unwrap_err().to_string(),
        "control.select.rules[0].arm: found \"sharp\", expected one of power-of-two"
    );
    let none = SelectFile { arms: vec![], ..SelectFile::default() }.check();
    assert_eq!(none.unwrap_err().to_string(), "control.select.arms: found 0, expected 1 to 32 names");
}

/// The plain twin: asks the table each time and looks back through all that was wanted.
#[derive(Default)]
struct Twin {
    wanted: Vec<Arm>,
    current: Option<(Arm, Instant)>,
}

impl Twin {
    fn choose(&mut self, now: Instant, features: &Features, config: &SelectConfig) -> Choice {
        let arm = config.wanted(features.bucket(&config.thresholds));
        self.wanted.push(arm);
        let Some((current, since)) = self.current else {
            self.current = Some((arm, now));
            self.wanted.clear();
            return Choice { arm, switched: false };
        };
        let in_a_row = self.wanted.iter().rev().take_while(|wanted| **wanted == arm).count();
        let switched = arm != current
            && in_a_row >= config.hold_decisions as usize
            && now.since(since) >= config.residency;
        if switched {
            self.current = Some((arm, now));
            self.wanted.clear();
        }
        Choice { arm: if switched { arm } else { current }, switched }
    }
}

fn features() -> impl Strategy<Value = Features> {
    let load = prop::collection::vec(0u32..1_500, 0..24);
    (load, 0u16..=200, 0u32..1_000, 800u16..=1_000).prop_map(
        |(load, sensitive_permille, prediction_error_permille, loaded_permille)| Features {
            hosts: load.len() as u32,
            load: loads(&load),
            sensitive_permille,
            prediction_error_permille,
            loaded_permille,
        },
    )
}

proptest! {
    #[test]
    fn selector_is_its_uncached_twin(
        steps in prop::collection::vec((features(), 1usize..8, 0u64..60, any::<bool>()), 1..60),
    ) {
        let (mut selector, mut twin) = (Selector::default(), Twin::default());
        // Another epoch may have other rules: these, or the same backwards.
        let mut configs = [config(), config()];
        configs[1].rules.reverse();
        let (mut now, mut epoch) = (Instant::ZERO, Epoch(0));
        let mut switched_at: Option<Instant> = None;
        let (mut choices, mut switches) = (0, 0);
        for (features, times, millis, next_epoch) in steps {
            epoch.0 += u32::from(next_epoch);
            let config = &configs[epoch.0 as usize % 2];
            for _ in 0..times {
                now += Nanos::from_millis(millis);
                let choice = selector.choose(now, epoch, &features, config);
                prop_assert_eq!(choice, twin.choose(now, &features, config));
                choices += 1;
                if choice.switched {
                    switches += 1;
                    prop_assert!(switched_at.is_none_or(|at| now.since(at) >= config.residency));
                    switched_at = Some(now);
                }
            }
        }
        let counters = *selector.counters();
        prop_assert_eq!((counters.choices, counters.switches), (choices, switches));
    }

    #[test]
    fn flapping_features_switch_no_more_often_than_the_residency_allows(
        spans in prop::collection::vec((1usize..6, any::<bool>()), 1..400),
    ) {
        let (config, mut selector, mut millis) = (config(), Selector::default(), 0);
        for (times, is_calm) in spans {
            let features = if is_calm { calm() } else { uneven() };
            for _ in 0..times {
                millis += 1;
                selector.choose(at(millis), Epoch(0), &features, &config);
            }
        }
        prop_assert!(selector.counters().switches <= millis / 100);
    }
}
