use control::ids::ModelId;
use control::request::{HostOptions, Kind};

use super::*;
use crate::emulated::EmulatedOptions;

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
    }
}

/// A host with one slot, driven on tokio's own clock, which jumps where everybody waits.
fn one_slot() -> Handle {
    let options = EmulatedOptions {
        models: vec!["llama3.2:3b".into()],
        num_parallel: Some(1),
        ..EmulatedOptions::default()
    };
    let (handle, driver) = start(Arc::new(options.spec().expect("a host")), 1);
    tokio::spawn(driver);
    handle
}

async fn finish(mut flight: Flight) -> Usage {
    loop {
        match flight.told().await.expect("the host runs") {
            Told::FirstToken { .. } => {}
            Told::Finished { usage, .. } => return usage,
            Told::Error(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_keeps_the_pace_of_the_wall_clock() {
    let handle = one_slot();
    let started = tokio::time::Instant::now();
    let mut flight = handle.submit(request(200)).await.expect("the host runs");
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
    finish(handle.submit(request(1)).await.expect("the host runs")).await;
    let started = tokio::time::Instant::now();
    let long = || request(1_000_000);
    // While it decodes, while it waits for the slot, and before the host has looked at it.
    let mut decoding = handle.submit(long()).await.expect("the host runs");
    assert!(matches!(decoding.told().await, Some(Told::FirstToken { .. })));
    let waiting = handle.submit(long()).await.expect("the host runs");
    handle.look().await.expect("the host runs");
    drop(waiting);
    drop(handle.submit(long()).await);
    let next = handle.submit(request(5)).await.expect("the host runs");
    drop(decoding);
    assert_eq!(finish(next).await.output_tokens, 5);
    assert!(started.elapsed() < Duration::from_secs(2), "none of the long answers was waited for");
}
