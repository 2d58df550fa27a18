use std::io::Cursor;

use control::units::Nanos;
use proptest::prelude::*;

use super::*;
use crate::options::{ModelMix, Rate, Spread, SpreadBy};

fn options() -> TraceOptions {
    let names = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    TraceOptions { models: ModelMix { names, zipf_exponent: 1.0 }, seed: 7, ..TraceOptions::default() }
}

fn open(text: &str, options: &TraceOptions) -> Result<Jobs, TraceError> {
    let input = Input::new(Path::new("t"), Box::new(Cursor::new(text.to_owned().into_bytes())))?;
    Jobs::new(input, options)
}

fn jobs(text: &str, options: &TraceOptions) -> Vec<Job> {
    open(text, options).expect("it opens").collect::<Result<_, _>>().expect("it is good")
}

/// A trace in vidur's format, a row for each arrival in milliseconds.
fn vidur(millis: impl IntoIterator<Item = u64>) -> String {
    let rows = millis.into_iter().map(|at| format!("{}.{:03},100,20\n", at / 1_000, at % 1_000));
    "arrived_at,num_prefill_tokens,num_decode_tokens\n".to_owned() + &rows.collect::<String>()
}

fn millis(jobs: &[Job]) -> Vec<u64> {
    jobs.iter().map(|job| job.arrival.0 / 1_000_000).collect()
}

#[test]
fn rows_without_tokens_are_dropped_and_counted() {
    let text = "arrived_at,num_prefill_tokens,num_decode_tokens\n0,1,1\n1,0,0\n2,0,5\n3,5,0\n4,2,2\n";
    let mut jobs = open(text, &options()).expect("it opens");
    let ids: Vec<u64> = jobs.by_ref().map(|job| job.expect("good").id).collect();
    assert_eq!(ids, [0, 1]);
    let expected = RowCounts { read: 5, without_tokens: 3, jobs: 2, ..RowCounts::default() };
    assert_eq!(jobs.counts(), expected);
}

#[test]
fn a_window_is_cut_and_moved_to_zero() {
    let window = Window { start: Nanos::from_millis(1_000), end: Some(Nanos::from_millis(3_000)) };
    let mut jobs =
        open(&vidur((0..50).map(|n| n * 100)), &TraceOptions { window, ..options() }).expect("it opens");
    let arrivals: Vec<Job> = jobs.by_ref().collect::<Result<_, _>>().expect("good");
    assert_eq!(millis(&arrivals), (0..20).map(|n| n * 100).collect::<Vec<_>>());
    assert_eq!((jobs.counts().before_window, jobs.counts().jobs), (10, 20));
}

#[test]
fn compressed_time_doubles_the_rate() {
    let rate = Rate::CompressTime(2.0);
    assert_eq!(millis(&jobs(&vidur([0, 100, 500]), &TraceOptions { rate, ..options() })), [0, 50, 250]);
    let rate = Rate::CompressTime(0.5);
    assert_eq!(millis(&jobs(&vidur([0, 100, 500]), &TraceOptions { rate, ..options() })), [0, 200, 1_000]);
}

#[test]
fn thinning_keeps_the_share_asked_for_and_more_of_it_keeps_the_same_rows() {
    let text = vidur(0..10_000);
    let kept = |share| millis(&jobs(&text, &TraceOptions { rate: Rate::Thin(share), ..options() }));
    let (some, more) = (kept(0.3), kept(0.6));
    // Five standard deviations of a binomial count.
    assert!(
        some.len().abs_diff(3_000) < 230 && more.len().abs_diff(6_000) < 245,
        "{} {}",
        some.len(),
        more.len()
    );
    assert!(some.iter().all(|at| more.binary_search(at).is_ok()));
    assert_eq!(kept(1.0).len(), 10_000);
}

#[test]
fn coarse_ticks_are_spread_up_to_the_next_stamp() {
    let spread = Some(Spread { tick: Nanos::from_millis(3_000), by: SpreadBy::Evenly });
    let text = vidur([0, 0, 0, 2_999, 2_999, 9_000, 9_000, 9_000]);
    let spread_jobs = jobs(&text, &TraceOptions { spread, ..options() });
    assert_eq!(millis(&spread_jobs), [0, 999, 1_999, 2_999, 4_499, 9_000, 10_000, 11_000]);
}

#[test]
fn a_model_of_rank_k_has_weight_one_by_k() {
    let jobs = jobs(&vidur(0..40_000), &options());
    let mut counts = [0u32; 4];
    jobs.iter().for_each(|job| counts[job.model as usize] += 1);
    let shares = [12.0, 6.0, 4.0, 3.0].map(|weight| weight / 25.0 * 40_000.0);
    let chi: f64 = counts.iter().zip(shares).map(|(&c, e)| (f64::from(c) - e).powi(2) / e).sum();
    // χ² with 3 degrees of freedom: 16.3 is exceeded once in a thousand seeds.
    assert!(chi < 16.3, "χ² = {chi}, counts {counts:?}");
}

#[test]
fn prompts_that_share_a_first_block_of_their_own_share_their_model() {
    // All open with block 0, a system prompt; block 1 + n % 200 tells conversations apart.
    let rows = (0..4_000).map(|n| {
        let conversation = 1 + n % 200;
        format!("{{\"timestamp\":{n},\"input_length\":1100,\"output_length\":5,\"hash_ids\":[0,{conversation},{}]}}\n", 1_000 + n)
    });
    let jobs = jobs(&rows.collect::<String>(), &options());
    let mut models = vec![None; 201];
    for job in &jobs {
        let conversation = job.blocks.as_ref().expect("blocks")[1].id as usize;
        assert_eq!(*models[conversation].get_or_insert(job.model), job.model);
    }
    let first = models.iter().filter(|&&model| model == Some(0)).count();
    assert!((60..140).contains(&first), "the most popular model has {first} of 200 conversations");
}

