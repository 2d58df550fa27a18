//! R, L, T, D: what a request meets on its way: errors, caps, long prompts, cancellation, the figures of the last line.

use std::sync::Arc;

use control::request::{Block, DoneReason, Kind};
use control::units::Nanos;
use sim_host::api::{HostError, HostEvent, HostRequest};
use sim_host::host::{HostSpec, Serving};
use sim_host::spec::ModelSpec;

use super::world::{World, empty, llama, ms, numbered, profile, qwen, request, spec, with};

fn bert() -> ModelSpec {
    ModelSpec { family: "bert".into(), embedding_only: true, ..llama("bert") }
}

// API: 404.
#[test]
fn unknown_model_is_404_at_once() {
    let mut world = World::new(spec(vec![llama("a")]));
    world.send(0, request(1, 7, 10));
    assert_eq!(world.error(1), Some(HostError::ModelMissing));
    assert_eq!(world.loads(), 0);
}

// API: gemma answers embeddings with 501, smollm embeds; an embedding model generates nothing.
#[test]
fn embeddings_come_from_embedding_models_and_llamarunner() {
    let embedding = |key, model| HostRequest { kind: Kind::Embedding, ..request(key, model, 0) };
    let mut world = World::new(spec(vec![llama("a"), qwen("b"), bert()]));
    for model in 0..3 {
        world.send(u64::from(model) * 10_000, embedding(u64::from(model), model));
        world.run();
    }
    assert_eq!((world.usage(0).prompt_tokens, world.usage(0).output_tokens), (10, 0));
    assert_eq!(world.error(1), Some(HostError::Unsupported));
    assert_eq!(world.usage(2).prompt_tokens, 10);
    world.send(50_000, request(9, 2, 10));
    assert_eq!(world.error(9), Some(HostError::Unsupported));
}

// L: inputs run one after the other, an overlong one loses its tail.
#[test]
fn embedding_inputs_run_one_after_the_other() {
    let mut host = spec(vec![bert()]);
    host.num_parallel = Some(4);
    host.num_ctx_default = Some(100);
    let (mut world, now) = World::loaded_with(host, &[]);
    let embedding =
        |key, tokens| HostRequest { kind: Kind::Embedding, prompt_tokens: tokens, ..request(key, 0, 0) };
    world.send(now, embedding(1, 10));
    world.run();
    for key in 2..=4 {
        world.send(5_000, embedding(key, 150));
    }
    world.run();
    assert_eq!((world.usage(2).prompt_tokens, world.cut(2)), (100, true));
    let done: Vec<u64> = (2..=4).map(|key| world.done_ms(key) - 5_000).collect();
    assert!(
        done[0] > 0 && done[1] == 2 * done[0] && done[2] == 3 * done[0],
        "one slot, one batch each: {done:?}"
    );
}

// R
#[test]
fn num_predict_ends_with_length_and_the_models_own_end_with_stop() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, HostRequest { num_predict: Some(5), ..request(1, 0, 20) });
    world.send(now, HostRequest { num_predict: Some(50), ..request(2, 0, 20) });
    world.run();
    assert_eq!((world.usage(1).output_tokens, world.usage(1).done), (5, DoneReason::Length));
    assert_eq!((world.usage(2).output_tokens, world.usage(2).done), (20, DoneReason::Stop));
}

// D
#[test]
fn answers_end_after_ten_contexts_at_most() {
    let (mut world, now) =
        World::loaded_with(HostSpec { num_ctx_default: Some(64), ..spec(vec![llama("a")]) }, &[0]);
    world.send(now, request(1, 0, 100_000));
    world.send(now, HostRequest { num_predict: Some(2_000), ..request(2, 0, 100_000) });
    world.run();
    for key in [1, 2] {
        assert_eq!((world.usage(key).output_tokens, world.usage(key).done), (640, DoneReason::Length));
    }
}

// L
#[test]
fn long_prompt_is_cut_to_the_context_silently() {
    let (mut world, now) =
        World::loaded_with(HostSpec { num_ctx_default: Some(100), ..spec(vec![llama("a")]) }, &[0]);
    world.send(now, HostRequest { prompt_tokens: 250, ..request(1, 0, 1) });
    world.send(now, HostRequest { prompt_tokens: 100, ..request(2, 0, 1) });
    world.run();
    assert_eq!((world.usage(1).prompt_tokens, world.cut(1)), (100, true));
    assert_eq!((world.usage(2).prompt_tokens, world.cut(2)), (100, false));
}

