use control::ids::{ModelId, RequestId};
use control::request::{Failure, Outcome, Reject, Usage};
use control::units::{Instant, Nanos};
use proptest::prelude::*;
use traces::record::Record;

use super::*;
use crate::histogram::Histogram;
use crate::made_up::{MILLI, ended, finished, metrics, metrics_by_arm, spec, spec_by_arm};

#[test]
fn names_of_reasons_stand_in_the_order_of_their_enums() {
    for (index, (reject, name)) in REJECTS.into_iter().enumerate() {
        assert_eq!((reject as usize, reject_name(reject)), (index, name));
        assert_eq!(serde_json::to_value(reject).unwrap(), name);
    }
    for (index, (failure, name)) in FAILURES.into_iter().enumerate() {
        assert_eq!((failure as usize, failure_name(failure)), (index, name));
        assert_eq!(serde_json::to_value(failure).unwrap(), name);
    }
}

#[test]
fn tpot_of_one_token_is_undefined() {
    assert_eq!(tpot(&finished(0, 100, 300, 0)), None);
    assert_eq!(tpot(&finished(0, 100, 300, 1)), None);
    assert_eq!(tpot(&finished(0, 100, 300, 2)), Some(Nanos(300 * MILLI)));
    assert_eq!(tpot(&finished(0, 100, 300, 4)), Some(Nanos(100 * MILLI)));
}

#[test]
fn a_request_of_one_token_is_in_ttft_but_not_in_tpot() {
    let mut metrics = Metrics::new(spec());
    metrics.record(&finished(0, 100, 0, 1));
    let latencies = metrics.latencies();
    assert_eq!((latencies.ttft.count(), latencies.tpot.count(), latencies.itl.count()), (1, 0, 0));
}

#[test]
fn the_warm_up_is_counted_but_not_in_any_quantile() {
    let mut metrics = Metrics::new(MetricsSpec { warmup_requests: 2, ..spec() });
    for id in 0..4 {
        metrics.record(&finished(id, 100 * (4 - id), 1_000, 11));
    }
    metrics.record(&ended(1, Outcome::Cancelled));
    metrics.record(&ended(5, Outcome::Cancelled));
    let (counts, latencies) = (metrics.counts(), metrics.latencies());
    assert_eq!((counts.arrived, counts.finished, counts.cancelled), (6, 4, 2));
    assert_eq!((latencies.ttft.count(), latencies.e2e.count(), latencies.infinite), (2, 2, 1));
    assert_eq!(latencies.ttft.max(), Some(200 * MILLI));
    assert_eq!(metrics.hosts().map(|(_, host)| host.ttft_count).sum::<u64>(), 2);
}

#[test]
fn goodput_needs_both_objectives_and_the_bounds_belong_to_it() {
    let good = |record: &Record| {
        let mut metrics = Metrics::new(spec());
        metrics.record(record);
        metrics.counts().good
    };
    assert_eq!(good(&finished(0, 2_000, 1_000, 11)), 1, "2 s and 100 ms exactly");
    assert_eq!(good(&finished(0, 2_001, 1_000, 11)), 0);
    assert_eq!(good(&finished(0, 2_000, 1_001, 11)), 0);
    assert_eq!(good(&finished(0, 2_000, 9_000, 1)), 1, "no tpot to miss");
    assert_eq!(good(&ended(0, Outcome::Cancelled)), 0);
}

#[test]
fn gaps_weigh_each_request_by_its_tokens() {
    let mut metrics = Metrics::new(spec());
    metrics.record(&finished(0, 100, 990, 100));
    metrics.record(&finished(1, 100, 90, 2));
    let latencies = metrics.latencies();
    assert_eq!((latencies.itl.count(), latencies.tpot.count()), (100, 2));
    assert_eq!(latencies.gaps_nanos, 1_080 * u128::from(MILLI));
}