const SESSIONS: &str = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
    10.0,x,1,ChatGPT,100,30,130,Conversation log\n\
    11.0,y,1,GPT-4,100,30,130,Conversation log\n\
    12.0,,1,ChatGPT,100,30,130,API log\n\
    13.0,x,1,b,180,20,200,Conversation log\n\
    14.0,x,1,Third,150,20,170,Conversation log\n";

#[test]
fn names_that_the_fleet_lacks_take_its_models_in_turn() {
    let models: Vec<u32> = jobs(SESSIONS, &options()).iter().map(|job| job.model).collect();
    assert_eq!(models, [0, 1, 0, 1, 2], "b is the fleet's own");
}

#[test]
fn a_session_grows_by_the_answer_and_what_is_new() {
    let jobs = jobs(SESSIONS, &options());
    let tokens =
        |job: &Job| job.blocks.as_ref().map(|blocks| blocks.iter().map(|b| b.tokens).collect::<Vec<_>>());
    assert_eq!(tokens(&jobs[0]), Some(vec![100]));
    assert_eq!(tokens(&jobs[2]), None, "no session, nothing shared");
    assert_eq!(jobs[2].answer_block, 0);
    assert_eq!(tokens(&jobs[3]), Some(vec![100, 30, 50]));
    assert_eq!(jobs[3].blocks.as_ref().expect("blocks")[1].id, jobs[0].answer_block);
    assert_eq!(tokens(&jobs[4]), Some(vec![150]), "150 is less than the 200 said before");
    assert_eq!(jobs[0].session, jobs[3].session);
    assert_ne!(jobs[0].session, jobs[1].session);
}

#[test]
fn a_session_without_names_of_models_keeps_its_model() {
    let text: String = (0..2_000).map(|n| format!("{n},s{},,10,10\n", n % 100)).collect();
    let text = "Timestamp,Session ID,Model,Request tokens,Response tokens\n".to_owned() + &text;
    let jobs = jobs(&text, &options());
    for (index, job) in jobs.iter().enumerate().skip(100) {
        assert_eq!(job.model, jobs[index - 100].model);
    }
    assert!(jobs.iter().any(|job| job.model != jobs[0].model));
}

#[test]
fn an_option_shifts_no_other_draw() {
    let text = vidur(0..1_000);
    let plain = jobs(&text, &options());
    let thinned = jobs(&text, &TraceOptions { rate: Rate::Thin(0.5), ..options() });
    for job in &thinned {
        assert_eq!(job.model, plain[(job.arrival.0 / 1_000_000) as usize].model);
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |options: TraceOptions| match open(&vidur([0]), &options) {
        Err(error @ TraceError::Option { .. }) => error.to_string(),
        _ => panic!("{options:?} passed"),
    };
    let window = Window { start: Nanos(5_000_000_000), end: Some(Nanos(5_000_000_000)) };
    let spread = Some(Spread { tick: Nanos::ZERO, by: SpreadBy::Chance });
    let mix = |names: Vec<String>, zipf_exponent| ModelMix { names, zipf_exponent };
    let messages = [
        refused(TraceOptions { window, ..options() }),
        refused(TraceOptions { rate: Rate::Thin(1.5), ..options() }),
        refused(TraceOptions { rate: Rate::Thin(f64::NAN), ..options() }),
        refused(TraceOptions { rate: Rate::CompressTime(0.0), ..options() }),
        refused(TraceOptions { rate: Rate::CompressTime(f64::INFINITY), ..options() }),
        refused(TraceOptions { spread, ..options() }),
        refused(TraceOptions { context_tokens_max: Some(1), ..options() }),
        refused(TraceOptions { models: mix(Vec::new(), 1.0), ..options() }),
        refused(TraceOptions { models: mix(vec!["a".to_owned()], -1.0), ..options() }),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

proptest! {
    #[test]
    fn jobs_are_in_order_and_their_blocks_sum_to_their_prompt(
        rows in proptest::collection::vec((0u64..3, 0u64..4, 0u32..300, 0u32..100), 1..80),
        by_chance in any::<bool>(),
        context in proptest::option::of(2u32..400),
        factor in 0.1f64..10.0,
    ) {
        let mut text = "Timestamp,Session ID,Model,Request tokens,Response tokens\n".to_owned();
        let mut at = 0;
        for (gap, session, prompt, output) in rows {
            at += gap;
            let session = if session == 0 { String::new() } else { session.to_string() };
            text += &format!("{at}.0,{session},m,{prompt},{output}\n");
        }
        let by = if by_chance { SpreadBy::Chance } else { SpreadBy::Evenly };
        let spread = Some(Spread { tick: Nanos::from_secs(1), by });
        let rate = Rate::CompressTime(factor);
        let jobs = jobs(&text, &TraceOptions { spread, rate, context_tokens_max: context, ..options() });
        for (index, job) in jobs.iter().enumerate() {
            prop_assert_eq!(job.id, index as u64);
            prop_assert!(index == 0 || jobs[index - 1].arrival <= job.arrival);
            prop_assert!(job.prompt_tokens > 0 && job.output_tokens > 0);
            prop_assert!(context.is_none_or(|context| job.prompt_tokens + job.output_tokens <= context));
            if let Some(blocks) = &job.blocks {
                prop_assert_eq!(blocks.iter().map(|block| block.tokens).sum::<u32>(), job.prompt_tokens);
                prop_assert!(blocks.iter().all(|block| block.tokens > 0));
            }
        }
    }
}
