use control::ids::ModelId;
use control::request::{HostOptions, Kind};

use super::*;
use crate::emulated::EmulatedOptions;

const NAME: &str = "llama3.2:3b";

fn request(output_tokens: u32) -> HostRequest {
    HostRequest {
        key: RequestKey(0),
        model: ModelId(0),
        kind: Kind::Completion,
        prompt_tokens: 10,
        blocks: None,
        answer_block: 0,
        output_tokens,
        num_predict: None,
        options: HostOptions::default(),
        truncate: true,
        shift: true,
        run_nanos: None,
    }
}

/// A host with one slot, driven on tokio's own clock, which jumps where everybody waits.
fn one_slot() -> Handle {
    slots(1)
}

fn slots(count: u32) -> Handle {
    let options = EmulatedOptions {
        models: vec![NAME.into()],
        num_parallel: Some(count),
        ..EmulatedOptions::default()
    };
    let (handle, driver) = start(Arc::new(options.plan().expect("a host").spec), 1);
    tokio::spawn(driver);
    handle
}

async fn finish(mut flight: Flight) -> Usage {
    loop {
        match flight.told().await.expect("the host runs") {
            Told::FirstToken { .. } => {}
            Told::Finished { usage, .. } => return usage,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_keeps_the_pace_of_the_wall_clock() {
    let handle = one_slot();
    let started = tokio::time::Instant::now();
    let mut flight = handle.submit(NAME, request(200), false).await.expect("the host runs");
    let Some(Told::FirstToken { pace }) = flight.told().await else { panic!("the first token comes first") };
    let first = tokio::time::Instant::now();
    let usage = finish(flight).await;
    assert_eq!(usage.output_tokens, 200);
    let told = Duration::from_nanos(usage.eval.0);
    let apart = first.elapsed().abs_diff(told);
    assert!(apart < Duration::from_millis(2), "the wall's {:?}, the host's {told:?}", first.elapsed());
    assert!(started.elapsed() > told + Duration::from_nanos(usage.load.0));
    let paced = pace * 199;
    assert!(paced.abs_diff(told) < told / 10, "a pace of {pace:?} ends at {paced:?}, the host at {told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_frees_its_slot_whenever_it_leaves() {
    let handle = one_slot();
    finish(handle.submit(NAME, request(1), false).await.expect("the host runs")).await;
    let started = tokio::time::Instant::now();
    let long = || request(1_000_000);
    // While it decodes, while it waits for the slot, and before the host has looked at it.
    let mut decoding = handle.submit(NAME, long(), false).await.expect("the host runs");
    assert!(matches!(decoding.told().await, Some(Told::FirstToken { .. })));
    let waiting = handle.submit(NAME, long(), false).await.expect("the host runs");
    handle.look().await.expect("the host runs");
    drop(waiting);
    drop(handle.submit(NAME, long(), false).await);
    let next = handle.submit(NAME, request(5), false).await.expect("the host runs");
    drop(decoding);
    assert_eq!(finish(next).await.output_tokens, 5);
    assert!(started.elapsed() < Duration::from_secs(2), "none of the long answers was waited for");
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_told_to_all_on_the_runner_and_unloads_it() {
    let handle = slots(2);
    let mut decoding = handle.submit(NAME, request(1_000_000), false).await.expect("the host runs");
    assert!(matches!(decoding.told().await, Some(Told::FirstToken { .. })));
    let mut other = handle.submit(NAME, request(1_000_000), false).await.expect("the host runs");
    assert!(matches!(other.told().await, Some(Told::FirstToken { .. })));
    let mut waiting = handle.submit(NAME, request(1), false).await.expect("the host runs");
    let seen = handle.look().await.expect("the host runs");
    assert_eq!((seen.len(), seen[0].name.as_str()), (1, NAME));
    assert_eq!(seen[0].expires_in, Some(Duration::from_secs(300)), "its time has not begun");
    // One of the two that decode makes room for the one that brings the runner down.
    drop(other);
    let mut crashing = handle.submit(NAME, request(1), true).await.expect("the host runs");
    assert!(matches!(waiting.told().await, Some(Told::FirstToken { .. })));
    assert!(matches!(waiting.told().await, Some(Told::Finished { .. })));
    assert_eq!(crashing.told().await, Some(Told::Crashed));
    assert_eq!(decoding.told().await, Some(Told::Crashed));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(handle.look().await, Some(Vec::new()));
    let again = finish(handle.submit("alias", request(1), false).await.expect("the host runs")).await;
    assert!(again.load.0 > 250_000_000, "it is loaded again: {:?}", again.load);
    assert_eq!(handle.look().await.expect("the host runs")[0].name, "alias");
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_decodes_slowly_and_recovers() {
    let handle = one_slot();
    let mut evals = Vec::new();
    for permille in [1_000, 10_000, 1_000] {
        handle.slow(permille).await;
        evals.push(finish(handle.submit(NAME, request(50), false).await.expect("the host runs")).await.eval);
    }
    assert!(evals[1].0 > 9 * evals[0].0 && evals[1].0 > 9 * evals[2].0, "{evals:?}");
}