#[test]
fn a_model_or_host_without_a_name_is_counted_under_its_number() {
    let mut metrics = Metrics::new(spec());
    metrics.record(&Record { model: ModelId(7), ..finished(2, 5, 5, 2) });
    assert_eq!(metrics.models().map(|(id, _)| id).collect::<Vec<_>>(), [ModelId(7)]);
    assert_eq!(metrics.spec().model_name(ModelId(7)), "model-7");
    assert_eq!(
        metrics.hosts().map(|(id, host)| (id.0, host.ended)).collect::<Vec<_>>(),
        [(0, 0), (1, 0), (2, 1)]
    );
}

#[test]
fn retries_and_truncations_of_whatever_ended_are_counted() {
    let counts = metrics().counts();
    assert_eq!((counts.attempts, counts.retried, counts.truncated), (12, 2, 1));
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Finished),
        1 => (0..REJECTS.len()).prop_map(|index| Outcome::Rejected(REJECTS[index].0)),
        1 => (0..FAILURES.len()).prop_map(|index| Outcome::Failed(FAILURES[index].0)),
        1 => Just(Outcome::Cancelled),
        1 => Just(Outcome::Unfinished),
    ]
}

proptest! {
    #[test]
    fn every_arrival_ends_in_exactly_one_way(
        outcomes in prop::collection::vec((any_outcome(), 0_u32..5, any::<bool>()), 0..200),
        warmup_requests in 0_u64..250,
    ) {
        let mut metrics = Metrics::new(MetricsSpec { warmup_requests, ..spec() });
        for (id, (outcome, model, token)) in (0..).zip(&outcomes) {
            metrics.record(&Record {
                request: RequestId(id),
                model: ModelId(*model),
                outcome: *outcome,
                first_token: token.then_some(Instant(id)),
                usage: Usage { output_tokens: *model, ..Usage::default() },
                ..finished(0, 1, 1, 1)
            });
        }
        let counts = metrics.counts();
        prop_assert_eq!(counts.arrived, outcomes.len() as u64);
        let ends = counts.finished + counts.rejected.iter().sum::<u64>() + counts.failed.iter().sum::<u64>()
            + counts.cancelled + counts.unfinished;
        prop_assert_eq!(counts.arrived, ends);
        let latencies = metrics.latencies();
        let measured = (outcomes.len() as u64).saturating_sub(warmup_requests);
        prop_assert_eq!(latencies.e2e.count() + latencies.infinite, measured);
        prop_assert!(counts.good <= counts.finished);
    }
}

#[test]
fn reasons_are_told_apart() {
    let mut metrics = Metrics::new(spec());
    metrics.record(&ended(0, Outcome::Rejected(Reject::DeadlinePassed)));
    metrics.record(&ended(1, Outcome::Failed(Failure::Broken)));
    let counts = metrics.counts();
    assert_eq!(counts.rejected, [0, 0, 0, 1, 0, 0]);
    assert_eq!(counts.failed, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn arms_share_out_the_requests_and_are_told_apart_only_where_asked() {
    let metrics = metrics_by_arm();
    let arms: Vec<_> = metrics.arms().map(|(id, tally)| (id.0, tally.counts.arrived)).collect();
    assert_eq!(arms, [(0, 8), (2, 4)]);
    let mut sum = Counts::default();
    metrics.arms().for_each(|(_, tally)| sum.merge(&tally.counts));
    assert_eq!(sum, metrics.counts());
    let count = |of: fn(&Latencies) -> &Histogram| -> u64 {
        metrics.arms().map(|(_, tally)| of(&tally.latencies()).count()).sum()
    };
    assert_eq!(count(|latencies| &latencies.ttft), metrics.latencies().ttft.count());
    assert_eq!(count(|latencies| &latencies.itl), metrics.latencies().itl.count());

    assert_eq!(crate::made_up::metrics().arms().count(), 0);
}

#[test]
fn arms_of_one_name_are_called_with_their_balancers() {
    let names = [0, 1, 2, 3].map(|id| spec_by_arm().arm_name(ArmId(id)));
    assert_eq!(names, ["base (random)", "shadow/least-load", "base (least-tokens)", "arm-3"]);
}