// L: the first num_keep tokens and the newest stay, so that only those find themselves in the cache again.
#[test]
fn cut_prompt_keeps_its_first_tokens_and_the_newest() {
    let (mut world, now) =
        World::loaded_with(HostSpec { num_ctx_default: Some(100), ..spec(vec![llama("a")]) }, &[0]);
    let prompt = |key, blocks: &[(u64, u32)]| HostRequest {
        prompt_tokens: blocks.iter().map(|block| block.1).sum(),
        blocks: Some(Arc::from_iter(blocks.iter().map(|&(id, tokens)| Block { id, tokens }))),
        ..request(key, 0, 1)
    };
    // Kept of the first: 4 tokens of block 1, 96 of block 2 (of which 104 are lost).
    world.send(now, prompt(1, &[(1, 50), (2, 200)]));
    world.run();
    world.send(now + 1_000, prompt(2, &[(1, 50), (2, 200)]));
    world.send(now + 1_000, prompt(3, &[(1, 50)]));
    world.run();
    let cached = |key| {
        world.seen.iter().find_map(|(_, event)| match event {
            HostEvent::Finished { key: found, cached_tokens, .. } if found.0 == key => Some(*cached_tokens),
            _ => None,
        })
    };
    assert_eq!(cached(2), Some(99), "the same cut again: all but the last token, which is always run");
    assert_eq!(cached(3), Some(4), "of block 1 only the first tokens were kept");
}

// L
#[test]
fn truncate_false_answers_400_to_a_long_prompt() {
    let (mut world, now) =
        World::loaded_with(HostSpec { num_ctx_default: Some(100), ..spec(vec![llama("a")]) }, &[0]);
    world.send(now, HostRequest { prompt_tokens: 101, truncate: false, ..request(1, 0, 1) });
    world.send(now, HostRequest { prompt_tokens: 100, truncate: false, ..request(2, 0, 1) });
    world.run();
    assert_eq!(world.error(1), Some(HostError::PromptTooLong));
    assert_eq!(world.usage(2).prompt_tokens, 100);
    assert_eq!(world.requests(), 0);
}

// L
#[test]
fn full_context_shifts_or_ends_with_length() {
    let (mut world, now) =
        World::loaded_with(HostSpec { num_ctx_default: Some(64), ..spec(vec![llama("a")]) }, &[0]);
    world.send(now, request(1, 0, 200));
    world.send(now, HostRequest { shift: false, ..request(2, 0, 200) });
    world.run();
    assert_eq!((world.usage(1).output_tokens, world.usage(1).done), (200, DoneReason::Stop));
    assert_eq!(world.usage(2).done, DoneReason::Length);
    assert!(world.usage(2).output_tokens < 64);
}

// R
#[test]
fn client_that_leaves_frees_the_slot_at_the_next_token() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, request(1, 0, 10_000));
    world.send(now + 1, request(2, 0, 10));
    world.deliver(
        control::units::Instant(ms(now + 100).0 + 300_000),
        sim_host::api::Message::Cancel(sim_host::api::RequestKey(1)),
    );
    world.run();
    assert_eq!(world.done_ms(2), now + 101 + 10);
    assert!(world.finished(1).is_none());
}

// R
#[test]
fn client_that_leaves_before_it_has_a_slot_leaves_silently() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, request(1, 0, 100));
    world.send(now, request(2, 0, 100));
    world.cancel(now + 50, 2);
    assert_eq!(world.requests(), 1);
    world.run();
    assert!(world.silent(2) && world.done_ms(1) == now + 100);
}

fn prepared(millis: u64, model: ModelSpec) -> HostSpec {
    let mut slow = (*profile(model)).clone();
    slow.request_overhead_nanos = millis * 1_000_000;
    HostSpec { models: numbered(vec![slow.into()]), ..spec(vec![]) }
}

