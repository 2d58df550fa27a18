//! Two models that must be loaded first, over a whole simulation: where a host is asked for one at a time, the other is loaded by a
//! host that is free, and nobody waits for two loads.

#[path = "simulated/run.rs"]
mod run;

use std::collections::BTreeSet;

use control::ids::{HostId, ModelId};
use control::replay::Replay;
use control::request::Outcome;
use control::units::Nanos;
use run::{Case, Run};

fn case(most: u32) -> Run {
    Case::new("two-cold-models").set("control.cold_models_max", most).run()
}

/// The hosts that requests for a model went to.
fn hosts(run: &Run, model: u32) -> BTreeSet<HostId> {
    let of_model = run.records.iter().filter(|record| record.model == ModelId(model));
    of_model.map(|record| record.host.expect("all were sent")).collect()
}

/// The longest wait for a first token.
fn wait_max(run: &Run) -> Nanos {
    let wait = |record: &traces::record::Record| record.first_token.expect("an answer").since(record.arrival);
    run.records.iter().map(wait).max().expect("there are requests")
}

#[test]
fn two_cold_models_do_not_wait_for_each_other_where_another_host_is_free() {
    let (one, any) = (case(1), case(0));
    for run in [&one, &any] {
        assert!(run.records.iter().all(|record| record.outcome == Outcome::Finished));
        let mut replay = Replay::new();
        for record in run.decisions() {
            replay.feed(record).expect("the log replays to the same decisions");
        }
    }
    let loads = |run: &Run| -> Vec<u64> { run.end.last_sample.hosts.iter().map(|host| host.loads).collect() };
    assert_eq!((loads(&one), loads(&any)), (vec![1, 1], vec![2, 0]));
    let near = BTreeSet::from([HostId(0)]);
    assert_eq!([hosts(&any, 0), hosts(&any, 1)], [near.clone(), near], "both are loaded by the near host");
    assert!(hosts(&one, 0).is_disjoint(&hosts(&one, 1)), "each has a host of its own");
    let (apart, together) = (wait_max(&one), wait_max(&any));
    println!(
        "longest wait for a first token: {} ms apart, {} ms together",
        apart.0 / 1_000_000,
        together.0 / 1_000_000
    );
    assert!(apart.0 * 4 < together.0 * 3, "{apart:?} apart, {together:?} together");
}
