//! S7: what forces a reload, and what a reload waits for.

use control::request::HostOptions;
use sim_host::api::HostRequest;
use sim_host::host::HostSpec;

use super::world::{World, llama, ms, request, spec, with};

fn loads_after(change: impl FnOnce(HostRequest) -> HostRequest) -> u64 {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, change(request(1, 0, 10)));
    world.run();
    assert!(world.finished(1).is_some());
    world.loads()
}

fn option(change: impl FnOnce(&mut HostOptions)) -> u64 {
    loads_after(|request| with(request, change))
}

// S7
#[test]
fn changed_runner_options_force_a_reload() {
    assert_eq!(option(|options| options.num_ctx = Some(2_048)), 2, "num_ctx");
    assert_eq!(option(|options| options.num_batch = Some(256)), 2, "num_batch");
    assert_eq!(option(|options| options.num_gpu = Some(4)), 2, "num_gpu");
    assert_eq!(
        option(|options| options.others = 7),
        2,
        "main_gpu, use_mmap, num_thread, adapters, projectors"
    );
}

// S7
#[test]
fn defaults_written_out_force_no_reload() {
    assert_eq!(option(|options| options.num_ctx = Some(4_096)), 1);
    assert_eq!(option(|options| options.num_batch = Some(512)), 1);
}

// S7
#[test]
fn sampling_and_the_rest_of_a_request_force_no_reload() {
    assert_eq!(loads_after(|request| HostRequest { num_predict: Some(5), ..request }), 1);
    assert_eq!(loads_after(|request| HostRequest { shift: false, truncate: false, ..request }), 1);
}

// S7: a request that leaves num_gpu open takes what there is.
#[test]
fn open_num_gpu_never_reloads() {
    let mut world = World::new(spec(vec![llama("a")]));
    world.send(0, with(request(1, 0, 10), |options| options.num_gpu = Some(4)));
    world.run();
    world.send(5_000, request(2, 0, 10));
    world.run();
    assert_eq!(world.loads(), 1);
}

// S7: the window asked for is compared, not the one that the model allows.
#[test]
fn context_beyond_the_models_own_still_reloads() {
    let mut model = llama("a");
    model.context_max = 2_048;
    let (mut world, now) = World::loaded_with(spec(vec![model]), &[0]);
    world.send(now, with(request(1, 0, 10), |options| options.num_ctx = Some(8_192)));
    world.run();
    assert_eq!(world.loads(), 2);
}

// S7
#[test]
fn reload_waits_for_running_requests_and_is_overtaken_by_old_options() {
    let (mut world, now) = World::loaded_with(HostSpec { ..spec(vec![llama("a")]) }, &[0]);
    world.send(now, request(1, 0, 1_000));
    world.send(now + 1, with(request(2, 0, 10), |options| options.num_ctx = Some(8_192)));
    world.send(now + 500, request(3, 0, 1_000));
    world.run_until(ms(now + 1_999));
    assert_eq!(world.ps(), vec![0]);
    world.run();
    assert_eq!((world.done_ms(1), world.done_ms(3)), (now + 1_000, now + 2_000));
    assert_eq!(world.done_ms(2), now + 2_000 + 1_000 + 750 + 10);
}

// S1, R: two names of one blob share a runner; with another num_ctx they replace each other.
#[test]
fn names_of_one_blob_share_a_runner_and_the_first_name_is_shown() {
    let mut twin = llama("b");
    twin.blob = llama("a").blob;
    let mut world = World::new(spec(vec![llama("a"), twin]));
    world.send(0, request(1, 1, 10));
    world.run();
    world.send(3_000, request(2, 0, 10));
    world.run();
    assert_eq!((world.loads(), world.ps()), (1, vec![1]), "loaded under the second name, shown under it");
    world.send(5_000, with(request(3, 0, 10), |options| options.num_ctx = Some(2_048)));
    world.run();
    assert_eq!((world.loads(), world.ps()), (2, vec![0]));
}