// T
#[test]
fn load_duration_is_never_0_and_outside_the_slots() {
    let (mut world, now) = World::loaded_with(prepared(50, llama("a")), &[0]);
    for key in 1..=3 {
        world.send(now, request(key, 0, 10));
    }
    world.run();
    for key in 1..=3 {
        assert_eq!(world.usage(key).load, Nanos::from_millis(50), "all are prepared at the same time");
        assert_eq!(world.done_ms(key), now + 50 + 10 * key);
    }
}

// T
#[test]
fn preparation_comes_before_the_wait_for_a_load() {
    let mut world = World::new(prepared(50, llama("a")));
    world.send(0, request(1, 0, 10));
    world.run();
    assert_eq!(world.usage(1).load, Nanos::from_millis(1_550));
}

// T
#[test]
fn wait_for_a_slot_is_in_none_of_the_parts() {
    let (mut world, now) = World::loaded_with(prepared(50, llama("a")), &[0]);
    world.send(now, request(1, 0, 1_000));
    world.send(now, request(2, 0, 10));
    world.run();
    let usage = world.usage(2);
    assert_eq!(usage.prompt_eval, Nanos::from_millis(1));
    assert_eq!(usage.eval, Nanos::from_millis(9));
    let total = world.done_ms(2) - now;
    let parts = (usage.load.0 + usage.prompt_eval.0 + usage.eval.0) / 1_000_000;
    assert_eq!((total, parts), (50 + 1_000 + 10, 60));
}

// T
#[test]
fn prompt_eval_count_is_the_full_prompt_even_on_a_prefix_hit() {
    let mut host = spec(vec![llama("a")]);
    host.num_ctx_default = Some(8_192);
    let (mut world, now) = World::loaded_with(host, &[0]);
    let prompt = |key| HostRequest {
        prompt_tokens: 2_000,
        blocks: Some(Arc::from([Block { id: 5, tokens: 2_000 }])),
        ..request(key, 0, 2)
    };
    world.send(now, prompt(1));
    world.run();
    world.send(now + 1_000, prompt(2));
    world.run();
    let (first, again) = (world.usage(1), world.usage(2));
    assert_eq!((first.prompt_tokens, again.prompt_tokens), (2_000, 2_000));
    assert!(again.prompt_eval.0 * 3 < first.prompt_eval.0, "{again:?} after {first:?}");
    let counters = world.host.counters(world.now);
    assert_eq!((counters.prompt_tokens, counters.cached_tokens), (2_001, 1_999));
}

// T
#[test]
fn answer_of_one_token_has_no_eval_duration() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, request(1, 0, 1));
    world.run();
    assert_eq!(world.usage(1).eval, Nanos::ZERO);
}

// API: the stream begins with the first token, which comes before the last line.
#[test]
fn first_token_comes_once_and_first() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, request(1, 0, 5));
    world.run();
    let names: Vec<bool> =
        world.seen.iter().map(|(_, event)| matches!(event, HostEvent::FirstToken { .. })).collect();
    assert_eq!(names, vec![true, false]);
    assert_eq!(world.seen[0].0, ms(now + 1));
}

// Client gone while its template is rendered: it still takes its place, and nothing is reported.
#[test]
fn client_that_leaves_during_preparation_is_never_answered() {
    let (mut world, now) = World::loaded_with(prepared(50, llama("a")), &[0]);
    world.send(now, request(1, 0, 10));
    world.cancel(now + 10, 1);
    world.run();
    assert!(world.silent(1) && world.requests() == 0);
}

// Not Ollama: what stands for a paged batching server.
#[test]
fn paged_server_runs_all_in_one_batch_and_never_loads() {
    let serving = Serving::Paged { slots: 256, batch_tokens: 2_048 };
    let mut world =
        World::new(HostSpec { serving, num_ctx_default: None, ..spec(vec![llama("a"), llama("b")]) });
    assert_eq!(world.ps(), vec![0]);
    for key in 1..=200 {
        world.send(0, with(request(key, 0, 50), |options| options.num_ctx = Some(key as u32 + 100)));
    }
    world.send(0, empty(500, 0));
    world.send(0, request(501, 1, 10));
    world.run_until(ms(20));
    assert_eq!(world.running(), 200);
    world.run();
    assert_eq!((world.done_ms(200), world.loads()), (50, 0));
    assert_eq!(world.usage(500).done, DoneReason::Load);
    assert_eq!(world.error(501), Some(HostError::ModelMissing));
}
